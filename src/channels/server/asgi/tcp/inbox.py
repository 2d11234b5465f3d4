"""What one TCP peer has sent and the application has not taken yet, as ASGI events."""

from __future__ import annotations

from channels.typing import Message


class TCPInbox:
    """Bytes in their order, then what happened to the connection; each event is taken once.

    Args:
        max_bytes: how much may wait before the socket is not read any more.
    """

    __slots__ = ("_connect", "_disconnect", "_drain", "_eof", "_max_bytes", "_parts", "_size")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._connect = True
        self._eof = False
        self._drain: float | None = None
        self._disconnect: str | None = None

    def put(self, data: bytes) -> bool:
        """Add what the peer sent; returns whether it is full now."""
        self._parts.append(data)
        self._size += len(data)
        return self._size >= self._max_bytes

    def put_eof(self) -> None:
        """The peer sends nothing more."""
        self._eof = True

    def put_drain(self, seconds: float) -> None:
        """The server stops, and closes the connection in so many seconds."""
        self._drain = seconds

    def finish(self, reason: str) -> None:
        """The connection is over; the application learns it behind all that was sent."""
        self._disconnect = reason

    def take(self) -> Message | None:
        """Take the next event; None if there is none, and for ever after the disconnect."""
        if self._connect:
            self._connect = False
            return {"type": "tcp.connect"}
        if self._parts:
            return {"type": "tcp.receive", "data": self._take_bytes()}
        if self._eof and self._disconnect is None:
            self._eof = False
            return {"type": "tcp.eof"}
        if self._drain is not None and self._disconnect is None:
            seconds, self._drain = self._drain, None
            return {"type": "tcp.drain", "seconds": seconds}
        return self._take_disconnect()

    def _take_disconnect(self) -> Message | None:
        reason, self._disconnect = self._disconnect, None
        if reason is None:
            return None
        self._eof, self._drain = False, None
        return {"type": "tcp.disconnect", "reason": reason}

    def _take_bytes(self) -> bytes:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self.clear()
        return data

    def clear(self) -> None:
        """Throw the bytes away: nobody will take them."""
        self._parts.clear()
        self._size = 0
