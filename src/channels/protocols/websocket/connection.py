"""An open WebSocket, the server's side (RFC 6455): bytes in, messages out, and back.

Frames are read by the ``websockets`` package (its public ``Frame`` and ``Close``). This module keeps the
state of the connection, bounds what a peer can make us hold, and closes with the code that says why.
More than 400 lines: a frame passes from one method to the next.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode, apply_mask  # type: ignore[attr-defined]

from channels.protocols.events import CloseReceived, Fact, MessageReceived, PongReceived
from channels.protocols.websocket.fragments import FragmentedMessage
from channels.protocols.websocket.frames import (
    MAX_CONTROL_SIZE,
    PLAIN_CLOSES,
    control_frame,
    encode_message,
)
from channels.protocols.websocket.limits import WebSocketLimits
from channels.protocols.websocket.permessage_deflate import (
    Compression,
    DeflateParameters,
    Deflater,
    Inflater,
    InvalidDeflate,
)

_MAX_REASON_BYTES = MAX_CONTROL_SIZE - 2
_MAX_LENGTH = 2**63 - 1  # RFC 6455 5.2: the highest bit of a length must be 0
_MAX_UNSENT_PONGS = 16
_DEFAULT_LIMITS = WebSocketLimits()
_SMALL_FRAGMENT = 64  # bytes: a smaller one costs more than it brings
_COST_SHIFT = 12  # a frame counts once more for each 4 KiB of its payload, inflated
_TEXT, _BINARY, _CLOSE = 0x81, 0x82, 0x88
_SMALL = (_TEXT, _BINARY, _CLOSE)  # first byte of what is in one frame, not compressed
_MASKED = 0x80
#: The first two bytes of a short masked message in one frame, by the size of its payload.
_TEXT_HEADS = tuple(bytes((_TEXT, _MASKED | size)) for size in range(MAX_CONTROL_SIZE + 1))
_BINARY_HEADS = tuple(bytes((_BINARY, _MASKED | size)) for size in range(MAX_CONTROL_SIZE + 1))


class _Violation(Exception):
    """The peer broke a rule; ``code`` and ``reason`` go into the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WebSocketConnection:
    """An open WebSocket as the server sees it.

    Feed it with ``receive_data``, take events with ``next_event`` until there is none, and put
    ``data_to_send()`` on the wire after each call: it answers pings and close frames by itself. Frames are
    read when events are taken: until then they are bytes, and ``buffered`` says how many.

    Args:
        limits: what the peer may make us hold.
        deflate: what was agreed about compression in the handshake; None: there is none.

    Attributes:
        facts: what is to be counted; whoever feeds it takes them.
        output: what waits to be written; to be looked at, and taken with ``data_to_send()``.
        plain: a text message is what ``text_frame`` makes of it and nothing else: it is not compressed,
            nobody has closed, and nothing is to be written before it.
        frames_left: how many frames ``next_event`` may still read, large ones counted as several; what is
            left stays in the buffer. Whoever feeds it sets it.
        control_frames: how many came that bring nothing: pings, pongs, fragments of less than 64 bytes, and
            what comes behind our close. Whoever limits them sets it back.
    """

    __slots__ = (
        "_between",
        "_buffer",
        "_close_received",
        "_close_sent",
        "_deflater",
        "_eof",
        "_fragments",
        "_frame",
        "_inflater",
        "_limits",
        "_offset",
        "_over",
        "_pong_at",
        "_small",
        "_unsent_pongs",
        "control_frames",
        "facts",
        "frames_left",
        "output",
        "plain",
    )

    def __init__(
        self, limits: WebSocketLimits = _DEFAULT_LIMITS, deflate: DeflateParameters | None = None
    ) -> None:
        self._limits = limits
        self._deflater = Deflater(deflate.outgoing) if deflate is not None else None
        self._inflater = [Inflater(deflate)] if deflate is not None else None
        self._small = limits.small
        self._buffer: bytes | bytearray = b""
        self._offset = 0
        self._frame: Generator[None, None, Frame] | None = None
        self._fragments: FragmentedMessage | None = None
        self.frames_left = sys.maxsize
        self.control_frames = 0
        self.output: list[bytes] = []
        self.facts: tuple[Fact, ...] = ()
        self._unsent_pongs = 0
        self._pong_at = 0
        #: Nothing is half read, and nobody has closed.
        self._between = True
        self.plain = deflate is None
        self._close_sent = self._close_received = self._eof = self._over = False

    @property
    def compression(self) -> Compression | None:
        """How messages to this peer are compressed: for ``encode_message``; None if they are not."""
        return self._deflater.compression if self._deflater is not None else None

    @property
    def closing(self) -> bool:
        """Whether a close frame was sent or received: no message leaves any more."""
        return self._close_sent or self._close_received

    @property
    def closed(self) -> bool:
        """Whether both directions are done: once the output is written the transport may be closed."""
        return self._over

    @property
    def has_more(self) -> bool:
        """Whether bytes are left that no event has told of, perhaps a part of a frame."""
        return self._offset < len(self._buffer)

    @property
    def buffered(self) -> int:
        """Bytes held: those that no event has told of yet, and the fragments of an incomplete message."""
        return len(self._buffer) - self._offset + len(self._fragments or b"")

    def receive_data(self, data: bytes) -> None:
        """Take what the peer sent; after the end of the WebSocket it is ignored."""
        if self._over:
            return
        self._between = False
        if self._offset == len(self._buffer):
            self._buffer, self._offset = data, 0
            return
        if type(self._buffer) is bytes:
            self._buffer = bytearray(self._buffer)  # grows without being copied for each drip
        if len(data) < _SMALL_FRAGMENT:
            self.control_frames += 1  # a frame in tiny pieces costs as much as tiny frames
        del self._buffer[: self._offset]  # type: ignore[union-attr]
        self._offset = 0
        self._buffer += data

    def whole_message(self, data: bytes) -> str | bytes | None:
        """Return the message that ``data`` is, if it is one short frame with nothing before it or behind it.

        That is what most peers send nearly every time, and costs a third of what ``receive_data`` and
        ``next_event`` do (row "echo" of the benchmarks).

        Args:
            data: what the peer sent.

        Returns:
            None for anything else, of which nothing was taken: it is to be given to ``receive_data``.
        """
        size = len(data) - 6
        if self._between and 0 <= size <= self._small:
            if data.startswith(_TEXT_HEADS[size]):
                try:
                    return apply_mask(data[6:], data[2:6]).decode()
                except UnicodeDecodeError:
                    return None
            if data.startswith(_BINARY_HEADS[size]):
                return apply_mask(data[6:], data[2:6])
        return None

    def receive_eof(self) -> None:
        """Note that the peer will send nothing more."""
        self._eof = True

    def next_event(self) -> MessageReceived | PongReceived | CloseReceived | None:
        """Return what the peer said next; None if more must come, no frame is left to it, or it is over."""
        if self._offset == len(self._buffer) and not self._eof:
            in_progress = self._frame is not None or self._fragments is not None
            self._between = not (in_progress or self._close_sent or self._over)
            return None
        event: MessageReceived | PongReceived | CloseReceived | None = None
        try:
            while event is None and not self._over:
                if self.frames_left <= 0:
                    return None
                self.frames_left -= 1
                event = self._read_small()
                if event is None:
                    frame = self._read_frame()
                    if frame is None:
                        return self._end(1006) if self._eof else None
                    event = self._handle(frame)
        except _Violation as error:
            self._send_close(error.code, error.reason)
            event = self._end(error.code, error.reason)
        return event

    def send_message(self, data: str | bytes) -> None:
        """Write a message; see :func:`encode_message` for what it may be and raises."""
        if self._close_sent or self._close_received:
            encode_message(data)  # what is wrong with it is wrong all the same
            self.facts += (Fact("protocols.late_frame"),)
        else:
            self._put_out(encode_message(data, self._deflater))

    def message_to_send(self, data: str | bytes) -> bytes:
        """Write a message and return all that is to be written to the peer; see :meth:`send_message`."""
        if self.output or self._close_sent or self._close_received:
            self.send_message(data)
            return self.data_to_send()
        return encode_message(data, self._deflater)

    def send_frame(self, frame: bytes) -> None:
        """Write a frame that :func:`encode_message` made.

        Once the WebSocket is closing it goes nowhere and is counted as "protocols.late_frame".
        """
        if self._close_sent or self._close_received:
            self.facts += (Fact("protocols.late_frame"),)
        else:
            self._put_out(frame)

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life; the answer is a PongReceived with the same payload.

        Args:
            payload: at most 125 bytes.

        Raises:
            ValueError: the payload is too long.
        """
        if len(payload) > MAX_CONTROL_SIZE:
            raise ValueError(f"The payload of a ping has at most 125 bytes, not {len(payload)}.")
        self.send_frame(control_frame(Opcode.PING, payload))

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Begin to close the WebSocket; if that was done before, do nothing.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999; None for a close frame without a code.
            reason: what fits into 123 bytes of UTF-8 is sent.

        Raises:
            ValueError: the code must not be sent.

        See RFC 6455 7.4.
        """
        if code is not None:
            try:
                Close(code, "").check()
            except ProtocolError:
                raise ValueError(
                    f"{code!r} cannot be sent as a close code: use 1000-1003, 1007-1014 or 3000-4999."
                ) from None
        self._send_close(code, reason)

    def data_to_send(self) -> bytes:
        """Return and clear what is to be written to the peer."""
        output = self.output
        if not output:
            return b""
        self.output = []
        self._unsent_pongs = 0
        self.plain = not (self._deflater is not None or self._close_sent or self._close_received)
        return output[0] if len(output) == 1 else b"".join(output)

    def _put_out(self, frame: bytes) -> None:
        self.output.append(frame)
        self.plain = False

    def _send_close(self, code: int | None, reason: str) -> None:
        if self._close_sent:
            return
        payload = b""
        if code is not None:
            cut = reason.encode(errors="replace")[:_MAX_REASON_BYTES].decode(errors="ignore")
            payload = Close(code, cut).serialize()
        self._put_out(control_frame(Opcode.CLOSE, payload))
        self._close_sent, self._between = True, False

    def _end(self, code: int, reason: str = "") -> CloseReceived:
        self._over = self._close_received = True
        self._between = self.plain = False
        self._buffer, self._offset = b"", 0
        self._frame = self._fragments = self._deflater = self._inflater = None
        return CloseReceived(code, reason)

    def _read_small(self) -> MessageReceived | CloseReceived | None:
        """Read what nearly every frame is: a short message in one frame, or a close, all there.

        It takes a quarter of the time that the library needs; whatever is special is left to it.
        """
        buffer, offset = self._buffer, self._offset
        start = offset + 6
        if len(buffer) < start or self._frame is not None or self._fragments is not None or self._close_sent:
            return None
        first, size = buffer[offset], buffer[offset + 1] - _MASKED
        end = start + size
        if first not in _SMALL or not 0 <= size <= self._small or len(buffer) < end:
            return None
        data = apply_mask(buffer[start:end], buffer[offset + 2 : start])
        self._offset = end
        if first == _TEXT:
            return MessageReceived(_text(data))
        return self._handle_close(data) if first == _CLOSE else MessageReceived(data)

    def _read_frame(self) -> Frame | None:
        """Go on with the library's parser; it is suspended only in the middle of a frame."""
        if self._frame is None:
            if self._offset == len(self._buffer):
                return None
            self._frame = Frame.parse(
                self._read_exact, mask=True, max_size=self._room(), extensions=self._inflater
            )
        try:
            next(self._frame)
        except StopIteration as stop:
            self._frame = None
            frame: Frame = stop.value
            return frame
        except ProtocolError as error:
            raise _Violation(1002, str(error)) from None
        except PayloadTooBig:
            raise self._too_big() from None
        except InvalidDeflate as error:
            raise _Violation(1007, str(error)) from None
        return None

    def _read_exact(self, size: int) -> Generator[None, None, bytes | bytearray]:
        while len(self._buffer) - self._offset < size:
            yield
        start = self._offset
        self._offset += size
        return self._buffer[start : self._offset]

    def _room(self) -> int:
        """Return how large the next frame may be.

        The library does not know yet whether it is a control frame, which does not count
        towards the message around it; ``_collect`` looks at the last few bytes again.
        """
        room = _MAX_LENGTH
        if self._limits.max_message_size is not None:
            room = self._limits.max_message_size - len(self._fragments or b"")
        if self._limits.max_frame_size is not None:
            room = min(room, self._limits.max_frame_size)
        if self._inflater is not None:
            room += room // 256 + 16  # what cannot be compressed becomes a little larger
        return min(max(room, MAX_CONTROL_SIZE), _MAX_LENGTH)

    def _too_big(self) -> _Violation:
        message, frame = self._limits.max_message_size, self._limits.max_frame_size
        limits = [f"{frame} bytes a frame"] if frame is not None else []
        limits += [f"{message} bytes a message"] if message is not None else []
        return _Violation(1009, f"at most {', '.join(limits) or f'{_MAX_LENGTH} bytes'} are taken")

    def _handle(self, frame: Frame) -> MessageReceived | PongReceived | CloseReceived | None:
        data = bytes(frame.data)
        self.frames_left -= len(data) >> _COST_SHIFT
        if frame.opcode is Opcode.CLOSE:
            return self._handle_close(data)
        if self._close_sent:
            self.control_frames += 1
            return None  # RFC 6455 1.4: what comes after our close frame is of no interest
        if frame.opcode is Opcode.PING:
            self.control_frames += 1
            self._pong(data)
            return None
        if frame.opcode is Opcode.PONG:
            self.control_frames += 1
            return PongReceived(data)
        return self._collect(frame.opcode, data, frame.fin)

    def _handle_close(self, payload: bytes) -> CloseReceived:
        plain = PLAIN_CLOSES.get(payload)
        if plain is not None:
            code, echo = plain
            if not self._close_sent:
                self.output.append(echo)
                self._close_sent, self._between, self.plain = True, False, False
            return self._end(code)
        try:
            close = Close.parse(payload)
        except ProtocolError as error:
            raise _Violation(1002, str(error)) from None
        except UnicodeDecodeError:
            raise _Violation(1007, "the close reason is not UTF-8") from None
        self._send_close(close.code, "")  # RFC 6455 5.5.1: the code is echoed
        return self._end(close.code, close.reason)

    def _pong(self, payload: bytes) -> None:
        """Answer a ping. RFC 6455 5.5.3: of several that wait, answering the last one is enough."""
        pong = control_frame(Opcode.PONG, payload)
        if self._unsent_pongs >= _MAX_UNSENT_PONGS:
            self.output[self._pong_at] = pong
            self.facts += (Fact("protocols.pongs_skipped"),)
            return
        self._unsent_pongs += 1
        self._pong_at = len(self.output)
        self._put_out(pong)

    def _collect(self, opcode: Opcode, data: bytes, final: bool) -> MessageReceived | None:
        """Put a message together."""
        if (opcode is Opcode.CONT) != (self._fragments is not None):
            raise _Violation(1002, "a continuation frame out of place")
        if self._limits.max_frame_size is not None and len(data) > self._limits.max_frame_size:
            raise self._too_big()
        size = len(self._fragments or b"") + len(data)
        if self._limits.max_message_size is not None and size > self._limits.max_message_size:
            raise self._too_big()
        if opcode is not Opcode.CONT:
            if final:
                return MessageReceived(_text(data) if opcode is Opcode.TEXT else data)
            self._fragments = FragmentedMessage(text=opcode is Opcode.TEXT)
        return self._continue(data, final)

    def _continue(self, data: bytes, final: bool) -> MessageReceived | None:
        message = self._fragments
        assert message is not None  # _collect saw the first fragment
        try:
            message.add(data, final)
        except UnicodeDecodeError:
            raise _Violation(1007, "a text message is not UTF-8") from None
        if final:
            self._fragments = None
            return MessageReceived(message.whole())
        if len(data) < _SMALL_FRAGMENT:
            self.control_frames += 1
        if message.count >= self._limits.max_fragments:
            raise _Violation(1009, f"at most {self._limits.max_fragments} fragments a message are taken")
        return None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _Violation(1007, "a text message is not UTF-8") from None
