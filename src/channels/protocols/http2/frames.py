"""Where HTTP/2 frames begin and end (RFC 9113 section 4), and how many of the useless kind a peer may send.

The engine reads frames; this is what stands before it. Given one frame at a time, it can lose no event of the
frames before a bad one, and floods are noticed before they have cost anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from h2.errors import ErrorCodes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0x0, 0x1, 0x2, 0x3, 0x4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x5, 0x6, 0x7, 0x8, 0x9
GOAWAY_SIZE = 17  # without anything for people to read

END_STREAM = 0x1
ACK = 0x1
_MAX_FRAME_SIZE = 16_384  # what we advertise: the smallest that is allowed
_HEAD_SIZE = 9
_head_of = Struct(">IBI").unpack_from  # length and type in one number
# What carries no request and no body: needed now and then, a flood if there is nothing else.
_SMALL_DATA_WINDOWS = 10
_USEFUL = frozenset({DATA, HEADERS, CONTINUATION, RST_STREAM})


class ConnectionFault(Exception):
    """The peer's fault; the connection ends with GOAWAY.

    Args:
        code: the error code (RFC 9113 section 7).
        reason: one sentence; never the peer's bytes.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class RawFrame:
    """A whole frame, not understood yet.

    Attributes:
        kind: its type.
        flags: its flags.
        stream_id: its stream.
        data: all its bytes.
        payload: those behind its head.
    """

    kind: int
    flags: int
    stream_id: int
    data: bytes
    payload: bytes


class FrameSplitter:
    """Cuts what a peer sends into frames.

    Args:
        max_block: bytes that the frames of one header block may have together.
    """

    __slots__ = ("_block", "_buffer", "_expects_preface", "_expects_settings", "_max_block")

    def __init__(self, max_block: int) -> None:
        self._max_block = max_block
        self._buffer = bytearray()
        self._block = 0
        self._expects_preface = True
        self._expects_settings = True

    @property
    def buffered(self) -> int:
        """Bytes of frames that were not taken yet."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take what the peer sent."""
        self._buffer += data

    def clear(self) -> None:
        """Forget what was not taken."""
        self._buffer.clear()

    def next_frame(self) -> RawFrame | None:
        """Return the next frame, the first one with the preface before it; None if more must come first.

        Raises:
            ConnectionFault: this is no HTTP/2, or a frame or a header block is too large.
        """
        start = len(PREFACE) if self._expects_preface else 0
        buffer = self._buffer
        if start and buffer[:start] != PREFACE[: len(buffer)]:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "the connection does not begin as HTTP/2 does")
        if len(buffer) < start + _HEAD_SIZE:
            return None
        size, flags, stream_id = _head_of(buffer, start)
        size, kind = size >> 8, size & 0xFF
        if size > _MAX_FRAME_SIZE or self._expects_settings:
            self._judge(kind, flags, size)
        end = start + _HEAD_SIZE + size
        if len(buffer) < end:
            return None
        data = bytes(buffer[:end])
        del buffer[:end]
        frame = RawFrame(kind, flags, stream_id & 0x7FFF_FFFF, data, data[start + _HEAD_SIZE :])
        self._expects_preface = self._expects_settings = False
        self._count_block(kind, size)
        return frame

    def _judge(self, kind: int, flags: int, size: int) -> None:
        if size > _MAX_FRAME_SIZE:
            raise ConnectionFault(
                ErrorCodes.FRAME_SIZE_ERROR, f"a frame is larger than {_MAX_FRAME_SIZE} bytes"
            )
        if self._expects_settings and (kind != SETTINGS or flags & ACK):
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "the first frame is not SETTINGS")

    def _count_block(self, kind: int, size: int) -> None:
        if kind == CONTINUATION:
            self._block += size
            if self._block > self._max_block:
                raise ConnectionFault(
                    ErrorCodes.ENHANCE_YOUR_CALM, f"a header block is larger than {self._max_block} bytes"
                )
        else:
            self._block = size


class FloodGuard:
    """Counts the frames that cost us and serve nobody, within one window of time.

    Time is not ours to know: whoever has a clock calls :meth:`start_window`.

    Args:
        max_control_frames: of PING, SETTINGS, PRIORITY, WINDOW_UPDATE, unknown and empty frames.
        max_resets: of streams that ended in RST_STREAM, whoever had to send it.
        max_small_data: of DATA frames with next to nothing in them; ten windows' worth may come at once.
            0 for no limit.
    """

    __slots__ = (
        "_control_frames",
        "_max_control_frames",
        "_max_resets",
        "_max_small_data",
        "_resets",
        "_small_data",
    )

    def __init__(self, max_control_frames: int, max_resets: int, max_small_data: int = 0) -> None:
        self._max_control_frames = max_control_frames
        self._max_resets = max_resets
        self._max_small_data = max_small_data
        self._small_data = 0
        self.start_window()

    def start_window(self) -> None:
        """Begin to count anew."""
        self._control_frames = self._resets = 0
        self._small_data = max(0, self._small_data - self._max_small_data)

    def data_sent(self) -> None:
        """Allow two WINDOW_UPDATEs for a DATA frame of ours: that of the stream, that of the connection."""
        self._control_frames = max(0, self._control_frames - 2)

    def frame_received(self, frame: RawFrame) -> None:
        """Count a frame of the peer.

        Raises:
            ConnectionFault: there were too many.
        """
        if frame.kind not in _USEFUL or (len(frame.data) == _HEAD_SIZE and not frame.flags & END_STREAM):
            self.empty_frame()
        if frame.kind == RST_STREAM:
            self.stream_reset()

    def empty_frame(self) -> None:
        """Count a frame without use; see :meth:`frame_received`."""
        self._control_frames += 1
        if self._control_frames > self._max_control_frames:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def small_data(self) -> None:
        """Count a DATA frame that costs more than it brings; see :meth:`frame_received`."""
        self._small_data += 1
        if self._small_data > _SMALL_DATA_WINDOWS * self._max_small_data > 0:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "too many small DATA frames")

    def stream_reset(self) -> None:
        """Count a stream that the peer gave up or made us give up; see :meth:`frame_received`."""
        self._resets += 1
        if self._resets > self._max_resets:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "too many streams were reset")
