"""How transactions of the journal begin and end, and what their errors mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.transaction import TransactionManagementError

from channels.journal.tables.statements import LOCK, statements_of
from channels.process.platforms import after_fork_in_child
from channels.topics.stores.base import StoreUnavailable

_T = TypeVar("_T")

#: How often a transaction that lost a race is begun again.
TRIES: Final = 10
#: Seconds that Python's SQLite waits for a lock by default.
SQLITE_TIMEOUT: Final = 5.0
#: What the databases call a race that was lost: PostgreSQL's states, MySQL's and MariaDB's numbers.
_RACES: Final = frozenset({"40001", "40P01", 1213, 1205})
#: What they call a table that is not there.
_NO_TABLE: Final = ("no such table", "does not exist", "doesn't exist")

# Writers of one process take turns: those of SQLite that meet in its file sleep before they look again.
_turns: Final[dict[str, threading.Lock]] = {}
after_fork_in_child(_turns.clear)


def in_transaction(using: str, work: Callable[[Any], _T]) -> _T:
    """Do ``work(cursor)`` in a transaction of its own, again if it loses a race.

    Raises:
        StoreUnavailable: the database does not do it.
    """
    connection: Any = connections[using]
    tries = 1 if connection.in_atomic_block else TRIES
    with understood(using), _turn(connection):
        for attempt in range(1, tries + 1):
            try:
                with transaction.atomic(using=using), connection.cursor() as cursor:
                    begin_writing(connection, cursor)
                    return work(cursor)
            except DatabaseError as error:
                if attempt == tries or not is_race(error):
                    raise
    raise AssertionError("unreachable")


def begin_writing(connection: Any, cursor: Any) -> None:
    """Have SQLite wait for other writers now: what has read may not wait later."""
    statement = statements_of(connection).begin
    if statement:
        cursor.execute(statement, [LOCK])


def in_autocommit(using: str, work: Callable[[Any], _T]) -> _T:
    """Do ``work(cursor)``, whose statements need no transaction; raises StoreUnavailable."""
    with understood(using), connections[using].cursor() as cursor:
        return work(cursor)


def is_within_transaction(using: str) -> bool:
    """Whether this thread has a transaction open there that is not a test case's."""
    connection: Any = connections[using]
    if not connection.in_atomic_block:
        return connection.connection is not None and not connection.autocommit
    return not all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def require_no_transaction(using: str) -> None:
    """See that what is to leave now can.

    Raises:
        TransactionManagementError: a transaction is open.
    """
    if is_within_transaction(using):
        raise TransactionManagementError(
            f"A transaction is open on the database {using!r}, where this topic is kept: what is published "
            "now cannot leave before it is committed. Leave out now=True, and it leaves with the commit."
        )


@contextmanager
def understood(using: str) -> Iterator[None]:
    """Raise errors of the database as StoreUnavailable, and say what to do about a missing table."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise StoreUnavailable(explain(using, error)) from error


def explain(using: str, error: Exception) -> str:
    """Return what an error of the database means for topics."""
    said = str(error).strip()
    if "channels_journal" in said and any(part in said for part in _NO_TABLE):
        database = "" if using == "default" else f" --database {using}"
        return (
            f"The tables of topics are not in the database {using!r}: run "
            f"`manage.py migrate channels_journal{database}`. It said: {said}"
        )
    return f"The database {using!r} does not keep topics at the moment: {said}"


def error_code(error: BaseException) -> object:
    """Return what the database calls an error: a state of PostgreSQL, a number of MySQL or MariaDB."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state or (error.args[0] if error.args else None)


def is_race(error: BaseException) -> bool:
    """Whether a transaction was lost to another, and can be begun again."""
    return error_code(error) in _RACES


@contextmanager
def _turn(connection: Any) -> Iterator[None]:
    """Wait for this thread's turn, but not for longer than SQLite would; then it waits as for any other."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    lock = _turns.setdefault(str(connection.settings_dict["NAME"]), threading.Lock())
    taken = lock.acquire(timeout=connection.settings_dict["OPTIONS"].get("timeout", SQLITE_TIMEOUT))
    try:
        yield
    finally:
        if taken:
            lock.release()
