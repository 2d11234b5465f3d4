"""The one statement that a transaction of users pays for; it goes past Django's cursors where it can.

A cursor of Django's costs four times what SQLite's own does: 20 µs of the 60 µs that a publication costs.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connections

from channels.journal.tables.statements import INSERT_PENDING
from channels.journal.tables.transactions import explain
from channels.topics.stores.base import StoreUnavailable

_SQLITE: Final = INSERT_PENDING.replace("%s", "?")


def write_pending(using: str, digest: str, record: bytes) -> None:
    """Write a row in the transaction that is open.

    Raises:
        StoreUnavailable: it cannot be written; as with ``save()`` of a model, the transaction has to end.
    """
    connection: Any = connections[using]
    try:
        watched = connection.execute_wrappers or connection.queries_logged
        if watched or not _insert(connection, digest, record):
            with connection.cursor() as cursor:
                cursor.execute(INSERT_PENDING, (digest, record))
    except (DatabaseError, InterfaceError) as error:
        if connection.in_atomic_block:
            connection.needs_rollback = True
        raise StoreUnavailable(explain(using, error)) from error


def _insert(connection: Any, digest: str, record: bytes) -> bool:
    """Write a row with the driver's own means; False if they are not known."""
    driver = connection.connection
    if connection.vendor == "sqlite" and driver is not None:
        connection.validate_no_broken_transaction()
        with connection.wrap_database_errors:
            driver.execute(_SQLITE, (digest, record))
        return True
    if connection.vendor == "postgresql" and hasattr(driver, "pgconn"):
        connection.validate_no_broken_transaction()
        with connection.wrap_database_errors:
            driver.execute(INSERT_PENDING, (digest, record))
        return True
    return False
