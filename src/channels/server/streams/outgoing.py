"""What an application may say in a ``websocket.send``."""

from __future__ import annotations

from collections.abc import Iterable

from channels.typing import Message


def payloads(message: Message) -> Iterable[str | bytes]:
    """Returns the messages for the peer: bytes first, if there are both.

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
