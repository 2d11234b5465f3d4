"""The bytes of a client, whether they come over TCP or in the binary frames of a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from channels import telemetry
from channels.typing import PUSH_EXTENSION, Message, Receive, Scope, Send

#: The subprotocol of MQTT over WebSocket (5.0 section 6).
SUBPROTOCOL = "mqtt"


class ByteStream(Protocol):
    """The bytes of one client, both ways.

    Attributes:
        draining: the server stops.
        writable: what is written may still reach the client.
        receive: waits for the next event, which :meth:`data_of` understands.
    """

    draining: bool
    writable: bool
    receive: Receive

    async def accept(self) -> None:
        """Accept the connection."""

    def data_of(self, message: Message) -> bytes | None:
        """Return the bytes; None: the client is gone, or sends nothing more, or the server stops."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read. Harmless if it is gone."""

    def write_nowait(self, data: bytes) -> bool:
        """Send, with what else is sent in this turn of the loop; False if only :meth:`write` can."""
        ...

    async def close(self) -> None:
        """Close after what was sent."""


def _never(data: bytes) -> bool:
    """What is sent may always have to wait."""
    return False


class _Stream:
    """The base of both kinds."""

    __slots__ = ("_send", "draining", "receive", "writable", "write_nowait")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.receive = receive
        self._send = send
        self.draining = False
        self.writable = True
        self.write_nowait: Callable[[bytes], bool] = _never

    async def _try(self, message: Message) -> None:
        try:
            await self._send(message)
        except Exception as error:  # servers have many words for a client that has gone
            telemetry.count("mqtt.late_write", error=type(error).__name__)


class TCPByteStream(_Stream):
    """Over scope type ``tcp``; a server of ours takes bytes without an event for them."""

    __slots__ = ()

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        source = scope.get("extensions", {}).get(PUSH_EXTENSION)
        if getattr(source, "send", None) == send:  # nobody wants to see what is sent
            self.write_nowait = getattr(source, "write_nowait", _never)

    async def accept(self) -> None:
        """See :class:`ByteStream`."""
        await self.receive()  # tcp.connect
        # MQTT has a keep alive of its own.
        await self._send({"type": "tcp.accept", "idle_timeout": None})

    def data_of(self, message: Message) -> bytes | None:
        """See :class:`ByteStream`."""
        if message["type"] == "tcp.receive":
            return bytes(message["data"])
        self.draining = message["type"] == "tcp.drain"
        return None

    async def write(self, data: bytes) -> None:
        """See :class:`ByteStream`."""
        await self._try({"type": "tcp.send", "data": data})

    async def close(self) -> None:
        """See :class:`ByteStream`."""
        await self._try({"type": "tcp.close"})


class WebSocketByteStream(_Stream):
    """Over a WebSocket. A packet may come in several frames, and a frame may have several packets."""

    __slots__ = ()

    async def accept(self) -> None:
        """See :class:`ByteStream`."""
        await self.receive()  # websocket.connect
        # Clients give up where no subprotocol is selected, and one that offers none takes none.
        await self._send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})

    def data_of(self, message: Message) -> bytes | None:
        """See :class:`ByteStream`; a frame with text ends the connection."""
        if message["type"] == "websocket.receive" and message.get("bytes") is not None:
            return bytes(message["bytes"])
        self.draining = message.get("code") == 1012
        self.writable = message["type"] != "websocket.disconnect"
        return None

    async def write(self, data: bytes) -> None:
        """See :class:`ByteStream`."""
        await self._try({"type": "websocket.send", "bytes": data})

    async def close(self) -> None:
        """See :class:`ByteStream`."""
        await self._try({"type": "websocket.close"})


def byte_stream(scope: Scope, receive: Receive, send: Send) -> ByteStream:
    """Return the bytes of a connection.

    Raises:
        ValueError: its scope is of another type.
    """
    kinds: dict[str, type[TCPByteStream | WebSocketByteStream]] = {
        "tcp": TCPByteStream,
        "websocket": WebSocketByteStream,
    }
    if scope["type"] not in kinds:
        raise ValueError(f"MQTT is spoken over scope types {', '.join(kinds)}, not {scope['type']!r}.")
    return kinds[scope["type"]](scope, receive, send)
