"""The queue of events that the application of one WebSocket has not taken yet, with its bounds."""

from __future__ import annotations

from collections import deque

from channels.typing import Message


class EventQueue:
    """Messages in their order, then the disconnect.

    Args:
        max_messages: how many may wait.
        max_bytes: how many bytes (characters of text) may wait.

    Attributes:
        next: the oldest message; None if none waits.
        disconnect: what comes behind all messages; None before it is known, and after it was taken.
    """

    __slots__ = ("_max_bytes", "_max_messages", "_most_alone", "_rest", "_size", "disconnect", "next")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        #: So large a message fills it even if no other waits.
        self._most_alone = max_bytes if max_messages > 1 else 0
        self.next: Message | None = {"type": "websocket.connect"}
        # Mostly nothing waits, or one message does: a deque for each socket would be most of its cost.
        self._rest: deque[Message] | None = None
        self._size = 0
        self.disconnect: Message | None = None

    def __len__(self) -> int:
        return (self.next is not None) + (len(self._rest) if self._rest is not None else 0)

    @property
    def full(self) -> bool:
        """Whether so much waits that the connection should not be read any more."""
        # Not len(self): that would be a call more for each message.
        waiting = (self.next is not None) + (0 if self._rest is None else len(self._rest))
        return waiting >= self._max_messages or self._size >= self._max_bytes

    @property
    def roomy(self) -> bool:
        """Whether so little waits that a connection that was full should be read again."""
        return len(self) * 2 <= self._max_messages and self._size * 2 <= self._max_bytes

    def put(self, data: str | bytes) -> bool:
        """Add a message of the peer; returns whether it is full now, which saves a call for each message."""
        message: Message = {"type": "websocket.receive", "text" if type(data) is str else "bytes": data}
        if self.next is not None:
            return self._put_behind(message, len(data))
        self.next = message
        self._size = size = len(data)
        return size >= self._most_alone

    def _put_behind(self, message: Message, size: int) -> bool:
        self._size += size
        if self._rest is None:
            self._rest = deque((message,))
        else:
            self._rest.append(message)
        return self.full

    def finish(self, code: int, reason: str) -> None:
        """Add the disconnect, behind all messages."""
        self.disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}

    def take(self) -> Message | None:
        """Take the oldest event; None if there is none, and for ever after the disconnect."""
        message = self.next
        if message is not None and self._rest is None:
            self.next = None
            self._size = 0
            return message
        return self._take_behind(message)

    def _take_behind(self, message: Message | None) -> Message | None:
        """Take the message that others wait behind, or the disconnect behind all of them."""
        if message is None or self._rest is None:
            message, self.disconnect = self.disconnect, None
            return message
        self.next = self._rest.popleft()
        if not self._rest:
            self._rest = None
        self._size -= len(message.get("text") or message.get("bytes") or ())
        return message

    def clear(self) -> None:
        """Throw the messages away: nobody will take them."""
        self.next = self._rest = None
        self._size = 0
