"""What an application may say in a ``websocket.send``."""

from __future__ import annotations

from collections.abc import Iterator

from channels.typing import Message


def payloads(message: Message) -> Iterator[str | bytes]:
    """Yields the messages for the peer: bytes first, if there are both.

    Raises:
        ValueError: there is neither.
        TypeError: one is of the wrong type.
    """
    data, text = message.get("bytes"), message.get("text")
    if data is None and text is None:
        raise ValueError("websocket.send needs 'text' (a str) or 'bytes'; it has neither.")
    if data is not None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"'bytes' of websocket.send must be bytes, got {type(data).__name__}.")
        yield bytes(data)
    if text is not None:
        if not isinstance(text, str):
            raise TypeError(f"'text' of websocket.send must be a str, got {type(text).__name__}.")
        yield text
