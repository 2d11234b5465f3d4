"""The bridge from async code to Django's connections, which belong to threads.

The code that decides when a connection is due runs in an event loop, the connection belongs to a thread.
Going to look would cost a call in that thread, for every message of every consumer. So this module looks
from outside (:mod:`channels.core.database`), and a thread is entered only for a connection that is due.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeAlias, TypeVar, overload

from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async
from django.db.backends.base.base import BaseDatabaseWrapper

from channels.core.database import (
    close_old_connections,
    close_what_is_broken,
    close_what_this_thread_opened,
    is_due,
    opened,
    opened_by,
)
from channels.core.database import opened_anywhere as opened_anywhere  # noqa: PLC0414
from channels.process.platforms import after_fork_in_child
from channels.sync.batch import BatchExecutor
from channels.sync.call import ThreadCall
from channels.sync.context import OWN_VARIABLES, bridge, current_strand, is_new_here, pool
from channels.sync.pool import Strand, Work

logger = logging.getLogger("channels.db")

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_Owner = TypeVar("_Owner")
_Reference: TypeAlias = "weakref.ReferenceType[BaseDatabaseWrapper]"


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
    """Return the strand in which ``bridge`` makes its call; None where asgiref chooses the thread."""
    strand = current_strand()
    return strand if strand is not None and is_plain(bridge) else None


def is_plain(bridge: DatabaseSyncToAsync[..., Any]) -> bool:
    """Whether a call through ``bridge`` is one that this module makes itself: nothing else asks for more."""
    return (
        type(bridge).thread_handler is DatabaseSyncToAsync.thread_handler
        and bridge._thread_sensitive
        and getattr(bridge, "context", None) is None
        and sys.exception() is None
    )


def _call(function: Callable[..., _R], /, *args: Any, **kwargs: Any) -> _R:
    close_what_this_thread_opened()
    try:
        return function(*args, **kwargs)
    finally:
        close_what_this_thread_opened()


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
        """What context variables say, but for those that tell connections apart.

        A project may route its queries by them: lookups that differ here must not be fetched by one query.
        """
        return frozenset(
            (variable, id(value)) for variable, value in self.context.items() if variable not in OWN_VARIABLES
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
        close_what_is_broken()


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
    if not opened:
        return False
    for thread in sync_threads():
        if thread in opened:
            now = time.monotonic()
            return any(is_due(connection, now) for connection in opened_by(thread))
    return False


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


_lookup_batcher = BatchExecutor(
    pool,
    close_stale=close_what_this_thread_opened,
    close_broken=close_what_is_broken,
    arm_watchdog=lambda: bridge().arm_watchdog(),
    ahead=_look_ahead,
)
after_fork_in_child(_lookup_batcher.reset)
