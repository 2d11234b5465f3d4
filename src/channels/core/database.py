"""Django's database connections by the thread that opened them, and what is to be closed of them.

A connection is opened, used and closed in one thread. Django sends ``connection_created`` in the opening
thread, so this module knows what is open where, and may look from outside: attributes of a connection
may be read from any thread. It subscribes to that signal when it is imported, as Django's own modules do
to theirs: a connection that was opened before would never be known.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from channels import telemetry

logger = logging.getLogger("channels.db")

_Reference: TypeAlias = "weakref.ReferenceType[BaseDatabaseWrapper]"

#: The connections that each thread has opened; others only read it. Empty until the first one is opened.
#: By thread, not by its ident: that is used again as soon as the thread has ended.
opened: Final[dict[threading.Thread, tuple[_Reference, ...]]] = {}
_lock = threading.Lock()
#: How many references to what the driver has made there are, with no cursor open.
_references: weakref.WeakKeyDictionary[BaseDatabaseWrapper, int] = weakref.WeakKeyDictionary()
_BREATH = 0.1


def close_old_connections(**kwargs: Any) -> None:
    """Close what is stale among this thread's connections, as Django does around a request.

    Unlike Django's function of this name it leaves alone what is inside a transaction: code
    further up this thread's stack (a test case, an ``atomic()`` around ``async_to_sync``)
    is not finished with it.
    """
    now = time.monotonic()
    for connection in connections.all(initialized_only=True):
        if is_due(connection, now):
            connection.close_if_unusable_or_obsolete()


def opened_by(thread: threading.Thread) -> Iterator[BaseDatabaseWrapper]:
    """Iterate over the connections that ``thread`` opened and that still exist.

    Some may be closed by now: their ``connection`` is None.
    """
    for reference in opened.get(thread, ()):
        connection = reference()
        if connection is not None:
            yield connection


def opened_anywhere() -> Iterator[BaseDatabaseWrapper]:
    """Iterate over the connections that any thread opened and that still exist."""
    for thread in tuple(opened):
        yield from opened_by(thread)


def is_due(connection: Any, now: float) -> bool:  # Any: django-stubs lack the health checks
    """Whether ``close_if_unusable_or_obsolete`` would have something to do; the same tests, read only."""
    if connection.connection is None or connection.in_atomic_block:
        return False
    due = (
        is_broken(connection)
        or (connection.close_at is not None and now >= connection.close_at)
        # Not to be closed, but to be asked for its health before its next use.
        or (connection.health_check_enabled and connection.health_check_done)
    )
    # Django never closes a database in memory: it would be gone.
    return due and not _is_in_memory(connection)


def _is_in_memory(connection: Any) -> bool:
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def is_broken(connection: Any) -> bool:
    """Whether it saw an error, or was left in a state that is not its settings'."""
    unlike: bool = connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
    return unlike or bool(connection.errors_occurred)


def close_what_this_thread_opened() -> None:
    """Do as :func:`close_old_connections`, where this thread has opened any."""
    if opened and threading.current_thread() in opened:
        close_old_connections()


def close_what_is_broken() -> None:
    """Close what cannot be used any more, and nothing else, whatever its age."""
    for connection in opened_by(threading.current_thread()):
        if connection.connection is not None and is_broken(connection):
            connection.close_if_unusable_or_obsolete()


def is_in_use(connection: Any) -> bool:
    """Whether a transaction or a cursor is open on a connection of this thread."""
    if connection.connection is None:
        return False
    if connection.in_atomic_block or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
        return True
    return sys.getrefcount(connection.connection) > _references.get(connection, sys.maxsize)


class DatabaseHooks:
    """The :class:`~channels.sync.strands.ThreadHooks` of a pool whose work may use databases.

    Until the first connection is opened each of these is one look at an empty dict.

    Args:
        most: returns how many connections of all threads may stay open while their threads are idle; None
            for no limit.
    """

    def __init__(self, most: Callable[[], int | None] = lambda: None) -> None:
        self._most = most

    def begin(self) -> None:
        """Remember how many references this thread's connections have, before work that may open cursors."""
        if not opened:
            return
        for connection in opened_by(threading.current_thread()):
            _references[connection] = sys.getrefcount(connection.connection)

    def needs_thread(self) -> bool:
        """Whether something is open in this thread that cannot be used from another one.

        That is a transaction, whether by ``atomic()`` or without autocommit, or a cursor. A cursor has a
        reference to its connection, with every driver, and nothing tells who has one.
        """
        if not opened:
            return False
        return any(is_in_use(connection) for connection in opened_by(threading.current_thread()))

    def abandon(self) -> None:
        """Close the database connections that an ended ASGI connection has left in use in this thread."""
        for connection in opened_by(threading.current_thread()):
            if is_in_use(connection):
                telemetry.count("threads.connection_abandoned", alias=connection.alias)
                logger.warning(
                    "A connection or request has ended and left a transaction or a cursor open in the "
                    "database %r: it is rolled back. End it in the same handler, or on disconnect.",
                    connection.alias,
                )
                connection.close()
                # Closed inside atomic() it could not be used again.
                del connections[connection.alias]

    def close_stale(self) -> float | None:
        """Close what is due in this thread of the pool; returns in how many seconds something else is."""
        if not opened or (thread := threading.current_thread()) not in opened:
            return None
        close_old_connections()
        self._close_surplus(thread)
        times = [
            connection.close_at
            for connection in opened_by(thread)
            if connection.connection is not None and connection.close_at is not None
        ]
        # Not at once again, if one is due but in a transaction.
        return max(_BREATH, min(times) - time.monotonic()) if times else None

    def _close_surplus(self, thread: threading.Thread) -> None:
        """Close what this idle thread would keep, while there are more connections than may be kept."""
        most = self._most()
        if most is None:
            return
        for connection in opened_by(thread):
            if connection.connection is None or is_in_use(connection) or _is_in_memory(connection):
                continue
            if sum(other.connection is not None for other in opened_anywhere()) > most:
                telemetry.count("threads.connection_surplus", alias=connection.alias)
                connection.close()

    def has_stale(self, thread: threading.Thread) -> bool:
        """Tell from another thread whether a connection of ``thread`` is due."""
        now = time.monotonic()
        return any(is_due(connection, now) for connection in opened_by(thread))

    def close_all(self) -> None:
        """Close the connections of this thread of the pool, which ends."""
        for connection in opened_by(threading.current_thread()):
            connection.close()


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    thread = threading.current_thread()
    with _lock:
        if thread not in opened:
            for ended in [each for each in opened if not each.is_alive()]:
                del opened[ended]
        known = [reference for reference in opened.get(thread, ()) if reference() is not None]
        if all(reference() is not connection for reference in known):
            known.append(weakref.ref(connection))
        opened[thread] = tuple(known)
    _references[connection] = sys.getrefcount(connection.connection)


connection_created.connect(_remember, dispatch_uid="channels.db", weak=False)
