"""HTTP/1.1, the server's side of one connection (RFC 9112): bytes in, events out, and back.

The reading half is here, the writing half in :mod:`channels.protocols.http1.response`. This class owns
the bytes: it finds the end of each head, counts each body, and keeps what lies behind them for the next
request. A library (:mod:`channels.protocols.http1.engines`) reads each head and each chunk;
:mod:`channels.protocols.http.semantics` judges them. More than 400 lines: what cuts a body into pieces
has to be seen beside what bounds it.
"""

from __future__ import annotations

import enum
import sys
from collections import defaultdict
from dataclasses import dataclass

from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    Event,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http.malformed import MalformedMessage, ReadChunks, ReadHead
from channels.protocols.http.semantics import (
    CHUNKED,
    explain_rejection,
    interpret_head,
    judge_trailers,
    scan_head,
)
from channels.protocols.http.underscores import has_underscores, left_out, without_underscores
from channels.protocols.http1.engines import http1_engine
from channels.protocols.http1.head_cache import HeadCache
from channels.protocols.http1.response import ResponseWriter

# Chunk sizes, extensions and trailers may take this much, and 16 bytes more for each byte of the body:
# enough for a body in chunks of one byte, too little for a flood of extensions.
_CHUNK_OVERHEAD = 16_384
_CHUNK_OVERHEAD_PER_BYTE = 16
_CHUNK_FRAMING = 5  # bytes: the least that a chunk takes beside its own
_SMALL_CHUNK = 64  # bytes: a smaller one costs more than it brings
# How much of a body in chunks is read at once, in bytes: the first of these in which few enough lines end.
# That bounds by how much one piece overruns ``frames_left``, and large chunks are not cut.
_PIECES, _SMALL_PIECE = (131_072, 16_384), 1024
_MANY_LINES = 256

#: By the engine that has read them, so that each answers for itself.
_known_blocks: defaultdict[ReadHead, HeadCache] = defaultdict(HeadCache)


@dataclass(frozen=True, slots=True)
class HTTP1Limits:
    """What a peer may make us hold before anybody has seen its request.

    Attributes:
        max_target: bytes of the request target; more is answered 414.
        max_header_bytes: bytes of the whole head, request line included; more is answered 431.
        max_headers: fields in a head; more is answered 431.
        underscores: whether fields with an underscore in their names are told of.
    """

    max_target: int = 8192
    max_header_bytes: int = 65_536
    max_headers: int = 100
    underscores: bool = False


class _Reading(enum.Enum):
    """What the next bytes of the peer are."""

    HEAD = "a request head"
    LENGTH = "a body whose length is known"
    CHUNKS = "a body that tells when it ends"
    NEXT = "the next request, for which start_next_cycle() must be called"
    NOTHING = "worth nothing: the connection is over"


_HEAD, _LENGTH, _CHUNKS, _NEXT, _NOTHING = _Reading


class HTTP1Connection(ResponseWriter):
    """An HTTP/1.1 connection as the server sees it.

    Feed it with ``receive_data``, take events with ``next_event`` until there is none, write with the
    ``send_*`` methods, put ``data_to_send()`` on the wire. It takes one request at a time: when request and
    response are complete and ``keep_alive`` is true, ``start_next_cycle()`` goes on to the next.

    Args:
        limits: what a peer may make us hold.
        require_host: refuse an HTTP/1.1 request without Host, as RFC 9112 3.2 demands. Only
            test servers whose clients send none have a reason to set it to False.
        engine: who reads the bytes, "zttp" or "h11"; None for the best that is installed.

    Attributes:
        frames_left: how many chunks ``next_event`` may still read, about; what is left stays in the buffer.
            Whoever feeds it sets it.
        facts: what is to be counted; whoever feeds it takes them.
        small_chunks: how many came of less than 64 bytes, about. Whoever limits them sets it back.
    """

    __slots__ = (
        "_body_bytes",
        "_body_left",
        "_buffer",
        "_eof_untold",
        "_known",
        "_limits",
        "_overhead",
        "_pending",
        "_read_chunk",
        "_read_head",
        "_reading",
        "_require_host",
        "_scanned",
        "_skip_empty_line",
        "_stream_id",
        "_tail",
        "frames_left",
        "small_chunks",
    )

    def __init__(
        self,
        limits: HTTP1Limits = HTTP1Limits(),
        *,
        require_host: bool = True,
        engine: str | None = None,
    ) -> None:
        super().__init__()
        self._limits = limits
        self._require_host = require_host
        self._read_head = http1_engine(engine)
        self._known = _known_blocks[self._read_head]
        self._stream_id = 0
        self._buffer: bytes | bytearray = b""
        self._eof_untold = False
        self.frames_left = sys.maxsize
        self.small_chunks = 0
        self._expect_head()

    def _expect_head(self) -> None:
        self._reading = _HEAD
        self._read_chunk: ReadChunks | None = None
        self._pending: Event | None = None
        self._scanned = 0
        self._skip_empty_line = True

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow the current one, as far as it can be known by now."""
        return self._persistent and self._reading is not _NOTHING

    @property
    def buffered(self) -> int:
        """Bytes received that no event has told of yet; stop reading when it grows."""
        return len(self._buffer)

    @property
    def has_more(self) -> bool:
        """Whether the peer has sent or done something that no event has told of yet."""
        return bool(self._buffer) or self._eof_untold

    @property
    def request_ended(self) -> bool:
        """Whether the current request is complete."""
        return self._reading is _NEXT

    def receive_data(self, data: bytes) -> None:
        """Take what the peer sent; b"" when it will send no more."""
        if not data:
            self._eof_untold = True
        elif self._reading is _NOTHING:
            return
        elif not self._buffer:
            self._buffer = data
        else:
            if type(self._buffer) is bytes:
                self._buffer = bytearray(self._buffer)  # grows without being copied for each drip
            self._buffer += data

    def receive_known(self, data: bytes) -> RequestReceived | None:
        """Take what the peer sent, if it is the whole head of a request, and its header lines are known.

        Returns:
            The request. None: nothing was taken, as this side has to read ``data`` (:meth:`receive_data`).
        """
        if self._reading is not _HEAD or self._buffer or len(data) > self._limits.max_target:
            return None
        if not data.endswith(b"\r\n\r\n"):  # a body is behind it, or not all has come
            return None
        found = self._known.find(data, self._stream_id + 1)
        # Another connection may have taken it by other limits.
        if found is None or len(found[0].headers) > self._limits.max_headers:
            return None
        event, length, self._persistent = found
        self._stream_id = event.stream_id
        self._head_only = event.method == "HEAD"
        if length:
            self._await_body(length)
        else:
            self._reading = _NEXT
        return event

    def next_event(self) -> Event | None:
        """Return what the peer said next.

        None means that more of it must come first, or that this side must complete its response and call
        ``start_next_cycle()``. After ProtocolViolated, StreamClosed and ConnectionClosed nothing more comes.
        """
        if self._pending is not None:
            return self._take_pending(self._pending)
        try:
            event = None
            if self._buffer:
                event = self._receive_head() if self._reading is _HEAD else self._receive_body()
            if event is None and self._eof_untold:
                event = self._tell_eof()
        except MalformedMessage as error:
            event = self._give_up(ProtocolViolated(error.status, error.reason))
        return event

    def start_next_cycle(self) -> None:
        """Go on to the next request.

        Raises:
            RuntimeError: request or response are not complete, or the connection must be closed.
        """
        if self._reading is not _NEXT or not self.response_ended or not self._persistent:
            raise RuntimeError(
                f"No next request on this connection: request ended: {self.request_ended}, "
                f"response ended: {self.response_ended}, keep-alive: {self.keep_alive}."
            )
        self._expect_response()
        self._expect_head()

    def trailing_data(self) -> bytes:
        """Return and clear what the peer sent behind its request: the next protocol's, after an upgrade."""
        data, self._buffer = bytes(self._buffer), b""
        return data

    def _give_up(self, event: Event) -> Event:
        self._reading = _NOTHING
        self._persistent = False
        self._buffer = b""
        self._read_chunk = None
        return event

    def _take_pending(self, event: Event) -> Event:
        self._pending = None
        if isinstance(event, ProtocolViolated):
            return self._give_up(event)
        self._reading = _NEXT
        self._read_chunk = None
        return event

    def _receive_body(self) -> Event | None:
        if self._reading is _LENGTH:
            return self._receive_length()
        if self._reading is _CHUNKS:
            return self._receive_chunks()
        return None

    def _tell_eof(self) -> Event | None:
        """Tell once that the peer is gone, as the event that says what it means for the current request."""
        if self._buffer and (self._reading is _NEXT or self._reading is _CHUNKS):
            return None  # requests that it sent ahead come first, and the chunks that are left
        self._eof_untold = False
        if self._reading is _NOTHING:
            return None
        if self._reading is _NEXT:
            self._persistent = False
            return ConnectionClosed()
        if self._reading is not _HEAD:
            return self._give_up(StreamClosed(self._stream_id))
        if self._buffer and self._buffer != b"\r":
            raise MalformedMessage(400, "the connection ended inside a request head")
        return self._give_up(ConnectionClosed())

    def _take(self, size: int) -> bytes:
        data = self._buffer
        if size == len(data):
            self._buffer = b""
            return bytes(data)
        if type(data) is bytes:
            self._buffer = data = bytearray(data)  # cuts its front off without a copy of the rest
        taken = bytes(data[:size])
        del data[:size]  # type: ignore[union-attr]
        return taken

    def _receive_head(self) -> Event | None:
        # RFC 9112 2.2: an empty line before the request line is ignored; only one, or a flood would be free.
        if self._skip_empty_line and self._buffer != b"\r":
            self._skip_empty_line = False
            if self._buffer.startswith(b"\r\n"):
                self._take(2)
                self._scanned = 0
        end = self._buffer.find(b"\r\n\r\n", self._scanned - 3 if self._scanned > 3 else 0) + 4
        complete, limits = end >= 4, self._limits
        if not complete or end > limits.max_target:
            head = self._buffer[:end] if complete else self._buffer
            error = scan_head(head, self._scanned, limits.max_target, limits.max_header_bytes)
            if error is not None:
                raise error
        if complete:
            return self._begin_request(self._take(end))
        self._scanned = len(self._buffer)
        return None

    def _begin_request(self, head: bytes) -> Event:
        limits = self._limits
        self._stream_id += 1
        found = self._known.find(head, self._stream_id)
        if (
            found is None
            or len(found[0].target) > limits.max_target
            or len(found[0].headers) > limits.max_headers
        ):
            found = self._read_request(head, limits)
        event, length, self._persistent = found
        self._head_only, self._modern = event.method == "HEAD", event.http_version == "1.1"
        self._await_body(length)
        return event

    def _read_request(self, head: bytes, limits: HTTP1Limits) -> tuple[RequestReceived, int, bool]:
        """Have the engine read a head, and judge it; returns what :meth:`HeadCache.find` does."""
        # Both engines insist on Host. Where it is not required they are shown one, which is taken out again.
        host_added = not self._require_host and b"\r\nhost:" not in head.lower()
        max_headers = limits.max_headers + host_added
        shown = head.replace(b"\r\n", b"\r\nHost: a\r\n", 1) if host_added else head
        try:
            raw, self._read_chunk = self._read_head(shown)
        except MalformedMessage:
            screened = scan_head(shown, 0, limits.max_target, limits.max_header_bytes)
            raise screened or explain_rejection(shown, limits.max_target, max_headers) from None
        event, length, persistent = interpret_head(raw, self._stream_id, limits.max_target, max_headers)
        if host_added:
            del event.headers[0]
        if b"_" in head and has_underscores(event.headers):
            if not limits.underscores:
                headers, event.headers = event.headers, without_underscores(event.headers)
                self.facts += (left_out(headers, event.headers),)
        elif not host_added:
            self._known.remember(head, event, persistent)
        return event, length, persistent

    def _await_body(self, length: int) -> None:
        self._body_left = length
        if length == CHUNKED:
            self._reading = _CHUNKS
            self._tail, self._overhead, self._body_bytes = b"", 0, 0
        else:
            self._reading = _LENGTH if length else _NEXT
            self._read_chunk = None

    def _receive_length(self) -> Event:
        data = self._take(min(self._body_left, len(self._buffer)))
        self._body_left -= len(data)
        if not self._body_left:
            self._pending = BodyEnded(self._stream_id)
        return BodyReceived(self._stream_id, data)

    def _receive_chunks(self) -> Event | None:
        """Read the chunks that are there, as many as ``frames_left`` lets through, as one event."""
        parts: list[bytes] = []
        while self._buffer and self._pending is None and self.frames_left > 0:
            parts.append(self._read_piece(self._take(self._next_cut())))
        data = b"".join(parts)
        if data:
            return BodyReceived(self._stream_id, data)
        return self._take_pending(self._pending) if self._pending is not None else None

    def _next_cut(self) -> int:
        """Where the body may end at the earliest, within one piece.

        A body in chunks always ends with an empty line. Cut there, the reader never sees
        a byte of what follows, and nobody needs to ask it how much it left.
        """
        seam = self._tail + self._buffer[:3]
        end = seam.find(b"\r\n\r\n")
        if end >= 0:
            return end + 4 - len(self._tail)
        size = len(self._buffer)
        if size > _SMALL_PIECE:
            size = self._piece_size(size)
        end = self._buffer.find(b"\r\n\r\n", 0, size)
        return end + 4 if end >= 0 else size

    def _piece_size(self, available: int) -> int:
        """How much of a body in chunks may be read at once, by how many lines end in it."""
        buffer = self._buffer
        for size in _PIECES:
            # Take line ends out until there are too many: it takes a tenth of the time of ``count``.
            part = buffer if available <= size else buffer[:size]
            if len(part) - len(part.replace(b"\n", b"", _MANY_LINES + 1)) <= _MANY_LINES:
                return len(part)
        return _SMALL_PIECE

    def _read_piece(self, piece: bytes) -> bytes:
        assert self._read_chunk is not None  # set with the head, until the body has ended
        self._tail = (self._tail + piece[-3:])[-3:]
        data = b""
        try:
            data, trailers = self._read_chunk(piece)
            self._count_chunks(len(piece) - len(data), len(data))
            if trailers is not None:
                judge_trailers(trailers)
                self._pending = BodyEnded(self._stream_id, trailers)
        except MalformedMessage as error:
            data = data or error.data  # what came before the offence counts, whoever found it
            self._pending = ProtocolViolated(error.status, error.reason)
        return data

    def _count_chunks(self, overhead: int, data: int) -> None:
        chunks = overhead // _CHUNK_FRAMING
        self.frames_left -= chunks
        small = chunks - data // _SMALL_CHUNK
        if small > 0:
            self.small_chunks += small
        self._body_bytes += data
        self._overhead += overhead
        if self._overhead > _CHUNK_OVERHEAD + _CHUNK_OVERHEAD_PER_BYTE * self._body_bytes:
            raise MalformedMessage(400, "chunk extensions or trailers are too large")
