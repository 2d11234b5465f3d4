"""The engine of our own: RFC 9113 with nothing made that is not needed to serve a request.

h2 answers every question that HTTP/2 can pose, for both sides, and takes longer for a request than the rest
of a server together. Here is what a server is asked: the states of streams (section 5.1) are two flags, the
windows (5.2) four numbers, and a frame costs one look at a table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from channels.protocols.events import Headers
from channels.protocols.http2.engine import (
    DECODED,
    DEFAULT_WINDOW,
    MAX_WINDOW,
    DataReceived,
    EngineEvent,
    FieldsReceived,
    HTTP2Limits,
    PingAnswered,
    StreamReset,
    TrailersReceived,
    WindowOpened,
    announced_settings,
    decoded_settings,
    unusable_settings,
)
from channels.protocols.http2.flow_control import ReceiveWindow, StreamState
from channels.protocols.http2.frame_checks import (
    check_connection,
    check_priority,
    check_size,
    content_length,
    unpadded,
    violation,
    window_fault,
)
from channels.protocols.http2.frames import (
    CONTINUATION,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ConnectionFault,
    RawFrame,
)
from channels.protocols.http2.hpack.decoder import FieldDecoder
from channels.protocols.http2.hpack.encoder import FieldEncoder

_ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_MIN_FRAME_SIZE, _MAX_FRAME_SIZE = 16_384, 2**24 - 1
#: Frames that one header block may be torn into.
_MAX_CONTINUATIONS = 64
#: Streams that we broke off, whose peers may still send what was on its way. More than a flood guard lets by.
_MAX_FORSAKEN = 1024
#: Gaps in the numbers of streams kept: to use one later is another error than to use one twice.
_MAX_SKIPPED = 32

_frame_head = Struct(">IBI").pack  # length and type in one number
_NOTHING: tuple[EngineEvent, ...] = ()
_WINDOW_OPENED = (WindowOpened(),)


class NativeEngine:
    """See :class:`channels.protocols.http2.engine.Engine`.

    Args:
        limits: what a peer may make us hold.
        upgrade_settings: the value of HTTP2-Settings, if the connection was upgraded from HTTP/1.1.

    Raises:
        ValueError: these are no settings.
    """

    __slots__ = (
        "_block",
        "_decoder",
        "_encoder",
        "_forsaken",
        "_last_stream",
        "_output",
        "_peer_window",
        "_receive",
        "_send_window",
        "_skipped",
        "_stream_window",
        "_streams",
        "max_frame_size",
    )

    def __init__(self, limits: HTTP2Limits, upgrade_settings: bytes | None = None) -> None:
        self.max_frame_size = _MIN_FRAME_SIZE
        self._decoder = FieldDecoder(DECODED * limits.max_header_bytes)
        self._encoder = FieldEncoder()
        self._streams: dict[int, StreamState] = {}
        self._forsaken: dict[int, None] = {}
        self._last_stream = -1
        self._skipped: deque[range] = deque(maxlen=_MAX_SKIPPED)
        self._block: tuple[RawFrame, list[bytes]] | None = None
        self._send_window = self._peer_window = DEFAULT_WINDOW
        self._stream_window = limits.stream_window
        self._receive = ReceiveWindow(limits.connection_window)
        self._output: list[bytes] = []
        if upgrade_settings is not None:
            self._upgrade(decoded_settings(upgrade_settings))
        settings = announced_settings(limits).items()
        self._write(SETTINGS, 0, 0, b"".join([Struct(">HI").pack(code, value) for code, value in settings]))
        if limits.connection_window > DEFAULT_WINDOW:
            self._write_window(0, limits.connection_window - DEFAULT_WINDOW)

    def _upgrade(self, settings: bytes) -> None:
        """Open stream 1 for the complete request that asked for the upgrade (RFC 7540 section 3.2)."""
        try:
            self._apply_settings(settings)
        except ConnectionFault as fault:
            raise unusable_settings(fault.reason) from None
        self._last_stream = 1
        self._streams[1] = StreamState(self._peer_window, self._stream_window, ended=True)

    # From the peer

    def receive_frame(self, frame: RawFrame) -> Sequence[EngineEvent]:
        """Take a frame of the peer."""
        if self._block is not None and frame.kind != CONTINUATION:
            raise violation("a frame in the middle of a header block")
        return read(self, frame) if (read := _READERS.get(frame.kind)) else _NOTHING

    def _read_headers(self, frame: RawFrame) -> Sequence[EngineEvent]:
        if not frame.stream_id & 1:
            raise violation("headers on a stream that is not the client's")
        block = frame.payload
        if frame.flags & (_PADDED | _PRIORITY):
            block = unpadded(frame, block)
            if frame.flags & _PRIORITY:
                check_priority(frame.stream_id, block)
                block = block[5:]
        if not frame.flags & _END_HEADERS:
            self._block = frame, [block]
            return _NOTHING
        return self._receive_fields(frame, block)

    def _read_continuation(self, frame: RawFrame) -> Sequence[EngineEvent]:
        if self._block is None or self._block[0].stream_id != frame.stream_id:
            raise violation("a continuation of nothing")
        first, parts = self._block
        if len(parts) > _MAX_CONTINUATIONS:
            raise violation("a header block in too many frames")
        parts.append(frame.payload)
        if not frame.flags & _END_HEADERS:
            return _NOTHING
        self._block = None
        return self._receive_fields(first, b"".join(parts))

    def _receive_fields(self, frame: RawFrame, block: bytes) -> Sequence[EngineEvent]:
        # Fields are decoded whatever becomes of their stream: all streams share one table (RFC 7541 2.2).
        fields = self._decoder.decode(block)
        stream_id, ended = frame.stream_id, frame.flags & END_STREAM != 0
        if stream_id > self._last_stream:
            if stream_id - self._last_stream > 2:
                self._skipped.append(range(self._last_stream + 2, stream_id, 2))
            self._last_stream = stream_id
            stream = self._streams[stream_id] = StreamState(
                self._peer_window, self._stream_window, ended=ended
            )
            if not ended:
                stream.body_left = content_length(fields)
            return (FieldsReceived(stream_id, fields, ended),)
        known = self._streams.get(stream_id)
        if known is None:
            if any(stream_id in skipped for skipped in self._skipped):
                raise violation("streams are opened in their order")
            return self._receive_late(stream_id, ended)
        if known.peer_ended:
            return self._break(stream_id, ErrorCodes.STREAM_CLOSED)
        if not ended or known.body_left:
            return self._break(stream_id, ErrorCodes.PROTOCOL_ERROR)
        self._end_request(stream_id, known)
        return (TrailersReceived(stream_id, fields),)

    def _read_data(self, frame: RawFrame) -> Sequence[EngineEvent]:
        stream_id, payload, ended = frame.stream_id, frame.payload, frame.flags & END_STREAM != 0
        size = len(payload)
        self._check_begun(stream_id)
        self._receive.take(size)
        stream = self._streams.get(stream_id)
        if stream is None:
            self.acknowledge(0, size)
            return self._receive_late(stream_id, ended)
        if stream.receive is None:
            self.acknowledge(0, size)
            return self._break(stream_id, ErrorCodes.STREAM_CLOSED)
        stream.receive.take(size)
        data = unpadded(frame, payload) if frame.flags & _PADDED else payload
        if stream.body_left is not None and not stream.promised(len(data), ended):
            self.acknowledge(0, size)
            return self._break(stream_id, ErrorCodes.PROTOCOL_ERROR)
        if ended:
            self._end_request(stream_id, stream)
        return (DataReceived(stream_id, data, size, ended),)

    def _receive_late(self, stream_id: int, ended: bool) -> Sequence[EngineEvent]:
        """Pass over what was on its way when we reset its stream; else it was closed (RFC 9113 5.1)."""
        if stream_id not in self._forsaken:
            raise ConnectionFault(ErrorCodes.STREAM_CLOSED, "a frame on a stream that is over")
        if ended:
            del self._forsaken[stream_id]
        return _NOTHING

    def _read_priority(self, frame: RawFrame) -> Sequence[EngineEvent]:
        check_size(frame, 5)
        if not frame.stream_id:
            raise violation("a priority of the connection")
        check_priority(frame.stream_id, frame.payload)
        return _NOTHING

    def _read_reset(self, frame: RawFrame) -> Sequence[EngineEvent]:
        check_size(frame, 4)
        self._check_begun(frame.stream_id)
        self._forsaken.pop(frame.stream_id, None)
        if self._streams.pop(frame.stream_id, None) is None:
            return _NOTHING
        return (StreamReset(frame.stream_id, by_peer=True),)

    def _read_settings(self, frame: RawFrame) -> Sequence[EngineEvent]:
        check_connection(frame)
        if frame.flags & _ACK:
            check_size(frame, 0)
            return _NOTHING
        payload = frame.payload
        if len(payload) % 6:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "settings that are none")
        self._apply_settings(payload)
        self._write(SETTINGS, _ACK, 0, b"")
        return _WINDOW_OPENED

    def _apply_settings(self, payload: bytes) -> None:
        for code, value in Struct(">HI").iter_unpack(payload):
            if code == SettingCodes.INITIAL_WINDOW_SIZE:
                self._move_windows(value)
            elif code == SettingCodes.MAX_FRAME_SIZE:
                if not _MIN_FRAME_SIZE <= value <= _MAX_FRAME_SIZE:
                    raise violation("an impossible size of frames")
                self.max_frame_size = value
            elif code == SettingCodes.HEADER_TABLE_SIZE:
                self._encoder.header_table_size = value
            elif code in (SettingCodes.ENABLE_PUSH, SettingCodes.ENABLE_CONNECT_PROTOCOL) and value > 1:
                raise violation("a switch that is neither on nor off")

    def _move_windows(self, size: int) -> None:
        """Move the windows of all streams with the initial one (RFC 9113 6.9.2)."""
        difference, self._peer_window = size - self._peer_window, size
        for stream in self._streams.values():
            stream.send_window += difference
        if max(size, *(stream.send_window for stream in self._streams.values()), 0) > MAX_WINDOW:
            raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")

    def _read_ping(self, frame: RawFrame) -> Sequence[EngineEvent]:
        check_connection(frame)
        check_size(frame, 8)
        if frame.flags & _ACK:
            return (PingAnswered(frame.payload),)
        self._write(PING, _ACK, 0, frame.payload)
        return _NOTHING

    def _read_goaway(self, frame: RawFrame) -> Sequence[EngineEvent]:
        """Refuse a short GOAWAY; a whole one never comes to an engine: ``HTTP2Connection`` takes it."""
        check_connection(frame)
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a goodbye that is too short")

    def _read_window_update(self, frame: RawFrame) -> Sequence[EngineEvent]:
        check_size(frame, 4)
        stream_id, increment = frame.stream_id, int.from_bytes(frame.payload, "big") & MAX_WINDOW
        if not stream_id:
            self._send_window += increment
            if not increment or self._send_window > MAX_WINDOW:
                raise window_fault(increment)
            return _WINDOW_OPENED
        self._check_begun(stream_id)
        if (stream := self._streams.get(stream_id)) is None:
            return _NOTHING
        stream.send_window += increment
        if not increment or stream.send_window > MAX_WINDOW:
            return self._break(stream_id, window_fault(increment).code)
        return _WINDOW_OPENED

    def _read_push(self, frame: RawFrame) -> Sequence[EngineEvent]:
        raise violation("a client cannot push")

    def _check_begun(self, stream_id: int) -> None:
        if stream_id > self._last_stream or not stream_id & 1:
            raise violation("a frame on a stream that nobody has opened")

    def _break(self, stream_id: int, code: int) -> Sequence[EngineEvent]:
        """Reset the stream of a peer that broke its rules (RFC 9113 5.4.2)."""
        self.reset_stream(stream_id, code)
        return (StreamReset(stream_id, by_peer=False),)

    def _end_request(self, stream_id: int, stream: StreamState) -> None:
        stream.peer_ended = True
        stream.receive = None
        if stream.we_ended:
            del self._streams[stream_id]

    # To the peer

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        output = self._output
        if not output:
            return b""
        self._output = []
        return b"".join(output)

    def window(self, stream_id: int) -> int:
        """How many bytes of a body the peer takes."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else min(self._send_window, stream.send_window)

    def acknowledge(self, stream_id: int, amount: int) -> None:
        """Open the windows again."""
        if increment := self._receive.give_back(amount):
            self._write_window(0, increment)
        stream = self._streams.get(stream_id)
        if stream and stream.receive and (increment := stream.receive.give_back(amount)):
            self._write_window(stream_id, increment)

    def send_headers(self, stream_id: int, fields: Headers, *, end: bool) -> None:
        """Write fields; a block that is larger than a frame goes in several."""
        block, size = self._encoder.encode(fields), self.max_frame_size
        flags = END_STREAM if end else 0
        if len(block) <= size:
            self._write(HEADERS, flags | _END_HEADERS, stream_id, block)
        else:
            self._write(HEADERS, flags, stream_id, block[:size])
            for start in range(size, len(block), size):
                flags = _END_HEADERS if start + size >= len(block) else 0
                self._write(CONTINUATION, flags, stream_id, block[start : start + size])
        if end:
            self._end_response(stream_id)

    def send_data(self, stream_id: int, data: bytes, *, end: bool) -> None:
        """Write a frame of a body."""
        size = len(data)
        self._send_window -= size
        self._streams[stream_id].send_window -= size
        self._write(DATA, END_STREAM if end else 0, stream_id, data)
        if end:
            self._end_response(stream_id)

    def reset_stream(self, stream_id: int, code: int) -> None:
        """Break a stream off."""
        stream = self._streams.pop(stream_id, None)
        self._write(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))
        if stream is not None and not stream.peer_ended:
            if len(self._forsaken) >= _MAX_FORSAKEN:
                del self._forsaken[next(iter(self._forsaken))]
            self._forsaken[stream_id] = None

    def ping(self, data: bytes) -> None:
        """Ask the peer to answer."""
        self._write(PING, 0, 0, data)

    def _end_response(self, stream_id: int) -> None:
        stream = self._streams[stream_id]
        stream.we_ended = True
        if stream.peer_ended:
            del self._streams[stream_id]

    def _write(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self._output += (_frame_head(len(payload) << 8 | kind, flags, stream_id), payload)

    def _write_window(self, stream_id: int, increment: int) -> None:
        self._write(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


_READERS: dict[int, Callable[[NativeEngine, RawFrame], Sequence[EngineEvent]]] = {
    DATA: NativeEngine._read_data,
    HEADERS: NativeEngine._read_headers,
    PRIORITY: NativeEngine._read_priority,
    RST_STREAM: NativeEngine._read_reset,
    SETTINGS: NativeEngine._read_settings,
    PUSH_PROMISE: NativeEngine._read_push,
    PING: NativeEngine._read_ping,
    GOAWAY: NativeEngine._read_goaway,
    WINDOW_UPDATE: NativeEngine._read_window_update,
    CONTINUATION: NativeEngine._read_continuation,
}
