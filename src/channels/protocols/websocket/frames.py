"""What a server sends on a WebSocket: the frame of a message, made once for however many sockets."""

from __future__ import annotations

import struct

from channels.protocols.websocket.permessage_deflate import Compression, Deflater

#: Bytes that the payload of a control frame may have, and that of a frame with a length of one byte.
MAX_CONTROL_SIZE = 125

_TEXT, _BINARY = 0x81, 0x82  # first byte of a message in one frame
_FINAL = 0x80
_COMPRESSED = 0x40
_MAX_KEPT_SIZE = 65536


def encode_message(data: str | bytes, deflate: Compression | Deflater | None = None) -> bytes:
    """Make one frame of a message, ready to be written to any number of sockets.

    Args:
        data: str becomes a text message, bytes a binary one.
        deflate: a Compression for all sockets whose ``compression`` equals it (with context takeover,
            which cannot be shared, the frame is not compressed, as every socket allows); the Deflater of
            the one socket that the frame is for, which must be written then; None for any socket.

    Raises:
        TypeError: it is neither.
        ValueError: the text has lone surrogates, which UTF-8 cannot carry.

    See RFC 6455 5.2: a server does not mask.
    """
    if type(data) is str and deflate is None:
        return text_frame(data)
    if isinstance(data, str):
        first, data = _TEXT, data.encode()
    elif isinstance(data, bytes | bytearray | memoryview):
        first, data = _BINARY, bytes(data)
    else:
        raise TypeError(f"A WebSocket message is str or bytes, not {type(data).__name__}.")
    if deflate is not None and deflate.compresses(data):
        first, data = first | _COMPRESSED, deflate.deflate(data)
    return _frame(first, data)


def control_frame(opcode: int, payload: bytes) -> bytes:
    """Make a close, ping or pong frame; see RFC 6455 5.5.

    Args:
        opcode: 8, 9 or 10.
        payload: at most :data:`MAX_CONTROL_SIZE` bytes.
    """
    return b"%c%c%b" % (_FINAL | opcode, len(payload), payload)


#: The last text that was sent, and its frame: in a room the next one is the same.
_latest: tuple[str, bytes] = ("", b"\x81\0")


#: The first two bytes of a short text message, by the size of its payload.
_TEXT_HEADS = tuple(bytes((_TEXT, size)) for size in range(MAX_CONTROL_SIZE + 1))


def text_frame(text: str) -> bytes:
    """Make one frame of a text message that is not compressed.

    Raises:
        ValueError: the text has lone surrogates, which UTF-8 cannot carry.
    """
    global _latest
    latest, frame = _latest
    if latest == text:
        return frame
    data = text.encode()
    size = len(data)
    frame = _TEXT_HEADS[size] + data if size <= MAX_CONTROL_SIZE else _frame(_TEXT, data)
    if size <= _MAX_KEPT_SIZE:
        _latest = (text, frame)
    return frame


def _frame(first: int, data: bytes) -> bytes:
    size = len(data)
    if size <= MAX_CONTROL_SIZE:
        return b"%c%c%b" % (first, size, data)
    if size <= 0xFFFF:
        return struct.pack("!BBH", first, 126, size) + data
    return struct.pack("!BBQ", first, 127, size) + data


#: What nearly every close says, the code, and the frame that echoes it (RFC 6455 5.5.1).
PLAIN_CLOSES = {
    payload: (code, control_frame(0x8, payload))
    for code, payload in ((1000, b"\x03\xe8"), (1001, b"\x03\xe9"), (1005, b""))
}
