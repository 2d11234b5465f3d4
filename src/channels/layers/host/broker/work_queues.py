"""Named channels: messages that wait in the broker until one of many takers takes them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from channels.layers.host.broker.journal import Acked, Enqueued, Journal

#: Bytes that all named channels together may hold.
MAX_BYTES: Final = 64 * 1024 * 1024

Taker = TypeVar("Taker", bound=Hashable)


class WorkQueues(Generic[Taker]):
    """What waits on named channels, who waits for it, and who holds what was taken.

    Args:
        journal: where waiting messages survive this process.
        give: called as ``give(taker, number, message)`` for each message that finds its taker.
        count_drop: called with a reason and an amount.
        clock: seconds since 1970, as another process would read them.
    """

    def __init__(
        self,
        journal: Journal,
        give: Callable[[Taker, int, Enqueued], None],
        count_drop: Callable[[str, int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._give = give
        self._count_drop = count_drop
        self._clock = clock
        self._channels: dict[str, deque[Enqueued]] = {}
        self._takers: dict[str, deque[tuple[Taker, int]]] = {}
        self._held: dict[str, tuple[Taker, Enqueued]] = {}
        restored, self._known = journal.restore()
        self._settling: dict[str, Enqueued] = {record.key: record for record in restored}
        self._bytes = sum(map(size_of, self._settling.values()))

    def __len__(self) -> int:
        """Count the messages that wait or are held."""
        return len(self._held) + len(self._settling) + sum(map(len, self._channels.values()))

    def _waiting(self) -> Iterator[Enqueued]:
        yield from self._settling.values()
        for _, record in self._held.values():
            yield record
        for channel in self._channels.values():
            yield from channel

    # Sending

    def put(self, record: Enqueued, capacity: int) -> bool:
        """Let a message wait, or give it to the taker whose turn it is; False if the channel is full."""
        if record.key in self._known:
            return True  # the broker that took it in has died before it could say so
        channel = self._channels.get(record.channel)
        if channel is not None and len(channel) >= capacity:
            self._expire(record.channel)
        if channel is not None and len(channel) >= capacity:
            return False
        if self._bytes + size_of(record) > MAX_BYTES:
            return False
        self._bytes += size_of(record)
        self._journal.add(record)
        self._channels.setdefault(record.channel, deque()).append(record)
        self._match(record.channel)
        return True

    # Taking

    def take(self, taker: Taker, number: int, channel: str) -> None:
        """Give the oldest message of ``channel`` to ``taker``, now or when there is one."""
        self._takers.setdefault(channel, deque()).append((taker, number))
        self._match(channel)

    def cancel(self, taker: Taker, number: int) -> None:
        """Forget that ``taker`` wants something; harmless if it has it already."""
        self._drop_takers(lambda entry: entry == (taker, number))

    def settle(self, key: str, done: bool) -> None:
        """End a message that was taken, or put it back to the front of its channel."""
        held = self._held.pop(key, None)
        record = self._settling.pop(key, None) if held is None else held[1]
        if record is None:
            return
        if done:
            self._end(record)
            return
        self._channels.setdefault(record.channel, deque()).appendleft(record)
        self._match(record.channel)

    def leave(self, taker: Taker) -> None:
        """Put back what ``taker`` holds: its process has gone."""
        self._drop_takers(lambda entry: entry[0] == taker)
        theirs = [key for key, (holder, _) in self._held.items() if holder == taker]
        for key in reversed(theirs):
            self.settle(key, done=False)

    def claim(self, taker: Taker, keys: Iterable[str]) -> None:
        """Note that ``taker`` still holds the messages of ``keys``, which an earlier broker gave to it."""
        for key in keys:
            record = self._settling.pop(key, None)
            if record is not None:
                self._held[key] = (taker, record)

    def release_restored(self) -> None:
        """Give out what an earlier broker has left and nobody has claimed: its holders are gone."""
        self._known = set()
        restored, self._settling = list(self._settling.values()), {}
        for record in reversed(restored):
            self._channels.setdefault(record.channel, deque()).appendleft(record)
        for channel in {record.channel for record in restored}:
            self._match(channel)

    # Housekeeping

    def flush(self) -> None:
        """Forget every message."""
        for record in list(self._waiting()):
            self._journal.add(Acked(record.key))
        self._channels.clear()
        self._held.clear()
        self._settling.clear()
        self._bytes = 0

    def sweep(self) -> None:
        """Drop and count what has expired."""
        for channel in tuple(self._channels):
            self._expire(channel)

    def write_journal(self) -> None:
        """Write what has changed since the last time."""
        self._journal.flush(self._waiting(), self._bytes)

    def close(self) -> None:
        """Close the journal, with what waits in it; without, it is removed."""
        self.write_journal()
        if not len(self):
            self._journal.remove()
        self._journal.close()

    def abandon(self) -> None:
        """Close the journal that a forked child has inherited."""
        self._journal.close()

    def statistics(self) -> dict[str, Any]:
        """Return counts: messages that wait by channel, and how many are held."""
        return {
            "waiting": {name: len(channel) for name, channel in tuple(self._channels.items())},
            "held": len(self._held) + len(self._settling),
        }

    def _match(self, name: str) -> None:
        takers = self._takers.get(name)
        if takers:
            self._expire(name)
        while takers and (channel := self._channels.get(name)):
            record = channel.popleft()
            taker, number = takers.popleft()
            self._held[record.key] = (taker, record)
            self._forget_if_empty(name)
            self._give(taker, number, record)
        self._forget_if_empty(name)

    def _end(self, record: Enqueued) -> None:
        self._bytes -= size_of(record)
        self._journal.add(Acked(record.key))

    def _expire(self, name: str) -> None:
        now, channel, dropped = self._clock(), self._channels.get(name), 0
        while channel and channel[0].expires <= now:
            self._end(channel.popleft())
            dropped += 1
        if dropped:
            self._count_drop("expired", dropped)
            self._forget_if_empty(name)

    def _forget_if_empty(self, name: str) -> None:
        if not self._channels.get(name, True):
            del self._channels[name]
        if not self._takers.get(name, True):
            del self._takers[name]

    def _drop_takers(self, unwanted: Callable[[tuple[Taker, int]], bool]) -> None:
        for name, takers in tuple(self._takers.items()):
            kept = deque(entry for entry in takers if not unwanted(entry))
            if len(kept) != len(takers):
                self._takers[name] = kept
                self._forget_if_empty(name)


def size_of(record: Enqueued) -> int:
    """Return about how many bytes a message takes in memory and in the journal."""
    return len(record.payload) + len(record.channel) + len(record.key) + 32
