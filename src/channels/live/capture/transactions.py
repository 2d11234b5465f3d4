"""What has changed in a transaction, told when it is committed, and forgotten when it is rolled back."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, NamedTuple

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from channels.live.capture.changes import Changes
from channels.live.capture.hints import tell


class _Waiting(NamedTuple):
    """Changes that wait for a commit.

    Attributes:
        savepoints: within which they were made: if one of these is rolled back, they never happened.
        changes: what has changed.
        callback: what Django calls at the commit.
        place: of the callback, in Django's list.
    """

    savepoints: tuple[Any, ...]
    changes: Changes
    callback: Any
    place: int


_waiting: Final[weakref.WeakKeyDictionary[BaseDatabaseWrapper, _Waiting]] = weakref.WeakKeyDictionary()


def note(using: str, table: str, keys: Iterable[Any] | None) -> None:
    """Note that rows of a table have changed, in the transaction that is open, or for good.

    Args:
        using: the alias of the database.
        table: its name.
        keys: the primary keys of the rows; None: nobody knows which.
    """
    connection: Any = connections[using]
    if not connection.in_atomic_block:
        changes = Changes(using)
        changes.add(table, keys)
        if connection.get_autocommit():
            tell(changes)
        return
    _changes_of(connection).add(table, keys)


def _changes_of(connection: Any) -> Changes:
    """Return what has changed in the open transaction since its last savepoint."""
    savepoints = tuple(connection.savepoint_ids)
    waiting = _waiting.get(connection)
    if waiting is not None and waiting.savepoints == savepoints and _is_due(connection, waiting):
        return waiting.changes
    changes = Changes(connection.alias)
    callback = partial(tell, changes)
    _waiting[connection] = _Waiting(savepoints, changes, callback, len(connection.run_on_commit))
    transaction.on_commit(callback, using=connection.alias, robust=True)
    return changes


def _is_due(connection: Any, waiting: _Waiting) -> bool:
    """Whether Django will tell of it: what was rolled back is not in its list any more."""
    hooks = connection.run_on_commit
    return waiting.place < len(hooks) and hooks[waiting.place][1] is waiting.callback
