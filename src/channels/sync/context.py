"""The thread-sensitive context of one connection, and the strand that belongs to it."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar, cast

from asgiref.sync import AsyncToSync, SyncToAsync

from channels import conf
from channels.core.database import DatabaseHooks
from channels.process import readiness
from channels.process.exit import exit_timeout
from channels.process.platforms import after_fork_in_child
from channels.sync.bridge import LoopBridge
from channels.sync.calls import Abandonable, Call, stoppable
from channels.sync.pool import Pool, Strand
from channels.sync.saturation import Saturation
from channels.typing import PUSH_EXTENSION, Scope

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: Seconds for which handlers may still run when the process ends; less where a server has given them a drain.
EXIT_TIMEOUT: Final = 5.0

#: The threads of this process, and what happens when all of them are held.
pool = Pool(conf.threads, hooks=DatabaseHooks(conf.idle_connections))
saturation = Saturation(pool, conf.thread_wait)
readiness.register("threads", saturation.obstacle)
after_fork_in_child(pool.reset)
atexit.register(lambda: pool.stop(exit_timeout(EXIT_TIMEOUT)))

_suspended = 0
#: The bridge of this thread's event loop.
_here = threading.local()


class SyncContext:
    """The thread-sensitive context of one connection, and its strand.

    A connection that never enters a thread has no strand.

    Args:
        exclusive: while it has a thread, no other connection has that one, if there are enough.

    Attributes:
        ended: the connection is over.
    """

    __slots__ = ("__weakref__", "_strand", "_token", "ended", "exclusive")

    def __init__(self, *, exclusive: bool = False) -> None:
        self.exclusive = exclusive
        self.ended = False
        self._strand: Strand | None = None
        self._token: Any = None

    @property
    def has_strand(self) -> bool:
        """Whether its strand was made and not let go."""
        return self._strand is not None

    @property
    def strand(self) -> Strand:
        """The strand of the connection; made when it is read."""
        if self._strand is None:
            self._strand = Strand(pool, exclusive=self.exclusive)
            self._strand.ended = self.ended
        return self._strand

    def enter(self) -> None:
        """Have sync code of this context go to the strand."""
        _connection.set(self)
        self._token = SyncToAsync.thread_sensitive_context.set(_SHARED)

    def end(self) -> None:
        """Undo :meth:`enter`, in the same context, when the connection is over."""
        self.ended = True
        if self._strand is not None:
            self._strand.ended = True
            self._strand.leave()
        SyncToAsync.thread_sensitive_context.reset(self._token)
        _connection.set(None)

    def leave_thread(self) -> None:
        """Give the thread of a handler that is over back to the pool, and let go of an empty strand.

        The strand keeps a thread in which the handler has left a transaction or a cursor open.
        """
        strand = self._strand
        if strand is not None:
            strand.leave()
            if not strand.queued and not strand.bound:
                self._strand = None


class StrandExecutor(Executor):
    """The executor that asgiref finds for every connection; it uses the strand of the connection."""

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``fn(*args, **kwargs)`` called in a thread; called in an event loop.

        Raises:
            ThreadPoolExhausted: it is the first call of a request, and every thread is held for too long.
        """
        connection: Any = _connection.get()
        queued_at = saturation.admit() if connection.exclusive and not connection.has_strand else 0.0
        future: Abandonable[_R] = Abandonable()
        connection.strand.put(Call(future, stoppable(partial(fn, *args, **kwargs), future), queued_at))
        bridge().arm_watchdog()
        return future


class _SharedContext:
    """The thread-sensitive context that asgiref sees in the code of every connection.

    asgiref looks for an executor by it, in a dict. As all connections share it, that dict has one entry
    for all, and which connection it is says a context variable of ours.
    """

    __slots__ = ("__weakref__",)

    #: asgiref reads these of its own contexts: this one is never entered with ``async with``, and never over.
    token = None
    _exited = False


_SHARED: Final = cast(Any, _SharedContext())
SyncToAsync.context_to_thread_executor[_SHARED] = StrandExecutor()
_connection: Final[ContextVar[SyncContext | None]] = ContextVar("channels connection", default=None)
#: The context variables that differ from connection to connection.
OWN_VARIABLES: Final[frozenset[Any]] = frozenset({SyncToAsync.thread_sensitive_context, _connection})


def connection_context() -> SyncContext | None:
    """Return the context of the connection that this code serves; None if sync code has another context."""
    if SyncToAsync.thread_sensitive_context.get(None) is not _SHARED:
        return None
    return _connection.get()


def enter_context(scope: Scope) -> SyncContext | None:
    """Give the connection of ``scope`` a thread-sensitive context of its own, until :meth:`SyncContext.end`.

    It does so for scopes that a server or a worker made (they have an ``asgi`` key, or push),
    unless there is a context already: one that code further out has entered, ours
    or asgiref's own. Under test communicators, and while a test's database connections are lent to all
    threads, sync code stays in asgiref's thread.

    Args:
        scope: of the connection.

    Returns:
        The context, which has to be ended; None if there was one already.
    """
    if _suspended or SyncToAsync.thread_sensitive_context.get(None) is not None:
        return None
    if "asgi" not in scope and PUSH_EXTENSION not in scope.get("extensions", ()):
        return None
    # Requests have threads of their own on Django's handler, and consumers share one on Channels.
    connection = SyncContext(exclusive=scope.get("type") == "http")
    connection.enter()
    return connection


def exit_context(connection: SyncContext | None) -> None:
    """End what :func:`enter_context` returned."""
    if connection is not None:
        connection.end()


def current_strand() -> Strand | None:
    """Return the strand that sync code of this context has to use; None where asgiref chooses the thread.

    asgiref chooses under ``async_to_sync``, whose sync code belongs into the thread that waits for it.
    """
    if (
        SyncToAsync.thread_sensitive_context.get(None) is not _SHARED
        or getattr(AsyncToSync.executors, "current", None) is not None
    ):
        return None
    connection = _connection.get()
    return None if connection is None else connection.strand


def is_new_here() -> bool:
    """Whether this code serves a connection that has no strand yet, so that any thread will do."""
    if getattr(AsyncToSync.executors, "current", None) is not None:
        return False
    connection = connection_context()
    return connection is not None and not connection.has_strand


def leave_thread() -> None:
    """Give the thread of this connection's handler, which is over, back to the pool."""
    connection = connection_context()
    if connection is not None:
        connection.leave_thread()


def bridge() -> LoopBridge:
    """Return the bridge between the pool and the running event loop; a new loop gets a new one."""
    loop = asyncio.get_running_loop()
    found: LoopBridge | None = getattr(_here, "bridge", None)
    if found is None or found.loop is not loop:
        found = _here.bridge = LoopBridge(loop, pool, conf.slow_handler, saturation)
    return found


def suspend() -> None:
    """Give new connections no strand until as many calls of :func:`resume`."""
    global _suspended
    _suspended += 1


def resume() -> None:
    """Undo one :func:`suspend`."""
    global _suspended
    _suspended -= 1
