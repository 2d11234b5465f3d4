"""The serial queue of one connection, and the threads that work such queues off."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from channels.sync.calls import Call

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: A piece of work; it must not raise.
Work = Callable[[], object]


class ThreadHooks(Protocol):
    """What a pool calls in its threads, for whatever work may leave open there."""

    def begin(self) -> object:
        """Prepare for work of a strand that is not bound to this thread."""

    def needs_thread(self) -> bool:
        """Tell whether the last work left something open, for which the strand has to come back here."""

    def abandon(self) -> object:
        """Close what a connection that has ended left open; must not raise."""

    def close_stale(self) -> float | None:
        """Close what is due in this thread, which is idle; returns the seconds until more is, or None."""

    def has_stale(self, thread: threading.Thread) -> bool:
        """Tell from another thread whether ``close_stale`` has something to do in ``thread``."""

    def close_all(self) -> object:
        """Close everything in this thread, which ends."""


class NoHooks:
    """Hooks of a pool whose work leaves nothing open."""

    def begin(self) -> object:
        """Do nothing."""

    def needs_thread(self) -> bool:
        """Return False."""
        return False

    def abandon(self) -> object:
        """Do nothing."""

    def close_stale(self) -> float | None:
        """Do nothing, and ask for no other call."""
        return None

    def has_stale(self, thread: threading.Thread) -> bool:
        """Return False."""
        return False

    def close_all(self) -> object:
        """Do nothing."""


class Scheduler(Protocol):
    """What strands and workers need of the pool; see :class:`channels.sync.pool.Pool`."""

    hooks: ThreadHooks
    keep: float
    lock: threading.Lock

    def put(self, strand: Strand, work: Work, whole: bool = False) -> None:
        """Queue work."""

    def withdraw(self, strand: Strand, work: Work) -> bool:
        """Take work back."""

    def leave(self, strand: Strand) -> None:
        """Let a strand give up the thread of its handler, which is over."""

    def next(self, worker: Worker, done: Strand | None, bound: bool = False) -> tuple[Strand, Work] | None:
        """Give a worker its next piece of work."""

    def retire(self, worker: Worker) -> bool:
        """Let an idle worker end."""


class Worker:
    """One thread of the pool.

    Attributes:
        own: strands that are pinned to it and have work.
        pins: how many strands are pinned to it.
        doing: the work it does at the moment.
        since: when it began that.
        idle: it waits for work.
        stopping: it ends when there is nothing to do.
        reported: whether the log says already that this work takes long.
        reserved_for: the strand whose work alone this thread does: one that is bound to it, or exclusive.
        own_turn: whether its next piece of work is to be one of its own strands'.
        notices: what is put into it makes the idle worker look whether it still is; one too many is harmless.
    """

    __slots__ = (
        "_pool",
        "doing",
        "idle",
        "notices",
        "own",
        "own_turn",
        "pins",
        "reported",
        "reserved_for",
        "since",
        "stopping",
        "thread",
    )

    def __init__(self, pool: Scheduler, name: str) -> None:
        self._pool = pool
        self.own_turn = False
        self.reserved_for: Strand | None = None
        self.notices: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.own: deque[Strand] = deque()
        self.pins = 0
        self.doing: Work | None = None
        self.since = 0.0
        self.reported = False
        self.idle = False
        self.stopping = False
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def deadline(self, start: float, timeout: float) -> float:
        """Return until when to wait for it: ``timeout`` from ``start``, or from when its work began."""
        return min(start, self.since if self.doing is not None else start) + timeout

    @property
    def is_bound(self) -> bool:
        """Whether a strand has left something open in this thread."""
        return self.reserved_for is not None and self.reserved_for.bound

    def _run(self) -> None:
        hooks = self._pool.hooks
        strand: Strand | None = None
        bound = False
        while (task := self._pool.next(self, strand, bound)) is not None or not self.stopping:
            if task is None:
                strand, bound = None, False
                self._rest()
                continue
            strand, self.doing = task
            self.reported = False
            if not strand.bound:
                hooks.begin()
            self.doing()
            self.doing = task = None
            bound = hooks.needs_thread()
        hooks.close_all()

    def _rest(self) -> None:
        """Wait for work; meanwhile close what gets stale in this thread, and end after ``keep`` seconds."""
        left = self._pool.keep
        end = time.monotonic() + left
        while True:
            due = None if self.pins else self._pool.hooks.close_stale()
            noticed = True
            try:
                self.notices.get(timeout=left if due is None else min(due, left))
            except queue.Empty:
                noticed = False
            with self._pool.lock:
                if self.stopping or not self.idle:
                    return
            left = end - time.monotonic()
            if left <= 0 and not noticed:
                if self._pool.retire(self):
                    return
                left = self._pool.keep
                end = time.monotonic() + left
            left = max(0.0, left)


class Strand(Executor):
    """The sync work of one connection: one piece at a time, in order.

    It is an Executor, so that asgiref can send what users give to ``sync_to_async`` the same way.

    Args:
        pool: whose threads do it.
        exclusive: the thread it prefers does no work of others while other threads can be had.

    Attributes:
        worker: the worker it prefers, or is bound to.
        bound: it has left something open in its worker's thread.
        queued: it has work that is queued or being done.
        leaving: when that work is done it prefers no worker any more.
        ended: the connection is over; work that is still put here is done, but keeps no thread.
        abandoned: its last work was to close what the connection had left open.
    """

    __slots__ = (
        "abandoned",
        "bound",
        "ended",
        "exclusive",
        "leaving",
        "pool",
        "queued",
        "worker",
        "works",
    )

    def __init__(self, pool: Scheduler, *, exclusive: bool = False) -> None:
        self.pool = pool
        self.exclusive = exclusive
        self.bound = False
        self.abandoned = False
        self.works: list[Work] = []  # an empty deque takes 760 bytes, for each connection
        self.worker: Worker | None = None
        self.queued = False
        self.leaving = False
        self.ended = False

    def put(self, work: Work, whole: bool = False) -> None:
        """Have ``work`` done in a thread, after what is there already.

        Args:
            work: called without arguments; it must not raise.
            whole: it is a whole handler: after it the strand has no thread any more.
        """
        self.pool.put(self, work, whole)

    def withdraw(self, work: Work) -> bool:
        """Take ``work`` back; returns False if it has begun."""
        return self.pool.withdraw(self, work)

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have ``fn(*args, **kwargs)`` called in a thread; see concurrent.futures."""
        future: Future[_R] = Future()
        self.put(Call(future, partial(fn, *args, **kwargs)))
        return future

    def finish(self) -> None:
        """Note that the handler ends with the work that is being done; called in the thread that does it."""
        self.leaving = True

    def leave(self) -> None:
        """Give up the thread of the handler, which is over, unless something is open in it."""
        if self.worker is not None:
            self.pool.leave(self)
