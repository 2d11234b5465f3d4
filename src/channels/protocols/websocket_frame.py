"""What a server sends on a WebSocket: the frame of a message, made once for however many sockets."""

from __future__ import annotations

import struct

from channels.protocols.deflate import Compression, Deflater, compress

#: Bytes that the payload of a control frame may have, and that of a frame with a length of one byte.
MAX_CONTROL_SIZE = 125

_TEXT, _BINARY = 0x81, 0x82  # first byte of a message in one frame
_COMPRESSED = 0x40


def encode_message(data: str | bytes, deflate: Compression | None = None) -> bytes:
    """Make one frame of a message, ready to be written to any number of sockets.

    Args:
        data: str becomes a text message, bytes a binary one.
        deflate: for sockets whose ``compression`` equals this; None for any socket. With context takeover,
            which cannot be shared, the frame is not compressed, as every socket allows.

    Raises:
        TypeError: it is neither.
        ValueError: the text has lone surrogates, which UTF-8 cannot carry.

    See RFC 6455 5.2: a server does not mask.
    """
    first, payload = _payload(data)
    if deflate is not None and deflate.shareable and len(payload) >= deflate.min_size:
        return _frame(first | _COMPRESSED, compress(payload, deflate))
    return _frame(first, payload)


def encode_message_for(data: str | bytes, deflater: Deflater) -> bytes:
    """Make one frame of a message for the one socket that the deflater belongs to.

    It must be written, and before any later frame: with context takeover those build on it.

    Raises:
        TypeError: it is neither.
        ValueError: the text has lone surrogates, which UTF-8 cannot carry.
    """
    first, payload = _payload(data)
    if len(payload) >= deflater.compression.min_size:
        return _frame(first | _COMPRESSED, deflater.deflate(payload))
    return _frame(first, payload)


def _payload(data: str | bytes) -> tuple[int, bytes]:
    if isinstance(data, str):
        return _TEXT, data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return _BINARY, bytes(data)
    raise TypeError(f"A WebSocket message is str or bytes, not {type(data).__name__}.")


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= MAX_CONTROL_SIZE:
        return b"%c%c%b" % (first, size, payload)
    if size <= 0xFFFF:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
