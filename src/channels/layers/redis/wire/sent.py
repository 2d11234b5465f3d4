"""What this process has published lately, for receivers that have missed it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from channels.layers.redis.wire.keys import Topic

#: Bytes that keeping a message costs beside the message.
OVERHEAD: Final = 200


#: Seconds that a message may be kept for longer: what is old is looked for no more often.
SWEEP: Final = 1.0


class Sent(NamedTuple):
    """One message that was published.

    Attributes:
        at: when, in seconds of the clock.
        sender: who numbered it.
        topic: where.
        number: its number.
        data: its envelope as it travelled; None: its sender was told that it may not have arrived.
    """

    at: float
    sender: bytes
    topic: Topic
    number: int
    data: bytes | None


class SentMessages:
    """Keeps messages for some seconds and up to a number of bytes, the oldest go first; from any thread.

    Args:
        seconds: how long; 0: nothing is kept.
        limit: bytes that are kept at most.
        clock: seconds, monotonic.

    Attributes:
        size: bytes that are kept.
    """

    def __init__(self, seconds: float, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = 0
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        #: The fields of each Sent: to make one takes longer than all else here.
        self._kept: deque[tuple[float, bytes, Topic, int, bytes | None]] = deque()
        self._next_sweep = 0.0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Count the messages."""
        return len(self._kept)

    def add(self, sender: bytes, topic: Topic, number: int, data: bytes | None) -> None:
        """Keep a message that was published."""
        if not self._seconds:
            return
        now = self._clock()
        with self._lock:
            self._kept.append((now, sender, topic, number, data))
            self.size += OVERHEAD if data is None else OVERHEAD + len(data)
            if self.size > self._limit or now >= self._next_sweep:
                self._trim(now)

    def _trim(self, now: float) -> None:
        kept, oldest = self._kept, now - self._seconds
        self._next_sweep = now + SWEEP
        while kept and (self.size > self._limit or kept[0][0] < oldest):
            self.size -= len(kept.popleft()[4] or b"") + OVERHEAD

    def _present(self) -> list[Sent]:
        with self._lock:
            self._trim(self._clock())
            return [Sent(*each) for each in self._kept]

    def topics(self) -> set[Topic]:
        """Return the topics of all that is kept."""
        return {sent.topic for sent in self._present()}

    def find(self, wanted: Mapping[tuple[bytes, bytes], object]) -> dict[tuple[bytes, bytes], list[Sent]]:
        """Return what is kept, in order of the numbers, by sender and key of the topic, of those wanted."""
        found: dict[tuple[bytes, bytes], list[Sent]] = {}
        for sent in self._present():
            key = (sent.sender, sent.topic.key)
            if key in wanted:
                found.setdefault(key, []).append(sent)
        for messages in found.values():
            messages.sort(key=lambda sent: sent.number)
        return found
