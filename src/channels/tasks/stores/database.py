"""The store in a database of the project's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

from channels.tasks.stores.base import Closable, changes_of, work_of
from channels.tasks.stores.dialects import DIALECTS
from channels.tasks.stores.sql import SQLStore
from channels.tasks.stores.statements import DELETE_WORKER
from channels.wakeups import listen, wake_on_commit

#: What databases say of a table that is not there.
_NO_TABLE: Final = ("no such table", "does not exist", "doesn't exist")


class DatabaseStore(SQLStore):
    """Tasks in tables of the app ``channels.tasks``, written in the transaction of who enqueues them.

    Args:
        using: the alias of the database: SQLite, PostgreSQL, MariaDB or MySQL.

    Raises:
        ImproperlyConfigured: it is another kind of database.
    """

    using: str

    def __init__(self, using: str) -> None:
        vendor = connections[using].vendor
        if vendor not in DIALECTS:
            raise ImproperlyConfigured(
                f"The store of tasks cannot use the database {using!r}, a {vendor}. "
                f"It can use {', '.join(DIALECTS)}."
            )
        super().__init__(DIALECTS[vendor])
        self.using = using

    def tell(self, backend: str) -> None:
        """See :class:`~channels.tasks.stores.base.TaskStore`."""
        wake_on_commit(work_of(backend), self.using, nearest=True)

    def tell_all(self, backend: str) -> None:
        """See :class:`~channels.tasks.stores.base.TaskStore`."""
        wake_on_commit(changes_of(backend), self.using)

    def hear(self, backend: str, work: Callable[[], None], changes: Callable[[], None]) -> Sequence[Closable]:
        """See :class:`~channels.tasks.stores.base.TaskStore`."""
        both = ((work_of(backend), work), (changes_of(backend), changes))
        return [listen(name, self.using, callback) for name, callback in both]

    def close(self) -> None:
        """See :class:`~channels.tasks.stores.base.TaskStore`."""
        connections[self.using].close()

    def after_commit(self, call: Callable[[], object]) -> None:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        transaction.on_commit(call, using=self.using, robust=True)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        with _tables_named(self.using), connections[self.using].cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        connection = connections[self.using]
        with _tables_named(self.using), transaction.atomic(self.using), connection.cursor() as cursor:
            if self.dialect is DIALECTS["sqlite"]:
                # One that reads first could not write after somebody else has: it takes the lock now.
                cursor.execute(DELETE_WORKER, ("",))
            yield cursor


@contextmanager
def _tables_named(using: str) -> Iterator[None]:
    """Add to an error of the database, if the tables are not there, which command makes them."""
    try:
        yield
    except DatabaseError as error:
        said = str(error)
        if "channels_tasks" in said and any(part in said for part in _NO_TABLE):
            command = "manage.py migrate" + ("" if using == DEFAULT_DB_ALIAS else f" --database {using}")
            where = f"The tables of channels.tasks are not in the database {using!r}"
            error.add_note(f"{where}: run `{command}`.")
        raise
