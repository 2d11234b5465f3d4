"""What is to be looked at: hints that no evaluation has covered yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from channels.live.capture.changes import MOST_KEYS, Hint
from channels.live.reading.dependencies import Dependencies

#: Hints that are kept one by one; of more, only that there were some.
MOST_HINTS: Final = 1_000


class Batch(NamedTuple):
    """What one evaluation looks at.

    Attributes:
        keys: of the rows; None: all rows.
        covered: the last number of each source of hints that this covers.
    """

    keys: frozenset[Any] | None
    covered: dict[str, int]


class Pending:
    """Hints that wait for an evaluation, here or by another node."""

    def __init__(self) -> None:
        self._hints: list[tuple[str, int, frozenset[Any] | None]] = []
        self._covered: dict[str, int] = {}
        self._all = False

    def __bool__(self) -> bool:
        return self._all or bool(self._hints)

    def add_all(self) -> None:
        """Have all rows looked at."""
        self._all = True

    def add(self, hint: Hint, dependencies: Dependencies) -> bool:
        """Take a hint; whether it concerns this query, and was not covered yet."""
        if hint.using not in dependencies.aliases or hint.number <= self._covered.get(hint.source, 0):
            return False
        concerned = hint.tables.keys() & dependencies.tables
        if not concerned:
            return False
        keys = _keys(hint.tables, concerned, dependencies)
        if len(self._hints) >= MOST_HINTS:
            self._hints = [(source, number, None) for source, number in self._last().items()]
        self._hints.append((hint.source, hint.number, keys))
        return True

    def take(self) -> Batch:
        """Return what is to be looked at now, and forget it."""
        keys: frozenset[Any] | None = None
        if not self._all and all(each is not None for _, _, each in self._hints):
            keys = frozenset().union(*(each for _, _, each in self._hints if each is not None))
        if keys is not None and len(keys) > MOST_KEYS:
            keys = None
        batch = Batch(keys, self._last())
        self._hints, self._all = [], False
        return batch

    def covered(self, covered: Mapping[str, int]) -> None:
        """Forget hints that another node's evaluation covers."""
        for source, number in covered.items():
            self._covered[source] = max(number, self._covered.get(source, 0))
        if len(self._covered) > MOST_HINTS:  # of processes that ended long ago
            self._covered = dict(list(self._covered.items())[-MOST_HINTS // 2 :])
        self._hints = [each for each in self._hints if each[1] > self._covered.get(each[0], 0)]

    def _last(self) -> dict[str, int]:
        last: dict[str, int] = {}
        for source, number, _ in self._hints:
            last[source] = max(number, last.get(source, 0))
        return last


def _keys(
    tables: Mapping[str, list[Any] | None], concerned: Iterable[str], dependencies: Dependencies
) -> frozenset[Any] | None:
    """Return the keys of the rows that are concerned; None: all may be."""
    if not dependencies.local or not dependencies.own.issuperset(concerned):
        return None
    found: set[Any] = set()
    for table in concerned:
        keys = tables[table]
        if keys is None:
            return None
        found.update(keys)
    return frozenset(found)
