"""Which lane belongs to the connection that this code serves."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext

from channels import conf
from channels.threads.door import Door, door_of
from channels.threads.pool import Lane, Pool
from channels.typing import PUSH_EXTENSION, Scope

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: Seconds that handlers have to end when the process ends.
FAREWELL: Final = 5.0

#: The threads of this process.
pool = Pool(conf.threads)
os.register_at_fork(after_in_child=pool.reset)
atexit.register(pool.stop, FAREWELL)

_suspended = 0


class WatchedLane(Lane):
    """A lane that is looked after when work comes through ``sync_to_async``, too."""

    __slots__ = ()

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``fn(*args, **kwargs)`` called in a thread; called in an event loop."""
        future = super().submit(fn, *args, **kwargs)
        door().look_after()
        return future


class Connection(ThreadSensitiveContext):
    """What asgiref knows one connection by: calls through ``sync_to_async`` go to its lane, too."""

    #: asgiref looks at these; unlike its own contexts ours is never entered, and never over.
    token = None
    _exited = False

    def __init__(self) -> None:
        self.lane = WatchedLane(pool)


class serving:
    """Gives the connection of ``scope`` a lane of its own in the pool, for a ``with`` block.

    It does so for scopes that a server or a worker made (they have an ``asgi`` key, or push),
    unless the sync code of this context has a place already: a block further out, or asgiref's
    own context. Under test communicators, and while a test's database connections are lent to
    all threads, sync code stays in asgiref's thread.

    Args:
        scope: of the connection.
    """

    __slots__ = ("_connection", "_token")

    def __init__(self, scope: Scope) -> None:
        # The scope itself is not kept: it is much, for as long as the connection lives.
        served = "asgi" in scope or PUSH_EXTENSION in scope.get("extensions", ())
        outer = SyncToAsync.thread_sensitive_context.get(None)
        self._connection = Connection() if served and outer is None and not _suspended else None

    def __enter__(self) -> None:
        connection = self._connection
        if connection is not None:
            SyncToAsync.context_to_thread_executor[connection] = connection.lane
            self._token = SyncToAsync.thread_sensitive_context.set(connection)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.lane.ended = True
            self._connection.lane.leave()
            SyncToAsync.thread_sensitive_context.reset(self._token)


def current_lane() -> Lane | None:
    """Return the lane that sync code of this context has to use; None where that is asgiref's choice.

    It is in code under ``async_to_sync``, which belongs into the thread that waits for it.
    """
    connection: Any = SyncToAsync.thread_sensitive_context.get(None)
    if type(connection) is not Connection or getattr(AsyncToSync.executors, "current", None) is not None:
        return None
    lane: Lane = connection.lane
    return lane


def leave_thread() -> None:
    """A handler of this connection is over: the thread it was in is free for others."""
    connection: Any = SyncToAsync.thread_sensitive_context.get(None)
    if type(connection) is Connection:
        connection.lane.leave()


def door() -> Door:
    """Return the door between the pool and the running event loop."""
    return door_of(asyncio.get_running_loop(), pool, conf.slow_handler)


def suspend() -> None:
    """Give new connections no lane until as many calls of :func:`resume`."""
    global _suspended
    _suspended += 1


def resume() -> None:
    """Undo one :func:`suspend`."""
    global _suspended
    _suspended -= 1
