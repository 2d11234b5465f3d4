"""The bridge from async code to Django's connections, which belong to threads.

A connection is opened, used and closed in one thread, while the code that decides when
it is due runs in an event loop. Going to look costs a trip to that thread, for every
message of every consumer. So this module keeps a list of who opened what where (Django
sends ``connection_created`` in the opening thread), and looks from outside: attributes
of a connection may be read from any thread. A thread is entered only for a connection that is due.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeAlias, TypeVar, overload

from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from channels import telemetry
from channels.process.platforms import after_fork_in_child
from channels.sync.batch import BatchExecutor
from channels.sync.call import ThreadCall
from channels.sync.context import bridge, current_strand, is_new_here, pool
from channels.sync.pool import Strand, Work

logger = logging.getLogger("channels.db")

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_Owner = TypeVar("_Owner")
_Reference: TypeAlias = "weakref.ReferenceType[BaseDatabaseWrapper]"

# By thread, not by its ident: that is used again as soon as the thread has ended.
_opened: dict[threading.Thread, tuple[_Reference, ...]] = {}
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
        if _is_due(connection, now):
            connection.close_if_unusable_or_obsolete()


class DatabaseSyncToAsync(SyncToAsync[_P, _R]):
    """``SyncToAsync`` that closes stale database connections before and after the call.

    Use it for functions that touch the database; the connection they leave behind
    follows ``CONN_MAX_AGE`` and ``CONN_HEALTH_CHECKS`` as after a Django request.

    For a connection that a server serves, the call is made in one of ``CHANNELS_THREADS``
    threads: in order among the calls of this connection, in the same thread while one
    handler lasts, and not behind what other connections wait for.
    """

    if TYPE_CHECKING:  # asgiref's type keeps the ``self`` of a method among its parameters

        @overload
        def __get__(self, parent: None, objtype: type[Any]) -> Self: ...
        @overload
        def __get__(
            self: DatabaseSyncToAsync[Concatenate[_Owner, _Q], _R],
            parent: _Owner,
            objtype: type[Any] | None = None,
        ) -> Callable[_Q, Coroutine[Any, Any, _R]]: ...
        def __get__(self, parent: Any, objtype: Any = None) -> Any:
            """Return the method of an object, without its ``self``."""

    async def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Make the call in a thread; returns or raises what it does."""
        strand = strand_for(self)
        if strand is None:
            return await super().__call__(*args, **kwargs)
        call = thread_call(self.func, partial(describe_call, self.func), *args, **kwargs)
        result: _R = await call.run(strand)
        return result

    def thread_handler(self, loop: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any) -> Any:
        """Run the call in asgiref's thread, between two looks at that thread's connections."""
        close_old_connections()
        try:
            # asgiref ships types, but none for this method.
            return super().thread_handler(loop, *args, **kwargs)  # type: ignore[no-untyped-call]
        finally:
            close_old_connections()


def thread_call(
    function: Callable[..., Any], describe: Callable[..., str], /, *args: Any, **kwargs: Any
) -> ThreadCall:
    """Return a call of ``function`` in a thread, which ``describe`` describes from the same arguments."""
    return ThreadCall(bridge(), partial(_call, function, *args, **kwargs), partial(describe, *args, **kwargs))


def strand_for(bridge: DatabaseSyncToAsync[..., Any]) -> Strand | None:
    """Return the strand to make its call in; None where asgiref chooses the thread."""
    strand = current_strand()
    return strand if strand is not None and is_plain(bridge) else None


def is_plain(bridge: DatabaseSyncToAsync[..., Any]) -> bool:
    """Whether there is no more to the call than what we do ourselves."""
    return (
        type(bridge).thread_handler is DatabaseSyncToAsync.thread_handler
        and bridge._thread_sensitive
        and getattr(bridge, "context", None) is None
        and sys.exception() is None
    )


def _call(function: Callable[..., _R], /, *args: Any, **kwargs: Any) -> _R:
    _close_what_this_thread_opened()
    try:
        return function(*args, **kwargs)
    finally:
        _close_what_this_thread_opened()


def describe_call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> str:
    """Describe a call, for the log of slow handlers."""
    name = getattr(function, "__qualname__", repr(function))
    return f"In {getattr(function, '__module__', '?')}.{name}, through database_sync_to_async."


class Lookup(DatabaseSyncToAsync[_P, _R]):
    """A short call that reads: those of several connections may be made by one thread in a row.

    They share the database connections that this thread opens, which are closed after the last as
    after any other call. That is so for connections that have no strand yet, as while they are
    opened; for others it is an ordinary call on their strand.

    Args:
        func: makes one call.
        ahead: called before several of these calls, with the first argument of each: it may fetch at
            once what they would fetch one by one. If it fails, each call is on its own.
    """

    def __init__(self, func: Callable[_P, _R], ahead: Callable[[list[Any]], object] | None = None) -> None:
        super().__init__(func)
        self.ahead = ahead

    async def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Make the call in a thread; returns or raises what it does."""
        if not is_new_here() or not is_plain(self):
            return await super().__call__(*args, **kwargs)
        describe = partial(describe_call, self.func, *args, **kwargs)
        call = _Lookup(bridge(), partial(self.func, *args, **kwargs), describe)
        call.ahead, call.asked = self.ahead, args[0] if args else None
        result: _R = await call.run(_lookup_batcher.strand(), whole=True)
        return result


class _Lookup(ThreadCall):
    """One call of a :class:`Lookup`.

    Attributes:
        ahead: what to call before several of them.
        asked: the first argument of the call.
    """

    __slots__ = ("ahead", "asked")

    ahead: Callable[[list[Any]], object] | None
    asked: Any

    @property
    def surroundings(self) -> frozenset[tuple[Any, int]]:
        """What context variables say, but for the one that tells connections apart.

        A project may route its queries by them: lookups that differ here must not be fetched by one query.
        """
        own = SyncToAsync.thread_sensitive_context
        return frozenset(
            (variable, id(value)) for variable, value in self.context.items() if variable is not own
        )


def _look_ahead(works: Sequence[Work]) -> None:
    """Fetch at once what several lookups of one kind, with the same context variables, want."""
    alike: dict[Any, list[_Lookup]] = {}
    for work in works:
        if isinstance(work, _Lookup) and work.ahead is not None:
            alike.setdefault((work.ahead, work.surroundings), []).append(work)
    for (ahead, _), lookups in alike.items():
        if len(lookups) > 1:
            lookups[0].context.copy().run(_try, ahead, [lookup.asked for lookup in lookups])


def _try(ahead: Callable[[list[Any]], object], asked: list[Any]) -> None:
    try:
        ahead(asked)
    except Exception:
        logger.debug("A batched lookup failed; each call is on its own.", exc_info=True)
    finally:
        _close_what_is_broken()


#: ``await database_sync_to_async(function)(*args)``, or a decorator: the name to use in code.
database_sync_to_async = DatabaseSyncToAsync


async def aclose_old_connections() -> None:
    """Close what is stale among the connections of this context's sync thread.

    The thread is entered only if :func:`connections_due` says that there is something to do.
    """
    if connections_due():
        await sync_to_async(close_old_connections)()


def connections_due() -> bool:
    """Tell whether the thread that sync code of this context runs in has a connection to close.

    Must be called in a running event loop. It enters no thread and never blocks.

    Returns:
        True if a connection there is past its age, saw an error, was left out of
        autocommit, or waits for its next health check.
    """
    if not _opened:
        return False
    for thread in sync_threads():
        if thread in _opened:
            now = time.monotonic()
            return any(_is_due(connection, now) for connection in opened_by(thread))
    return False


def opened_by(thread: threading.Thread) -> Iterator[BaseDatabaseWrapper]:
    """Iterate over the connections that ``thread`` opened and that still exist.

    Some may be closed by now: their ``connection`` is None.
    """
    for reference in _opened.get(thread, ()):
        connection = reference()
        if connection is not None:
            yield connection


def opened_anywhere() -> Iterator[BaseDatabaseWrapper]:
    """Iterate over the connections that any thread opened and that still exist."""
    for thread in tuple(_opened):
        yield from opened_by(thread)


def sync_executor() -> Executor | None:
    """Find the executor that thread-sensitive sync code of this context would run in.

    Mirrors the choice of asgiref's ``SyncToAsync``. Must be called in a running event loop.

    Returns:
        The executor, or None where none was made yet.
    """
    loop = asyncio.get_running_loop()
    outer = AsyncToSync.loop_thread_executors.get(loop)
    if outer is not None:
        # A loop made by async_to_sync: what asgiref asks first is slow, and only matters there.
        current: CurrentThreadExecutor | None = getattr(AsyncToSync.executors, "current", None)
        if current is not None:
            return current
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        return SyncToAsync.context_to_thread_executor.get(context)
    return outer or SyncToAsync.single_thread_executor


def sync_threads() -> list[threading.Thread]:
    """Return the threads behind :func:`sync_executor`; none if it has not started any."""
    executor = sync_executor()
    if isinstance(executor, CurrentThreadExecutor):
        return [executor._work_thread]
    if isinstance(executor, ThreadPoolExecutor):
        return list(executor._threads)
    return []


def _is_due(connection: Any, now: float) -> bool:  # Any: django-stubs lack the health checks
    """Whether ``close_if_unusable_or_obsolete`` would have something to do; the same tests, read only."""
    if connection.connection is None or connection.in_atomic_block:
        return False
    due = (
        _is_broken(connection)
        or (connection.close_at is not None and now >= connection.close_at)
        # Not to be closed, but to be asked for its health before its next use.
        or (connection.health_check_enabled and connection.health_check_done)
    )
    # Django never closes a database in memory: it would be gone.
    return due and not (connection.vendor == "sqlite" and connection.is_in_memory_db())


def _is_broken(connection: Any) -> bool:
    """Whether it saw an error, or was left in a state that is not its settings'."""
    unlike: bool = connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
    return unlike or bool(connection.errors_occurred)


def _close_what_this_thread_opened() -> None:
    if _opened and threading.current_thread() in _opened:
        close_old_connections()


def _close_what_is_broken() -> None:
    """Close what cannot be used any more, and nothing else, whatever its age."""
    for connection in opened_by(threading.current_thread()):
        if connection.connection is not None and _is_broken(connection):
            connection.close_if_unusable_or_obsolete()


def _close_stale_connections() -> float | None:
    """Close what is due in this thread of the pool; returns in how many seconds something else is."""
    if not _opened or (thread := threading.current_thread()) not in _opened:
        return None
    close_old_connections()
    times = [
        connection.close_at
        for connection in opened_by(thread)
        if connection.connection is not None and connection.close_at is not None
    ]
    # Not at once again, if one is due but in a transaction.
    return max(_BREATH, min(times) - time.monotonic()) if times else None


def _has_stale(thread: threading.Thread) -> bool:
    now = time.monotonic()
    return any(_is_due(connection, now) for connection in opened_by(thread))


def _note_references() -> None:
    """Remember how many references the connections of this thread have, before work that may open cursors."""
    if not _opened:
        return
    for connection in opened_by(threading.current_thread()):
        _references[connection] = sys.getrefcount(connection.connection)


def _needs_thread() -> bool:
    """Whether something is open in this thread that cannot be used from another one.

    That is a transaction, whether by ``atomic()`` or without autocommit, or a cursor. A cursor has a
    reference to its connection, with every driver, and nothing tells who has one.
    """
    if not _opened:
        return False
    return any(_is_in_use(connection) for connection in opened_by(threading.current_thread()))


def _is_in_use(connection: Any) -> bool:
    if connection.connection is None:
        return False
    if connection.in_atomic_block or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
        return True
    return sys.getrefcount(connection.connection) > _references.get(connection, sys.maxsize)


def _abandon() -> None:
    """Close the database connections that an ended ASGI connection has left in use in this thread."""
    for connection in opened_by(threading.current_thread()):
        if _is_in_use(connection):
            telemetry.count("threads.connection_abandoned", alias=connection.alias)
            logger.warning(
                "A connection or request has ended and left a transaction or a cursor open in the database "
                "%r: it is rolled back. End it in the same handler, or on disconnect.",
                connection.alias,
            )
            connection.close()
            # Closed inside atomic() it could not be used again.
            del connections[connection.alias]


def _close_all() -> None:
    """Close the connections of this thread of the pool, which ends."""
    for connection in opened_by(threading.current_thread()):
        connection.close()


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    thread = threading.current_thread()
    with _lock:
        if thread not in _opened:
            _forget_the_ended()
        known = [reference for reference in _opened.get(thread, ()) if reference() is not None]
        if all(reference() is not connection for reference in known):
            known.append(weakref.ref(connection))
        _opened[thread] = tuple(known)
    _references[connection] = sys.getrefcount(connection.connection)
    # Until the first connection is opened the pool need not look for open ones after each piece of work.
    pool.begins, pool.needs_thread = _note_references, _needs_thread


def _forget_the_ended() -> None:
    for thread in [thread for thread in _opened if not thread.is_alive()]:
        del _opened[thread]


_lookup_batcher = BatchExecutor(
    pool,
    close_stale=_close_what_this_thread_opened,
    close_broken=_close_what_is_broken,
    arm_watchdog=lambda: bridge().arm_watchdog(),
    ahead=_look_ahead,
)
after_fork_in_child(_lookup_batcher.reset)
connection_created.connect(_remember, dispatch_uid="channels.db", weak=False)
pool.close_stale, pool.has_stale, pool.close_all = _close_stale_connections, _has_stale, _close_all
pool.abandon = _abandon
