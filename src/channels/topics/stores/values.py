"""Small values beside topics, each replaced by a newer version only: state that moves between processes.

Whoever has read version 5 and writes version 6 has it, once: a second writer of version 6 is refused, and
so is one that still believes in version 5. That is a lease without a clock: an owner that was overtaken
finds out when it writes next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable


class Value(NamedTuple):
    """A value.

    Attributes:
        version: from 1 to 2⁶³ - 1.
        data: what it is; empty for one that has ended, and whose version counts yet.
    """

    version: int
    data: bytes


class Values(Protocol):
    """The values of one store, which all its processes share.

    Methods raise :class:`~channels.topics.stores.base.StoreUnavailable` when the backend does not answer.
    """

    async def get(self, key: str) -> Value | None:
        """Return a value; None if there is none, or its time is over. Nothing is made by that."""
        ...

    async def put(self, key: str, value: Value, ttl: float) -> bool:
        """Write a value, in one step.

        Args:
            key: its name.
            value: what is to be there.
            ttl: seconds that it is kept unless it is written again.

        Returns:
            False if nothing was written: what is there has this version, or a higher one.
        """
        ...


@runtime_checkable
class KeepsValues(Protocol):
    """A store that has values besides."""

    @property
    def values(self) -> Values:
        """Its values."""
        ...


class MemoryValues:
    """Values of one process, for all its loops and threads.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Value, float]] = {}
        self._next_sweep = 0

    async def get(self, key: str) -> Value | None:
        """See :class:`Values`."""
        with self._lock:
            return self._find(key)

    async def put(self, key: str, value: Value, ttl: float) -> bool:
        """See :class:`Values`."""
        with self._lock:
            self._sweep()
            found = self._find(key)
            if found is not None and value.version <= found.version:
                return False
            self._kept[key] = value, self._clock() + ttl
            return True

    def _find(self, key: str) -> Value | None:
        value, ends = self._kept.get(key, (None, 0.0))
        return value if ends > self._clock() else None

    def _sweep(self) -> None:
        """Forget what has expired, when there is twice as much as there was after the last time."""
        if len(self._kept) >= self._next_sweep:
            now = self._clock()
            self._kept = {key: kept for key, kept in self._kept.items() if kept[1] > now}
            self._next_sweep = 2 * len(self._kept) + 64
