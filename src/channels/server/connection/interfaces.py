"""What the protocols of a connection need of the connection, and of each other."""

from __future__ import annotations

from typing import Any, Protocol

from channels.protocols.http2.connection import HTTP2Connection
from channels.server.interfaces import Handler, Link
from channels.server.io.sendfile import FilePart
from channels.server.runtime import Runtime

#: Client and server, each as [host, port].
AddressPair = tuple[list[Any], list[Any]]


class HandledConnection(Link, Protocol):
    """A connection, as the handler of its bytes sees it."""

    @property
    def runtime(self) -> Runtime:
        """What the process shares."""
        ...

    @property
    def client(self) -> list[Any] | None:
        """The peer as [host, port]; None on a Unix socket."""
        ...

    @property
    def server(self) -> list[Any] | None:
        """Where the peer connected to."""
        ...

    @property
    def tls(self) -> dict[str, Any] | None:
        """ASGI's ``tls`` extension; None in clear text."""
        ...

    @property
    def handler(self) -> Handler:
        """What understands the bytes at present."""
        ...

    @property
    def closing(self) -> bool:
        """Whether we have closed."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the peer sends nothing more: it has closed, at least its half."""
        ...

    def switch_handler(self, handler: Handler, ahead: bytes) -> None:
        """Let another handler understand the bytes from now on, ``ahead`` first."""
        ...

    def speak_for(self, addresses: AddressPair | None, ahead: bytes) -> None:
        """Begin for the client that a proxy has named; ``ahead`` came behind the proxy's header."""
        ...

    def watch_for_close(self) -> None:
        """Tell the handler of the peer's close later, too: see :meth:`Handler.peer_closed`."""
        ...

    def flush(self) -> None:
        """Give the transport what was collected in this turn of the loop."""
        ...

    async def send_file(self, part: FilePart) -> None:
        """Have the kernel copy a part of a file to the socket; see :meth:`Exchange.send_file`."""
        ...


class Multiplexer(Protocol):
    """An HTTP/2 connection, as one of its streams sees it."""

    @property
    def connection(self) -> HandledConnection:
        """Carries the frames of all streams."""
        ...

    @property
    def engine(self) -> HTTP2Connection:
        """The protocol's state."""
        ...

    @property
    def runtime(self) -> Runtime:
        """What the process shares."""
        ...

    def advance(self) -> None:
        """Act on what the engine has to tell, and send what it has to send."""
        ...

    def wrote(self, size: int) -> None:
        """Count ``size`` bytes that wait for the end of this turn of the loop."""
        ...

    def completed(self, stream_id: int) -> None:
        """Forget a stream whose response is complete, and send what is left of it."""
        ...
