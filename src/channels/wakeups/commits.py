"""Waking whoever acts on a table, when a transaction that wrote to it is committed."""

from __future__ import annotations

import weakref
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from channels.wakeups import messages, notify
from channels.wakeups.listeners import listeners


def wake_on_commit(name: str, using: str, *, nearest: bool = False) -> None:
    """Wake the listeners of ``name`` when the transaction that is open is committed.

    Once per transaction and name; never if it, or the savepoint, is rolled back; at once if none is open.
    It never raises for a wake-up that cannot be sent.

    Args:
        name: short, the same in all processes.
        using: the alias of the database whose transaction counts.
        nearest: one listener of this process is enough; others are told only if it has none.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        if connection.connection is None or connection.autocommit:
            wake(name, using, nearest=nearest)
        return  # the code commits by itself, and Django tells nobody: a slow poll finds it
    known = _registered.setdefault(connection, {})
    hook = known.get((name, nearest))
    if hook is None or not hook.waits_on(connection):
        hook = known[name, nearest] = _Hook(name, using, nearest, len(connection.run_on_commit))
        transaction.on_commit(hook, using=using, robust=True)


def wake(name: str, using: str, *, nearest: bool = False) -> None:
    """Wake the listeners of ``name`` now, in this process and in others; see :func:`wake_on_commit`."""
    if not (listeners.wake(name, using) and nearest):
        wake_others(name, using)


def wake_others(name: str, using: str) -> None:
    """Wake the listeners of ``name`` in other processes now; see :func:`wake_on_commit`."""
    try:
        store = messages.spanning_store()
        if store is not None:
            messages.send(store, name, using)
        elif notify.is_possible(using):
            notify.send(name, using)
    except Exception as error:
        messages.not_sent(error)


class _Hook:
    """Wakes once, after a commit.

    Args:
        name, using, nearest: see :func:`wake_on_commit`.
        place: in the connection's list of hooks.
    """

    __slots__ = ("_done", "_name", "_nearest", "_place", "_using")

    def __init__(self, name: str, using: str, nearest: bool, place: int) -> None:
        self._name, self._using, self._nearest = name, using, nearest
        self._place, self._done = place, False

    def waits_on(self, connection: Any) -> bool:
        """Whether what is open will call it; a savepoint that is rolled back takes its hooks along."""
        hooks = connection.run_on_commit
        return not self._done and self._place < len(hooks) and hooks[self._place][1] is self

    def __call__(self) -> None:
        self._done = True
        wake(self._name, self._using, nearest=self._nearest)


_registered: Final[weakref.WeakKeyDictionary[BaseDatabaseWrapper, dict[tuple[str, bool], _Hook]]] = (
    weakref.WeakKeyDictionary()
)
