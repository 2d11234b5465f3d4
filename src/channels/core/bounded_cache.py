"""The one kind of cache that the whole process shares: bounded, and with figures that say whether it pays."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_caches: WeakValueDictionary[str, BoundedCache] = WeakValueDictionary()  # type: ignore[type-arg]


class BoundedCache(dict[K, V]):
    """A dict that makes the values that are missing, and keeps a bounded number of them.

    A look-up that finds its key is a dict's own and runs no code of ours; so hits are not counted.

    Args:
        name: of the cache in :func:`statistics`; a later cache of the same name takes its place there.
        bound: how many values are kept, at least 1.
        make: makes the value of a key. What it raises reaches whoever looked the key up, and nothing is kept.
        replace: when the bound is reached, all values go and new ones are kept: keys that are still in use
            are back soon, and no order has to be kept. False: the values that are there stay.

    Attributes:
        name, bound: see above.
        misses: how many values were made.
        evictions: how many values were thrown out because the bound was reached.

    Raises:
        ValueError: the bound is less than 1.
    """

    def __init__(
        self, name: str, bound: int, make: Callable[[K], V] | None = None, *, replace: bool = True
    ) -> None:
        super().__init__()
        if bound < 1:
            raise ValueError(f"A cache keeps at least 1 value, not {bound!r}.")
        self.name = name
        self.bound = bound
        self.misses = 0
        self.evictions = 0
        self._make = make
        self._replace = replace
        _caches[name] = self

    def __missing__(self, key: K) -> V:
        if self._make is None:
            raise KeyError(key)
        value = self._make(key)
        self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep a value, if the bound and ``replace`` allow it."""
        self.misses += 1
        if len(self) >= self.bound:
            if not self._replace:
                return
            self.evictions += len(self)
            self.clear()
        self[key] = value

    def statistics(self) -> dict[str, int]:
        """Return how many values are kept, how many may be, were made, and were thrown out."""
        return {
            "size": len(self),
            "bound": self.bound,
            "misses": self.misses,
            "evictions": self.evictions,
        }


def statistics() -> dict[str, dict[str, int]]:
    """Return the statistics of every cache of this process that is alive, by name."""
    return {name: cache.statistics() for name, cache in sorted(_caches.items())}
