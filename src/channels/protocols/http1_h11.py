"""HTTP/1.1 messages read by h11: the proven engine, one setting away, and the reader of very large heads.

h11 lets through, and this reader refuses: controls other than NUL, VT and FF in values, obs-fold, bare LF,
repeated or listed Content-Length (h11 folds them into one), and Content-Length beside Transfer-Encoding.
"""

from __future__ import annotations

import re

import h11

from channels.protocols.events import Headers
from channels.protocols.http1_message import MalformedMessage, RawHead, has_forbidden_bytes

_CONTENT_LENGTH = re.compile(rb"\r\nContent-Length:([^\r]*)", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\r\nTransfer-Encoding:", re.IGNORECASE)


class H11Reader:
    """Reads one message with ``h11.Connection``."""

    __slots__ = ("_engine",)

    def __init__(self) -> None:
        self._engine = h11.Connection(h11.SERVER)

    def read_head(self, head: bytes) -> RawHead:
        """Read a whole head; see :meth:`MessageReader.read_head`."""
        _check_what_h11_permits(head)
        try:
            self._engine.receive_data(head)
            event = self._engine.next_event()
        except h11.RemoteProtocolError as error:
            raise MalformedMessage(error.error_status_hint, "malformed request head") from None
        if type(event) is not h11.Request:  # a head that ends before its request line
            raise MalformedMessage(400, "malformed request line")
        return event.method, event.target, event.http_version, list(event.headers)

    def read_chunks(self, data: bytes) -> tuple[bytes, Headers | None]:
        """Undo the chunked coding; see :meth:`MessageReader.read_chunks`."""
        parts: list[bytes] = []
        try:
            self._engine.receive_data(data)
            event = self._engine.next_event()
            while type(event) is h11.Data:
                parts.append(bytes(event.data))
                event = self._engine.next_event()
        except h11.RemoteProtocolError:
            raise MalformedMessage(400, "malformed chunked coding", b"".join(parts)) from None
        trailers = list(event.headers) if type(event) is h11.EndOfMessage else None
        return b"".join(parts), trailers


def _check_what_h11_permits(head: bytes) -> None:
    if has_forbidden_bytes(head):
        raise MalformedMessage(400, "forbidden character in the request head")
    lengths = [value.strip(b" \t") for value in _CONTENT_LENGTH.findall(head)]
    if len(lengths) > 1 or (lengths and (not lengths[0].isdigit() or _TRANSFER_ENCODING.search(head))):
        raise MalformedMessage(400, "ambiguous message framing")
