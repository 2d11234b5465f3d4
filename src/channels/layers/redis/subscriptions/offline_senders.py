"""Senders of this process that cannot be asked for their numbers, and whoever answers for them.

Those are threads of sync code, which have no loop, and event loops that have ended: each call of
``async_to_sync`` may have one of its own. Who begins to send goes on with the numbers of one that has
ended, if there is one, so that senders do not become more and more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import SenderNames, SequenceNumbers

#: Threads, and ended loops, of a process that are answered for; of more the first are forgotten.
MAX_SENDERS: Final = 256


class DetachedSenders:
    """What they have sent, for the loop with the subscriptions to tell.

    Attributes:
        names: those of all senders of the process.
    """

    def __init__(self) -> None:
        self.names = SenderNames()
        self._threads: deque[tuple[threading.Thread, SequenceNumbers]] = deque(maxlen=MAX_SENDERS)
        self._ended_loops: deque[SequenceNumbers] = deque(maxlen=MAX_SENDERS)
        self._lock = threading.Lock()

    def numbers(self) -> SequenceNumbers:
        """Return numbers for a loop: those of one that has ended, or new ones."""
        with self._lock:
            for numbers in self._ended_loops:
                if numbers.idle:
                    self._ended_loops.remove(numbers)
                    return numbers
        return SequenceNumbers(names=self.names)

    def thread_numbers(self) -> SequenceNumbers:
        """Return numbers for the running thread, and answer for it."""
        with self._lock:
            for index, (thread, numbers) in enumerate(self._threads):
                if not thread.is_alive() and numbers.idle:
                    self._threads[index] = (threading.current_thread(), numbers)
                    return numbers
            numbers = SequenceNumbers(names=self.names)
            self._threads.append((threading.current_thread(), numbers))
        return numbers

    def add_ended_loop(self, numbers: SequenceNumbers) -> None:
        """Answer for a loop that sends no more."""
        if len(numbers):
            with self._lock:
                self._ended_loops.append(numbers)

    def _all(self) -> list[SequenceNumbers]:
        with self._lock:
            return [*(numbers for _, numbers in self._threads), *self._ended_loops]

    def of(self, sender: bytes) -> SequenceNumbers | None:
        """Return the numbers of the sender with that name, if it is one of these."""
        return next((numbers for numbers in self._all() if numbers.sender == sender), None)

    def on(self, topics: list[Topic]) -> Iterator[tuple[Topic, SequenceNumbers]]:
        """Yield those of ``topics`` that anybody here has sent on, with the numbers of who has."""
        asked = {topic.key: topic for topic in topics}
        for numbers in self._all():
            for key in numbers.among(asked):
                yield asked[key], numbers
