"""What an HTTP/1.1 engine does for us: read one head, undo one chunked coding.

The connection (:mod:`channels.protocols.http1.connection`) owns the bytes. It finds where a head ends, and
counts a body that has a length, so that it knows what belongs to the next request or to the protocol after an
upgrade: no engine has to tell. What is left to a library is the grammar: it is a :data:`ReadHead`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from channels.protocols.events import Headers


class MalformedMessage(Exception):
    """The peer's bytes are no HTTP/1.1 message, or none that we serve.

    Args:
        status: the HTTP status that says so.
        reason: one sentence; never the peer's bytes.
        data: what of the body was read before the offence.
    """

    def __init__(self, status: int, reason: str, data: bytes = b"") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.data = data


#: A request head that is well formed; what it means is judged elsewhere. Method (a token, case kept), target
#: as it was sent, version as b"1.1", headers (names lowercased, values stripped, order and duplicates kept).
RawHead: TypeAlias = tuple[bytes, bytes, bytes, Headers]

#: Undoes the chunked coding of the next part of a body. Returns the bytes of the body that became known, and
#: the trailers (names lowercased) if the body is complete, else None. It is never given a byte beyond the end
#: of the body. Raises MalformedMessage if the coding is broken; its ``data`` holds what came before.
ReadChunks: TypeAlias = Callable[[bytes], tuple[bytes, Headers | None]]

#: An engine: reads a whole head, from the method to the empty line, and says who will read the body if it
#: comes in chunks. Raises MalformedMessage, with any status: the one that fits is found from the bytes.
#: An engine is strict: it refuses what :func:`has_forbidden_bytes` finds, a space before a colon, and a
#: Content-Length that is no number, repeated in a list, or beside Transfer-Encoding.
ReadHead: TypeAlias = Callable[[bytes], tuple[RawHead, ReadChunks]]


# RFC 9110 5.5 forbids all controls but HTAB. 0x85 is a new line to ``str.splitlines``: a header that holds
# one can smuggle another header past whoever decodes and splits it.
_HEAD_BYTES = bytes(c for c in range(256) if c in b"\t\r\n" or (c >= 0x20 and c not in (0x7F, 0x85)))


def has_forbidden_bytes(data: bytes | bytearray) -> bool:
    """Tell whether a head, or the beginning of one, holds what no head may hold.

    That is a control character, a CR or LF alone (RFC 9112 2.2), or a line that begins with
    white space (obs-fold, 5.2). A CR at the very end may still get its LF.
    """
    pairs = data.count(b"\r\n")
    return (
        bool(data.translate(None, _HEAD_BYTES))
        or data.count(b"\n") != pairs
        or data.count(b"\r") - data.endswith(b"\r") != pairs
        or b"\n " in data
        or b"\n\t" in data
    )
