"""What waits for the application of one WebSocket, and when it is too much."""

from __future__ import annotations

from collections import deque

from channels.typing import Message


class Inbox:
    """Messages in their order, then the disconnect.

    Args:
        max_messages: how many may wait.
        max_bytes: how many bytes (characters of text) may wait.
    """

    __slots__ = ("_disconnect", "_max_bytes", "_max_messages", "_messages", "_size")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: deque[Message] = deque(({"type": "websocket.connect"},))
        self._size = 0
        self._disconnect: Message | None = None

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether no more should be put in."""
        return len(self._messages) >= self._max_messages or self._size >= self._max_bytes

    @property
    def roomy(self) -> bool:
        """Whether it is worth reading again after it was full."""
        return len(self._messages) * 2 <= self._max_messages and self._size * 2 <= self._max_bytes

    def put(self, data: str | bytes) -> None:
        """Add a message of the peer."""
        self._size += len(data)
        key = "text" if isinstance(data, str) else "bytes"
        self._messages.append({"type": "websocket.receive", key: data})

    def finish(self, code: int, reason: str) -> None:
        """Add the disconnect, behind all messages."""
        self._disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}

    def take(self) -> Message | None:
        """Take the oldest event; None if there is none, and for ever after the disconnect."""
        if not self._messages:
            message, self._disconnect = self._disconnect, None
            return message
        message = self._messages.popleft()
        self._size -= len(message.get("text") or message.get("bytes") or ())
        return message

    def clear(self) -> None:
        """Throw the messages away: nobody will take them."""
        self._messages.clear()
        self._size = 0
