"""The store in the memory of one process: the same tables, in a SQLite database that no file holds."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from channels.tasks.stores.dialects import DIALECTS
from channels.tasks.stores.records import NUMBERS
from channels.tasks.stores.sql import SQLStore
from channels.tasks.stores.statements import COLUMNS, GROUPS, LIMITS, STARTS, TASKS, TICKS, WORKERS

_TYPED: Final = ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'}" for name in COLUMNS)
_SCHEMA: Final = (
    f"CREATE TABLE {TASKS} ({_TYPED})",
    f"CREATE UNIQUE INDEX task_id ON {TASKS} (id)",
    f"CREATE UNIQUE INDEX task_unique_key ON {TASKS} (unique_key)",
    f"CREATE INDEX task_ready ON {TASKS} (backend, lane, priority DESC, id) WHERE state = 'ready'",
    f"CREATE INDEX task_due ON {TASKS} (run_at) WHERE state = 'scheduled'",
    f"CREATE INDEX task_limited ON {TASKS} (limit_key, priority DESC, id) WHERE state = 'limited'",
    f"CREATE INDEX task_placed ON {TASKS} (limit_key, state) WHERE limit_key <> ''",
    f"CREATE TABLE {LIMITS} (id TEXT PRIMARY KEY, due_at INTEGER, used_at INTEGER)",
    f"CREATE TABLE {STARTS} (limit_key TEXT, task TEXT, started_at INTEGER)",
    f"CREATE INDEX start_of ON {STARTS} (limit_key, started_at)",
    f"CREATE TABLE {GROUPS} (id TEXT PRIMARY KEY, remaining INTEGER, failed INTEGER)",
    f"CREATE TABLE {TICKS} (name TEXT PRIMARY KEY, ticked_at INTEGER)",
    f"CREATE TABLE {WORKERS} (id TEXT PRIMARY KEY, beats INTEGER, about TEXT, seen_at INTEGER)",
)


class MemoryStore(SQLStore):
    """Tasks in memory, for tests and for one process: they end with it."""

    def __init__(self) -> None:
        super().__init__(DIALECTS["sqlite"])
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        for statement in _SCHEMA:
            self._connection.execute(statement)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        with self._lock:
            yield _Cursor(self._connection.cursor())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN")
            yield _Cursor(self._connection.cursor())


class _Cursor:
    """A cursor that takes parameters as those of Django do."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.fetchone, self.fetchall = cursor.fetchone, cursor.fetchall

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._cursor.execute(statement.replace("%s", "?"), parameters)

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(statement.replace("%s", "?"), rows)
