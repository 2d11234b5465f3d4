"""What an engine knows of a stream: who has ended it (RFC 9113 section 5.1), and the windows (5.2)."""

from __future__ import annotations

from h2.errors import ErrorCodes

from channels.protocols.http2.frames import ConnectionFault


class StreamState:
    """A stream that is open or half-closed.

    Attributes:
        send_window: bytes that the peer takes on it; below zero after its settings have changed.
        receive: what we take.
        body_left: bytes that the request's Content-Length still promises; None without one.
        peer_ended: the peer has sent all that it will: "half-closed (remote)".
        we_ended: we have: "half-closed (local)".
    """

    __slots__ = ("body_left", "peer_ended", "receive", "send_window", "we_ended")

    def __init__(self, send_window: int, receive_window: int, *, ended: bool) -> None:
        self.send_window = send_window
        self.receive = ReceiveWindow(receive_window) if not ended else None
        self.body_left: int | None = None
        self.peer_ended = ended
        self.we_ended = False

    def promised(self, size: int, ended: bool) -> bool:
        """Count a part of the body; returns whether it is what Content-Length said (RFC 9113 8.1.1)."""
        self.body_left = (self.body_left or 0) - size
        return not self.body_left if ended else self.body_left >= 0


class ReceiveWindow:
    """What the peer may send until it is told more.

    Args:
        size: bytes.
    """

    __slots__ = ("_given_back", "_left", "_size")

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._given_back = 0

    def take(self, size: int) -> None:
        """Count bytes that the peer has sent.

        Raises:
            ConnectionFault: that was more than it may.
        """
        self._left -= size
        if self._left < 0:
            raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "more data than the window takes")

    def give_back(self, size: int) -> int:
        """Count bytes that were read; returns by how much to open the window, 0 until it is half of it."""
        self._given_back += size
        if self._given_back * 2 < self._size:
            return 0
        increment, self._given_back = self._given_back, 0
        self._left += increment
        return increment
