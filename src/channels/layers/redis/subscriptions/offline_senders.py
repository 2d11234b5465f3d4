"""Senders of this process that cannot be asked for their numbers, and whoever answers for them.

Those are threads of sync code, which have no loop, and event loops that have ended: each call of
``async_to_sync`` may have one of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import SequenceNumbers

#: Threads, and ended loops, of a process that are answered for; of more the first are forgotten.
MAX_SENDERS: Final = 256


class DetachedSenders:
    """What they have sent, for the loop with the subscriptions to tell."""

    def __init__(self) -> None:
        self._threads: deque[SequenceNumbers] = deque(maxlen=MAX_SENDERS)
        self._ended_loops: deque[SequenceNumbers] = deque(maxlen=MAX_SENDERS)

    def add_thread(self, numbers: SequenceNumbers) -> None:
        """Answer for a thread that is about to send."""
        self._threads.append(numbers)

    def add_ended_loop(self, numbers: SequenceNumbers) -> None:
        """Answer for a loop that sends no more."""
        if len(numbers):
            self._ended_loops.append(numbers)

    def on(self, topics: list[Topic]) -> Iterator[tuple[Topic, SequenceNumbers]]:
        """Yield those of ``topics`` that anybody here has sent on, with the numbers of who has."""
        asked = {topic.key: topic for topic in topics}
        for numbers in (*self._threads, *self._ended_loops):
            for key in numbers.among(asked):
                yield asked[key], numbers
