"""What an application may say in a ``websocket.send``, and its frames where many sockets get them."""

from __future__ import annotations

from collections.abc import Iterable

from channels.core.broadcast import Broadcast
from channels.protocols.websocket.frames import encode_message
from channels.protocols.websocket.permessage_deflate import Compression
from channels.typing import Message


def payloads(message: Message) -> Iterable[str | bytes]:
    """Return the messages for the peer: bytes first, if there are both.

    Raises:
        ValueError: there is neither.
        TypeError: one is of the wrong type.
    """
    data, text = message.get("bytes"), message.get("text")
    if text is not None and not isinstance(text, str):
        raise TypeError(f"'text' of websocket.send must be a str, got {type(text).__name__}.")
    if data is None:
        if text is None:
            raise ValueError("websocket.send needs 'text' (a str) or 'bytes'; it has neither.")
        return (text,)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"'bytes' of websocket.send must be bytes, got {type(data).__name__}.")
    return (bytes(data),) if text is None else (bytes(data), text)


def frames_of(broadcast: Broadcast, compression: Compression | None) -> bytes | None:
    """Return all frames of a broadcast, which are made once for all sockets that compress alike.

    None: a message is not valid; the consumers are to say so.
    """
    try:
        return broadcast.encoded[compression]
    except KeyError:
        frames = broadcast.encoded[compression] = _encode(broadcast, compression)
        return frames


def _encode(broadcast: Broadcast, compression: Compression | None) -> bytes | None:
    messages = broadcast.messages
    try:
        return b"".join(encode_message(data, compression) for one in messages for data in payloads(one))
    except (TypeError, ValueError):
        return None
