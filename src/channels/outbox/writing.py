"""Rows of the outbox are written in the transaction that is open, and announced after its commit."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, ProgrammingError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from channels.exceptions import MessageTooLarge
from channels.outbox.configuration import outbox_configuration
from channels.outbox.models import Entry
from channels.wakeups import wake_on_commit

_statements: Final[dict[tuple[type[Entry], str], str]] = {}
_MIGRATE: Final = (
    "The tables of channels.outbox are not in the database {using!r}: run `manage.py migrate{option}`."
)


def insert(row: Entry, using: str | None) -> None:
    """Write a row, and have it relayed after the commit.

    Args:
        row: a new one.
        using: the alias of the database; None: as the routers of the project say.

    Raises:
        ImproperlyConfigured: the outbox of this database is relayed by nobody.
        DatabaseError: what the database says; with a note if the tables are not there.
    """
    alias = using or router.db_for_write(type(row), instance=row)
    if alias not in outbox_configuration().databases:
        raise ImproperlyConfigured(
            f"Nobody relays what is written to the outbox in the database {alias!r}. Add the alias to "
            "CHANNELS_OUTBOX['DATABASES'], or name another with `using`."
        )
    try:
        with transaction.mark_for_rollback_on_error(using=alias):
            _execute_insert(row, connections[alias])
    except DatabaseError as error:
        if is_missing_table(error):
            error.add_note(missing_tables(alias))
        raise
    wake_on_commit(row.WAKEUP, alias)


def _execute_insert(row: Entry, connection: BaseDatabaseWrapper) -> None:
    """Insert a row in half the time of ``save()``: the statement is made once, and no key is read back."""
    text = _statements.get((type(row), connection.vendor))
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    if text is None:
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        places = ", ".join(["%s"] * len(fields))
        text = f"INSERT INTO {quote(row._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
        _statements[type(row), connection.vendor] = text
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(text, values)


def require_size(data: bytes | str, what: str) -> None:
    """Raise MessageTooLarge for more bytes than an entry may have."""
    most = outbox_configuration().max_size
    if len(data) > most:
        raise MessageTooLarge(
            f"{what} has {len(data)} bytes, the outbox takes {most}. Write what it is about to a table and "
            "send its key, or raise CHANNELS_OUTBOX['MAX_SIZE']."
        )


def is_missing_table(error: Exception) -> bool:
    """Whether a database says that it has no such table: each has an error of its own for it."""
    if isinstance(error, ProgrammingError):  # PostgreSQL: undefined_table; MySQL: 1146
        return True
    return isinstance(error, OperationalError) and "no such table" in str(error)


def missing_tables(using: str) -> str:
    """Say what to do about tables that are not there."""
    return _MIGRATE.format(using=using, option="" if using == "default" else f" --database {using}")
