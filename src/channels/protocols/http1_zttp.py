"""HTTP/1.1 messages read by zttp: the fast engine.

Refused by zttp itself: bare CR and LF, obs-fold, controls, a missing or repeated Host, Content-Length beside
Transfer-Encoding. Let through, and looked for here or in :mod:`channels.protocols.http1_head`: 0x85, a
Host that is none, non-ASCII in the target, equal Content-Lengths, codings before "chunked" or in HTTP/1.0.
"""

from __future__ import annotations

import zttp

from channels.protocols.events import Headers
from channels.protocols.http1_message import MalformedMessage, RawHead

#: What zttp takes at most; not to be set from outside. A head beyond is for another engine.
MAX_HEAD_BYTES = 16_384
MAX_HEAD_FIELDS = 100


class ZttpReader:
    """Reads one message with ``zttp.H1Connection``."""

    __slots__ = ("_engine",)

    def __init__(self) -> None:
        self._engine = zttp.H1Connection(zttp.SERVER)

    def read_head(self, head: bytes) -> RawHead:
        """Read a whole head; see :meth:`MessageReader.read_head`."""
        if b"\x85" in head:
            raise MalformedMessage(400, "forbidden character in the request head")
        try:
            event = self._engine.receive_event(head)
        except zttp.RemoteProtocolError as error:
            raise MalformedMessage(400, str(error)) from None
        if type(event) is not zttp.Request:  # a head that ends before its request line
            raise MalformedMessage(400, "malformed request line")
        # In H1Connection ``headers`` always is a HeaderBlock; lists come from HTTP/2 and 3 only.
        headers = event.headers.to_list(lowercase_names=True)  # type: ignore[union-attr]
        return event.method, event.target, event.http_version, headers

    def read_chunks(self, data: bytes) -> tuple[bytes, Headers | None]:
        """Undo the chunked coding; see :meth:`MessageReader.read_chunks`."""
        parts: list[bytes] = []
        trailers: Headers | None = None
        try:
            event = self._engine.receive_event(data)
            while type(event) is zttp.Data:
                parts.append(event.data)
                event = self._engine.next_event()  # type: ignore[assignment]  # HTTP/2 events never occur
        except zttp.RemoteProtocolError:
            raise MalformedMessage(400, "malformed chunked coding", b"".join(parts)) from None
        if type(event) is zttp.EndOfMessage:
            trailers = [(name.lower(), value) for name, value in event.trailers]
        return b"".join(parts), trailers
