"""Hot statements past the cursors of Django and psycopg, which cost three times what libpq itself does.

Only psycopg 3 has this, and only where nobody watches statements: Django's cursors are for the others.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final

Value = bytes | None

#: What says that a pooler between us and PostgreSQL has no room for prepared statements.
_NOT_PREPARED: Final = frozenset({"26000", "42P05"})
_PREPARED: Final = b"channels_journal"
# Whether connections of the driver have the statement; False: a pooler may take it away.
_prepared: Final[weakref.WeakKeyDictionary[Any, bool]] = weakref.WeakKeyDictionary()


def is_direct(connection: Any) -> bool:
    """Whether statements can go past the cursors of a connection of Django's that is open."""
    if connection.execute_wrappers or connection.queries_logged:
        return False
    pgconn = getattr(connection.connection, "pgconn", None)
    return pgconn is not None and not pgconn.pipeline_status


def is_in_transaction(connection: Any) -> bool:
    """Whether the server has begun the transaction; psycopg begins it with its first statement."""
    return bool(connection.connection.pgconn.transaction_status == 2)  # INTRANS


def execute(connection: Any, statement: bytes, values: Sequence[Value], formats: Sequence[int]) -> Any:
    """Execute a statement; returns the result of libpq.

    Args:
        connection: Django's.
        statement: with $1, $2 ...
        values: texts and binary values.
        formats: which of these: 0 or 1 for each.

    Raises:
        DatabaseError: Django's, as it is not executed.
    """
    driver = connection.connection
    with connection.wrap_database_errors, driver.lock:
        return _checked(driver.pgconn.exec_params(statement, values, param_formats=formats))


def execute_prepared(
    connection: Any, statement: bytes, values: Sequence[Value], formats: Sequence[int]
) -> Any:
    """Execute the one statement that is prepared, outside transactions; see :func:`execute`."""
    driver = connection.connection
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") or _prepared.get(driver) is False:
        return execute(connection, statement, values, formats)
    with connection.wrap_database_errors, driver.lock:
        result = None
        if driver not in _prepared:
            result = driver.pgconn.prepare(_PREPARED, statement)
            _prepared[driver] = not _error_state(result)
        if _prepared[driver]:
            result = driver.pgconn.exec_prepared(_PREPARED, values, param_formats=formats)
        if _error_state(result) not in _NOT_PREPARED:
            return _checked(result)
        _prepared[driver] = False
    return execute(connection, statement, values, formats)


def _error_state(result: Any) -> str:
    state = result.error_field(67)  # SQLSTATE
    return state.decode() if state else ""


def _checked(result: Any) -> Any:
    """Return a result; raises the driver's error."""
    if result.status in (1, 2):  # COMMAND_OK, TUPLES_OK
        return result
    from psycopg.errors import error_from_result

    raise error_from_result(result)
