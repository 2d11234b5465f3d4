"""What transactions of this process have written, on its way to the relay of this process.

A relay that knows the rows need not read them. They are offered when their transaction is committed, and the
database still decides: what somebody else has numbered, or what is not all there is, is read as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db import connections, transaction

from channels.process.platforms import after_fork_in_child
from channels.wakeups import wake

#: A row of ``Pending``: id, digest, record.
Row = tuple[int, str, bytes]
#: Rows, and bytes of them, that wait for one commit or for one relay; more is read.
ROWS: Final = 200
BYTES: Final = 1 << 18

_takers: Final[dict[str, tuple[Callable[[Sequence[Row]], object], ...]]] = {}
_lock = threading.Lock()


class Offered:
    """Rows that wait, within bounds; more than these: none, as they would not be all."""

    __slots__ = ("_bytes", "_rows", "_too_many")

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._bytes, self._too_many = 0, False

    def add(self, row: Row) -> None:
        """Keep one more, or none."""
        self._bytes += len(row[2])
        if self._too_many or len(self._rows) == ROWS or self._bytes > BYTES:
            self._rows, self._too_many = [], True
        else:
            self._rows.append(row)

    def take(self) -> list[Row]:
        """Return what waits, by its ids, and forget it."""
        rows, self._rows = sorted(self._rows), []
        self._bytes, self._too_many = 0, False
        return rows


class _Committed:
    """Offers rows and wakes, after a commit.

    Args:
        name: of the wake-up.
        using: the database.
    """

    __slots__ = ("_name", "_using", "offered")

    def __init__(self, name: str, using: str) -> None:
        self._name, self._using = name, using
        self.offered = Offered()

    def __call__(self) -> None:
        for take in _takers.get(self._using, ())[:1]:
            take(self.offered.take())
        wake(self._name, self._using, nearest=True)


def offer_on_commit(name: str, using: str, row: Row) -> None:
    """Offer a row to the relay of this process when the transaction that is open is committed, and wake it.

    Args:
        name: of the wake-up; processes that have no relay wake others.
        using: the database.
        row: what the transaction has written.
    """
    connection: Any = connections[using]
    hooks = connection.run_on_commit
    if hooks and type(hooks[-1][1]) is _Committed and hooks[-1][0] == set(connection.savepoint_ids):
        hooks[-1][1].offered.add(row)
        return
    committed = _Committed(name, using)
    committed.offered.add(row)
    transaction.on_commit(committed, using=using, robust=True)


def take_offers(using: str, take: Callable[[Sequence[Row]], object]) -> Callable[[], None]:
    """Have ``take(rows)`` called with what is committed, in any thread; returns what ends that."""
    with _lock:
        _takers[using] = (*_takers.get(using, ()), take)

    def end() -> None:
        with _lock:
            _takers[using] = tuple(each for each in _takers.get(using, ()) if each is not take)

    return end


def _begin() -> None:
    global _lock
    _lock = threading.Lock()
    _takers.clear()


after_fork_in_child(_begin)
