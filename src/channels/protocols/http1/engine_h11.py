"""HTTP/1.1 messages read by h11: the proven engine, one setting away, and the reader of very large heads.

h11 lets through, and this module refuses: controls other than NUL, VT and FF in values, obs-fold, bare LF,
repeated or listed Content-Length (h11 folds them into one), and Content-Length beside Transfer-Encoding.
Bodies in chunks are left to :mod:`channels.protocols.http1.chunked`, which says why.
"""

from __future__ import annotations

import re

import h11

from channels.protocols.http.malformed import MalformedMessage, RawHead, ReadChunks, has_forbidden_bytes
from channels.protocols.http1.chunked import ChunkReader

_CONTENT_LENGTH = re.compile(rb"\r\nContent-Length:([^\r]*)", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\r\nTransfer-Encoding:", re.IGNORECASE)


def read_head(head: bytes) -> tuple[RawHead, ReadChunks]:
    """Read a whole head with an ``h11.Connection`` of its own; see :data:`ReadHead`."""
    _check_what_h11_permits(head)
    engine = h11.Connection(h11.SERVER)
    try:
        engine.receive_data(head)
        event = engine.next_event()
    except h11.RemoteProtocolError as error:
        raise MalformedMessage(error.error_status_hint, "malformed request head") from None
    if type(event) is not h11.Request:  # a head that ends before its request line
        raise MalformedMessage(400, "malformed request line")
    raw = event.method, event.target, event.http_version, list(event.headers)
    return raw, ChunkReader()


def _check_what_h11_permits(head: bytes) -> None:
    if has_forbidden_bytes(head):
        raise MalformedMessage(400, "forbidden character in the request head")
    lengths = [value.strip(b" \t") for value in _CONTENT_LENGTH.findall(head)]
    if len(lengths) > 1 or (lengths and (not lengths[0].isdigit() or _TRANSFER_ENCODING.search(head))):
        raise MalformedMessage(400, "ambiguous message framing")
