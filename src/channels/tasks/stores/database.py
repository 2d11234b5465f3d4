"""The store in a database of the project's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from channels.tasks.stores.dialects import DIALECTS
from channels.tasks.stores.sql import SQLStore
from channels.tasks.stores.statements import DELETE_WORKER


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

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        with connections[self.using].cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """See :class:`~channels.tasks.stores.sql.SQLStore`."""
        with transaction.atomic(self.using), connections[self.using].cursor() as cursor:
            if self.dialect is DIALECTS["sqlite"]:
                # One that reads first could not write after somebody else has: it takes the lock now.
                cursor.execute(DELETE_WORKER, ("",))
            yield cursor
