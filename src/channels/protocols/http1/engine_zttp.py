"""HTTP/1.1 messages read by zttp: the fast engine.

Refused by zttp itself: bare CR and LF, obs-fold, controls, a missing or repeated Host, Content-Length beside
Transfer-Encoding. Let through, and looked for here or in :mod:`channels.protocols.http.semantics`: 0x85, a
Host that is none, non-ASCII in the target, equal Content-Lengths, codings before "chunked" or in HTTP/1.0.
"""

from __future__ import annotations

from functools import partial

from zttp import SERVER, Data, EndOfMessage, H1Connection, RemoteProtocolError, Request

from channels.protocols.events import Headers
from channels.protocols.http.malformed import MalformedMessage, RawHead, ReadChunks
from channels.protocols.http1 import engine_h11 as http1_h11

# What zttp takes at most, 100 fields beside the request line and the empty line; it cannot be told to take
# more. A head beyond goes to h11, so that our own limits mean the same with both engines.
_MAX_BYTES = 16_384
_MAX_LINES = 102


def read_head(head: bytes) -> tuple[RawHead, ReadChunks]:
    """Read a whole head with a ``zttp.H1Connection`` of its own; see :data:`ReadHead`."""
    if b"\x85" in head:
        raise MalformedMessage(400, "forbidden character in the request head")
    if len(head) > _MAX_BYTES or head.count(b"\r\n") > _MAX_LINES:
        return http1_h11.read_head(head)
    engine = H1Connection(SERVER)
    try:
        event = engine.receive_event(head)
    except RemoteProtocolError as error:
        if (
            b'"' in head[: head.index(b"\r\n")]
        ):  # zttp alone refuses quotation marks, on which no framing depends
            return http1_h11.read_head(head)
        raise MalformedMessage(400, str(error)) from None
    if type(event) is not Request:  # a head that ends before its request line
        raise MalformedMessage(400, "malformed request line")
    # In H1Connection ``headers`` always is a HeaderBlock; lists come from HTTP/2 and 3 only.
    headers = event.headers.to_list(lowercase_names=True)  # type: ignore[union-attr]
    return (event.method, event.target, event.http_version, headers), partial(_read_chunks, engine)


def _read_chunks(engine: H1Connection, data: bytes) -> tuple[bytes, Headers | None]:
    parts: list[bytes] = []
    trailers: Headers | None = None
    try:
        event = engine.receive_event(data)
        while type(event) is Data:
            parts.append(event.data)
            event = engine.next_event()  # type: ignore[assignment]  # HTTP/2 events never occur
    except RemoteProtocolError:
        raise MalformedMessage(400, "malformed chunked coding", b"".join(parts)) from None
    if type(event) is EndOfMessage:
        trailers = [(name.lower(), value) for name, value in event.trailers]
    return b"".join(parts), trailers
