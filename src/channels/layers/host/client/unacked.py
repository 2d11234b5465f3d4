"""What a process has told the broker and has no answer to yet: the next broker is told it again."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, Final

#: Bytes kept of messages that a broker has taken in and not yet passed on to all receivers.
KEEP_BYTES: Final = 8 * 1024 * 1024


class Request:
    """A frame that the broker answers.

    Args:
        loop: where somebody waits, if that is an event loop that may be closed meanwhile.

    Attributes:
        future: its answer; cancelled if nobody waits for it any more.
        number: the frame's number, as soon as it has one.
        loop: where somebody waits, if that is an event loop.
    """

    __slots__ = ("future", "loop", "number")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.future: Future[Any] = Future()
        self.number = 0
        self.loop = loop

    @property
    def abandoned(self) -> bool:
        """Whether the loop in which somebody waited was closed."""
        return self.loop is not None and self.loop.is_closed()


class UnackedBuffer:
    """Frames by number; who writes adds to them, who reads removes them.

    Attributes:
        forgotten: messages dropped because there were too many; lost if the broker dies now.
    """

    def __init__(self) -> None:
        self.forgotten = 0
        self._forgotten_until = 0
        self._bytes = 0
        self._stream: deque[tuple[int, bytes, bool]] = deque()
        self._requests: dict[int, tuple[Request, bytes]] = {}

    def add(self, number: int, frame: bytes, is_message: bool) -> None:
        """Keep a frame until it is accepted."""
        self._stream.append((number, frame, is_message))
        self._bytes += len(frame)
        while self._bytes > KEEP_BYTES:
            self._forgotten_until, oldest, was_message = self._stream.popleft()
            self._bytes -= len(oldest)
            self.forgotten += was_message

    def take_forgotten(self) -> int:
        """Return how many messages are lost, as the broker has died; they are counted once."""
        lost, self.forgotten = self.forgotten, 0
        return lost

    def accepted(self, number: int) -> None:
        """Forget every frame up to ``number`` that has no answer of its own: the broker has passed it on."""
        while self._stream and self._stream[0][0] <= number:
            self._bytes -= len(self._stream.popleft()[1])
        if number >= self._forgotten_until:
            self.forgotten = 0

    def ask(self, request: Request, frame: bytes) -> None:
        """Keep a request until it is answered."""
        self._requests[request.number] = request, frame

    def answered(self, number: int) -> Request | None:
        """Forget a request, which was answered; returns it, or None if nobody waits for it."""
        request, _ = self._requests.pop(number, (None, b""))
        if request is not None and not request.abandoned and request.future.set_running_or_notify_cancel():
            return request
        return None

    def in_order(self) -> list[bytes]:
        """Return all frames as they were told first, without requests that nobody waits for."""
        self._requests = {
            number: entry for number, entry in self._requests.items() if not entry[0].future.cancelled()
        }
        asked = [(number, frame) for number, (_, frame) in self._requests.items()]
        return [frame for _, frame in sorted(asked + [entry[:2] for entry in self._stream])]

    def give_up(self, error: Exception) -> int:
        """Forget all frames, raise ``error`` where somebody waits; returns how many messages are lost."""
        lost = self.forgotten + sum(is_message for _, _, is_message in self._stream)
        requests, self._requests = self._requests, {}
        self._stream.clear()
        self._bytes = self.forgotten = 0
        for request, _ in requests.values():
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(error)
        return lost
