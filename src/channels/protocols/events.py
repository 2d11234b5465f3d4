"""The one vocabulary that every protocol speaks to the server.

HTTP/1.1 numbers its streams 1, 2, 3 ... in the order of the requests; HTTP/2 uses the
numbers of RFC 9113. A WebSocket speaks the second half, once it is open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Fact(NamedTuple):
    """What a protocol has done of its own accord and somebody should count.

    Connections collect them in ``facts``, a tuple, as there is nearly never one; whoever feeds a connection
    takes them after each call.

    Attributes:
        name: of the counter.
        amount: by how much it grows.
        details: what is told with it.
    """

    name: str
    amount: int = 1
    details: Mapping[str, object] = MappingProxyType({})


class Handshake(NamedTuple):
    """What a request that may open a WebSocket asks for (RFC 6455 4.1).

    Attributes:
        subprotocols: what the peer offers, in its order of preference.
        key: the peer's Sec-WebSocket-Key; b"" over HTTP/2, which has none.
        extensions: the values of Sec-WebSocket-Extensions, for
            :func:`channels.protocols.websocket.permessage_deflate.negotiate`.
    """

    subprotocols: list[str]
    key: bytes
    extensions: tuple[bytes, ...] = ()

    @property
    def status(self) -> int:
        """The status that opens the WebSocket: 101, over HTTP/2 200 (RFC 8441 section 5)."""
        return 101 if self.key else 200


@dataclass(slots=True)
class RequestReceived:
    """The head of a request, complete and judged.

    Attributes:
        stream_id: which stream of the connection.
        method: as it was sent, case kept.
        target: path and query as they were sent; of an absolute form what follows the host (RFC 9112 3.2).
        headers: names lowercased, values stripped, order and duplicates kept.
        http_version: "1.0", "1.1" or "2".
        ended: no body follows; no BodyEnded event comes either.
        expects_continue: the peer waits for "100 Continue" before it sends the body.
        upgrade: the lowercased Upgrade token of a request that asks to upgrade, or b"".
        scheme: b"http" or b"https" where the protocol carries it (HTTP/2), else b"".
        handshake: that of a WebSocket, where it is known to be one that may open it; None if it has
            to be judged yet.
        names: the names of the headers, where somebody has them already; else None.
    """

    stream_id: int
    method: str
    target: bytes
    headers: Headers
    http_version: str
    ended: bool = False
    expects_continue: bool = False
    upgrade: bytes = b""
    scheme: bytes = b""
    handshake: Handshake | None = None
    names: Collection[bytes] | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class BodyReceived:
    """A part of a request's body, never empty."""

    stream_id: int
    data: bytes


@dataclass(slots=True)
class BodyEnded:
    """The request's body is complete; trailers are lowercased like headers."""

    stream_id: int
    trailers: Headers = field(default_factory=list)


@dataclass(slots=True)
class StreamClosed:
    """The peer gave up on a stream (RST_STREAM), or the connection ended under it."""

    stream_id: int


@dataclass(slots=True)
class StreamWritable:
    """The peer has made room on a stream: what waited for it has left (flow control of HTTP/2)."""

    stream_id: int


@dataclass(slots=True)
class ConnectionClosed:
    """The peer will send nothing more on this connection."""


@dataclass(slots=True)
class ProtocolViolated:
    """The peer broke the protocol; answer with ``status`` if nothing was answered yet, then close.

    Attributes:
        status: the HTTP status that says so (400, 413, 414, 431, 501, 505 ...).
        reason: one sentence for the log and the answer's body; never the peer's bytes.
    """

    status: int
    reason: str


@dataclass(slots=True)
class MessageReceived:
    """A whole WebSocket message: str for a text message, bytes for a binary one."""

    data: str | bytes


@dataclass(slots=True)
class PongReceived:
    """The answer to a ping of ours, with its payload."""

    payload: bytes


@dataclass(slots=True)
class CloseReceived:
    """The WebSocket is over: the peer closed it, or broke the protocol and was closed.

    Attributes:
        code: what the consumer is told: the peer's code, 1005 if it sent none, 1006 if
            the connection was lost, or the code that a violation was answered with.
        reason: the text that goes with it.
    """

    code: int
    reason: str = ""


Event: TypeAlias = (
    RequestReceived
    | BodyReceived
    | BodyEnded
    | StreamClosed
    | StreamWritable
    | ConnectionClosed
    | ProtocolViolated
    | MessageReceived
    | PongReceived
    | CloseReceived
)
