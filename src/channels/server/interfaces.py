"""The Protocols that the server's folders meet through.

A stream of the application (``asgi``) knows what carries it as an :class:`Exchange` or a :class:`Link`, and a
connection (``connection``) knows what understands its bytes as a :class:`Handler`.
"""

from __future__ import annotations

from typing import Any, Protocol

from channels.protocols.http.fields import ResponseFields
from channels.server.io.sendfile import BodySink, FilePart
from channels.typing import Headers


class Handler(Protocol):
    """The protocol that a connection speaks at present."""

    def data_received(self, data: bytes) -> None:
        """The peer sent ``data``."""
        ...

    def read_on(self) -> None:
        """A turn of the loop is over: parse what was left by ``read_later``; harmless if nothing was."""
        ...

    def eof_received(self) -> bool:
        """The peer will send nothing more. Returns True to keep the way to it open."""
        ...

    def peer_closed(self) -> None:
        """The peer has closed behind data that nobody has taken yet; told again while it is so."""
        ...

    def connection_lost(self) -> None:
        """The connection is gone, both ways."""
        ...

    def stop(self) -> None:
        """The server stops: finish what runs, take nothing new."""
        ...


class UpgradedHandler(Handler, Protocol):
    """A WebSocket, which handles a connection's bytes once its handshake was accepted.

    Attributes:
        held: the connection is not to be read, because the application is behind.
    """

    held: bool


class Carrier(Protocol):
    """What carries a stream, and has one place less while the run of a stream outlives it."""

    def abandoned(self, runs: int) -> None:
        """Count ``runs`` more that go on although their peer has left; fewer, if it is negative."""
        ...


class Exchange(Carrier, BodySink, Protocol):
    """One request and its response.

    Attributes:
        client: the peer as [host, port], or None.
        server: where it connected to.
        tls: ASGI's ``tls`` extension; None in clear text.
    """

    client: list[Any] | None
    server: list[Any] | None
    tls: dict[str, Any] | None

    def hold_body(self) -> None:
        """Read no more of the request's body for now."""
        ...

    def release_body(self) -> None:
        """Read on."""
        ...

    def send_informational(self, status: int, headers: Headers) -> None:
        """Send an interim response at once."""
        ...

    def send_response(self, status: int, headers: Headers) -> None:
        """Send the head, together with the first part of the body."""
        ...

    def respond(self, status: int, fields: ResponseFields, own: ResponseFields, data: bytes) -> bool:
        """Send a whole response at once.

        Returns:
            False if it did nothing, as it cannot, or has to look at the fields one by one.
        """
        ...

    async def send_file(self, part: FilePart) -> None:
        """Send a part of a file as a part of the body; waits while the peer does not read.

        Raises:
            OSError: the file cannot be read, or has become shorter.
            ValueError: it is more than the Content-Length promised.
        """
        ...

    def end_response(self, data: bytes, trailers: Headers) -> None:
        """Send the last part of the body, and the trailers; the response is complete."""
        ...

    def abort_response(self) -> None:
        """Break the response off, so that the peer can see that it is not complete."""
        ...

    def upgrade(self, stream: UpgradedHandler, headers: Headers, own: ResponseFields, accept: bytes) -> None:
        """Accept a WebSocket's handshake; from now on its bytes go to ``stream``.

        Args:
            stream: handles the bytes of the WebSocket.
            headers: of the answer, as the application gave them.
            own: the headers that the server adds.
            accept: the value of Sec-WebSocket-Accept; b"" where the handshake had no key, as over HTTP/2.
        """
        ...


class Link(Carrier, Protocol):
    """The bytes of an open WebSocket, both ways."""

    @property
    def congested(self) -> bool:
        """Whether senders should wait: the peer does not read fast enough."""
        ...

    def write(self, data: bytes) -> None:
        """Send, together with what else is sent in this turn."""
        ...

    def write_now(self, data: bytes) -> None:
        """Send at once, behind what was sent in this turn."""
        ...

    @property
    def unsent(self) -> int:
        """How many bytes wait to be written."""
        ...

    async def wait_writable(self) -> None:
        """Wait until it is not congested any more, or the peer is gone."""
        ...

    def pause_reading(self) -> None:
        """Leave what the peer sends where it is."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...

    def read_later(self) -> None:
        """Read no more in this turn of the loop; the stream's ``read_on`` is called in a later one."""
        ...

    def close(self, *, linger: bool = False) -> None:
        """Close after everything was sent; ``linger`` if the peer may still be sending."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def cut(self, reason: str) -> None:
        """Close at once, because the peer reads too slowly."""
        ...
