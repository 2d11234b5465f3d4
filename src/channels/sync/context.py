"""Which strand belongs to the connection that this code serves."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, cast

from asgiref.sync import AsyncToSync, SyncToAsync

from channels import conf
from channels.process import readiness
from channels.process.platforms import after_fork_in_child
from channels.sync.bridge import LoopBridge, bridge_of
from channels.sync.calls import Abandonable, Call, stoppable
from channels.sync.pool import Pool, Strand
from channels.sync.saturation import Saturation
from channels.typing import PUSH_EXTENSION, Scope

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: Seconds that handlers have to end when the process ends.
FAREWELL: Final = 5.0

#: The threads of this process, and what happens when all of them are held.
pool = Pool(conf.threads)
saturation = Saturation(pool, conf.thread_wait)
readiness.register("threads", saturation.obstacle)
after_fork_in_child(pool.reset)
atexit.register(pool.stop, FAREWELL)

_suspended = 0


class SyncContext:
    """What asgiref knows one connection by: calls through ``sync_to_async`` go to its strand, too.

    asgiref looks its executor up by this, in a dict of weak references. There all of ours are one and
    the same key, so that a connection that never visits a thread costs no entry, and no strand either.

    Args:
        exclusive: while it has a thread, no other connection has that one, if there are enough.

    Attributes:
        ended: the connection is over.
    """

    __slots__ = ("__weakref__", "_strand", "_token", "ended", "exclusive")

    #: asgiref looks at these; unlike its own contexts ours is never entered, and never over.
    token = None
    _exited = False

    def __init__(self, *, exclusive: bool = False) -> None:
        self.exclusive = exclusive
        self.ended = False
        self._strand: Strand | None = None
        self._token: Any = None

    def __eq__(self, other: object) -> bool:
        return type(other) is SyncContext

    def __hash__(self) -> int:
        return hash(SyncContext)

    @property
    def has_strand(self) -> bool:
        """Whether anybody has asked for its strand."""
        return self._strand is not None

    @property
    def strand(self) -> Strand:
        """Its strand; made when it is asked for."""
        if self._strand is None:
            self._strand = Strand(pool, exclusive=self.exclusive)
            self._strand.ended = self.ended
        return self._strand

    def enter(self) -> None:
        """Have sync code of this context go to the strand."""
        context: Any = self  # asgiref's type is narrower than what it asks for
        self._token = SyncToAsync.thread_sensitive_context.set(context)

    def end(self) -> None:
        """Undo :meth:`enter`, in the same context; the connection is over."""
        self.ended = True
        if self._strand is not None:
            self._strand.ended = True
            self._strand.leave()
        SyncToAsync.thread_sensitive_context.reset(self._token)

    def leave_thread(self) -> None:
        """A handler is over: the thread it was in is free for others, and an empty strand is no use.

        A thread in which it has left a transaction or a cursor open stays its own.
        """
        strand = self._strand
        if strand is not None:
            strand.leave()
            if not strand.queued and not strand.bound:
                self._strand = None


class StrandExecutor(Executor):
    """Where asgiref sends the calls of all connections: each goes to the strand of its own."""

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``fn(*args, **kwargs)`` called in a thread; called in an event loop.

        Raises:
            ThreadPoolExhausted: it is the first thing that a request wants done, and there is no thread.
        """
        connection: Any = SyncToAsync.thread_sensitive_context.get()
        deadline = saturation.admit() if connection.exclusive and not connection.has_strand else 0.0
        future: Abandonable[_R] = Abandonable()
        connection.strand.put(Call(future, stoppable(partial(fn, *args, **kwargs), future), deadline))
        bridge().arm_watchdog()
        return future


#: The one that asgiref knows.
_ANY: Final = SyncContext()
SyncToAsync.context_to_thread_executor[cast(Any, _ANY)] = StrandExecutor()


def enter_context(scope: Scope) -> SyncContext | None:
    """Give the connection of ``scope`` a place of its own among the strands, until :func:`exit_context`.

    It does so for scopes that a server or a worker made (they have an ``asgi`` key, or push),
    unless the sync code of this context has a place already: a block further out, or asgiref's
    own context. Under test communicators, and while a test's database connections are lent to
    all threads, sync code stays in asgiref's thread.

    Args:
        scope: of the connection.

    Returns:
        What ``exit_context`` is to be called with.
    """
    served = "asgi" in scope or PUSH_EXTENSION in scope.get("extensions", ())
    if not served or _suspended or SyncToAsync.thread_sensitive_context.get(None) is not None:
        return None
    # Requests have threads of their own on Django's handler, and consumers share one on Channels.
    connection = SyncContext(exclusive=scope.get("type") == "http")
    connection.enter()
    return connection


def exit_context(connection: SyncContext | None) -> None:
    """Undo :func:`enter_context`."""
    if connection is not None:
        connection.end()


class serving:
    """:func:`enter_context` and :func:`exit_context` around a ``with`` block.

    What waits for days does without: the block's two objects are kept as long as it runs.
    """

    __slots__ = ("_connection", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._connection = enter_context(self._scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exit_context(self._connection)


def current_strand() -> Strand | None:
    """Return the strand that sync code of this context has to use; None where that is asgiref's choice.

    It is in code under ``async_to_sync``, which belongs into the thread that waits for it.
    """
    connection = _current()
    return None if connection is None else connection.strand


def is_new_here() -> bool:
    """Whether this code serves a connection that has not visited a thread yet, so that any will do."""
    connection = _current()
    return connection is not None and not connection.has_strand


def _current() -> SyncContext | None:
    connection: Any = SyncToAsync.thread_sensitive_context.get(None)
    if type(connection) is not SyncContext or getattr(AsyncToSync.executors, "current", None) is not None:
        return None
    return connection


def leave_thread() -> None:
    """A handler of this connection is over: the thread it was in is free for others."""
    connection: Any = SyncToAsync.thread_sensitive_context.get(None)
    if type(connection) is SyncContext:
        connection.leave_thread()


def bridge() -> LoopBridge:
    """Return the bridge between the pool and the running event loop."""
    return bridge_of(asyncio.get_running_loop(), pool, conf.slow_handler, saturation)


def suspend() -> None:
    """Give new connections no strand until as many calls of :func:`resume`."""
    global _suspended
    _suspended += 1


def resume() -> None:
    """Undo one :func:`suspend`."""
    global _suspended
    _suspended -= 1
