"""What has changed: tables, and the keys of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

#: Keys that are told of one table; if more have changed, it is told without keys.
MOST_KEYS: Final = 500


class Changes:
    """Changed tables of one database.

    Args:
        using: the alias of the database.
    """

    __slots__ = ("_tables", "using")

    def __init__(self, using: str) -> None:
        self.using = using
        self._tables: dict[str, set[Any] | None] = {}

    def __bool__(self) -> bool:
        return bool(self._tables)

    def __iter__(self) -> Iterator[tuple[str, set[Any] | None]]:
        return iter(self._tables.items())

    def add(self, table: str, keys: Iterable[Any] | None) -> None:
        """Note that rows of a table have changed.

        Args:
            table: its name.
            keys: the primary keys of the rows; None: nobody knows which.
        """
        known = self._tables.setdefault(table, set())
        if known is None:
            return
        if keys is None:
            self._tables[table] = None
            return
        known.update(keys)
        if len(known) > MOST_KEYS:
            self._tables[table] = None

    def only(self, tables: Iterable[str]) -> Changes:
        """Return those of some tables."""
        found = Changes(self.using)
        found._tables = {table: self._tables[table] for table in tables if table in self._tables}
        return found

    def update(self, other: Changes) -> None:
        """Add what ``other`` has."""
        for table, keys in other:
            self.add(table, keys)


class Hint(msgspec.Struct, array_like=True, frozen=True):
    """What processes are told.

    Attributes:
        source: of the hint, unique among all processes.
        number: of the source's hints, growing.
        using: the alias of the database.
        tables: keys by table; None: nobody knows which rows.
    """

    source: str
    number: int
    using: str
    tables: dict[str, list[Any] | None]
