"""What a stream needs from the protocol that carries it, whichever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from channels.protocols.http1.header_lines import PlainFields
from channels.server.io.sendfile import FilePart
from channels.typing import Headers

if TYPE_CHECKING:
    from channels.server.asgi.websocket import WebSocketStream


class Carrier(Protocol):
    """What carries a stream, and has one place less while the run of a stream outlives it."""

    def abandoned(self, runs: int) -> None:
        """Count ``runs`` more that go on although their peer has left; fewer, if it is negative."""
        ...


class Exchange(Carrier, Protocol):
    """One request and its response.

    Attributes:
        client: the peer as [host, port], or None.
        server: where it connected to.
        tls: ASGI's ``tls`` extension; None in clear text.
    """

    client: list[Any] | None
    server: list[Any] | None
    tls: dict[str, Any] | None

    @property
    def congested(self) -> bool:
        """Whether senders should wait: the peer does not read fast enough."""
        ...

    @property
    def gone(self) -> bool:
        """Whether nothing that is sent reaches anybody any more."""
        ...

    async def wait_writable(self) -> None:
        """Wait until it is not congested any more, or the peer is gone."""
        ...

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

    def respond(self, status: int, fields: PlainFields, own: PlainFields, data: bytes) -> bool:
        """Send a whole response at once.

        Returns:
            False if it did nothing, as it cannot, or has to look at the fields one by one.
        """
        ...

    def send_body(self, data: bytes) -> None:
        """Send a part of the body that is not the last."""
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

    def upgrade(self, stream: WebSocketStream, headers: Headers, own: PlainFields) -> None:
        """Say yes to a WebSocket; from now on its bytes go to ``stream``. ``own`` is what the server adds."""
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
