"""Short calls of many connections, made by one thread in a row.

When a server has restarted all clients reconnect at once, and the user of each is looked up. With
``CONN_MAX_AGE = 0`` a call of its own would open a database connection and close it again, which
takes longer than the query. So a thread that runs one of these calls runs the others that are queued
as well: a *run* needs one database connection for all of them.

One run at a time is enough. Calls that are queued during a run are made by the next one, so runs
get longer as the load grows. A second run starts beside the first only if that one is held up, for
example by a slow database.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from channels.sync.pool import Pool, Strand, Work

logger = logging.getLogger("channels.threads")

#: The most calls of one run, and the seconds after which a run ends, so that other strands have their turn.
AT_ONCE: Final = 64
LONGEST: Final = 0.01
#: Seconds that calls wait for the run under way before a second run is started.
PATIENCE: Final = 0.02


class BatchExecutor:
    """A queue of calls that leave nothing open in the thread, so that one thread may make them in a row.

    Args:
        pool: whose threads make them.
        close_stale: called in the thread before the first call of a run and after the last.
        close_broken: called in the thread between two calls.
        arm_watchdog: called in the loop when a run is queued; see :meth:`LoopBridge.arm_watchdog`.
        ahead: called in the thread with the queued calls, if there are several: it may prepare them
            with one query.
    """

    def __init__(
        self,
        pool: Pool,
        close_stale: Callable[[], object],
        close_broken: Callable[[], object],
        arm_watchdog: Callable[[], object],
        ahead: Callable[[Sequence[Work]], object] = len,
    ) -> None:
        self.pool = pool
        self.close_stale = close_stale
        self.close_broken = close_broken
        self.arm_watchdog = arm_watchdog
        self.ahead = ahead
        self.reset()

    def reset(self) -> None:
        """Forget the queued calls: in a forked process no coroutine waits for them."""
        self.waiting: deque[Work] = deque()
        self._runs = 0  # those that wait for a thread included
        self._queued = 0  # those that wait for one
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._timers = threading.local()

    def strand(self) -> Strand:
        """Return a strand for one call."""
        return _BatchStrand(self)

    def put(self, work: Work) -> None:
        """Have ``work`` done in this run or the next; called in an event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self.waiting.append(work)
            alone = not self._runs and (self._gathering is None or self._gathering.is_closed())
        if alone:
            self._gathering = loop
            loop.call_soon(self._gather, 0)
        if getattr(self._timers, "loop", None) is not loop:
            self._check_later()

    def _check_later(self) -> None:
        self._timers.loop = loop = asyncio.get_running_loop()
        loop.call_later(PATIENCE, self._check_waiting)

    def _gather(self, seen: int) -> None:
        """Begin a run once no more calls are added; called in each turn of the loop until then."""
        count = len(self.waiting)
        if seen < count < AT_ONCE:
            asyncio.get_running_loop().call_soon(self._gather, count)
            return
        self._gathering = None
        self._begin_run()
        self.arm_watchdog()

    def _begin_run(self) -> None:
        with self._lock:
            self._runs += 1
            self._queued += 1
        self._enqueue()

    def _check_waiting(self) -> None:
        """Start a second run if calls have waited too long for the first; called in the loop."""
        self._timers.loop = None
        if self.waiting:
            if not self._queued:
                self._begin_run()
            self.arm_watchdog()  # a thread may have queued the next run itself, with no loop to watch it
            self._check_later()

    def _enqueue(self) -> None:
        Strand(self.pool).put(_BatchRun(self), whole=True)

    # In the thread

    def begin(self) -> None:
        """Note that a thread has taken a run from the queue."""
        with self._lock:
            self._queued -= 1

    def end(self) -> None:
        """Note that a run is over, and queue another one if calls wait."""
        with self._lock:
            more = bool(self.waiting)
            self._runs -= not more
            self._queued += more
        if more:
            self._enqueue()

    def take(self, most: int) -> list[Work]:
        """Take the first queued calls, ``most`` at most."""
        with self._lock:
            return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def withdraw(self, work: Work) -> bool:
        """Take a call back; returns False if it has begun, or is about to."""
        with self._lock:
            try:
                self.waiting.remove(work)
            except ValueError:
                return False
            return True

    def prepare(self) -> None:
        """Have ``ahead`` prepare the queued calls; other threads cannot take them meanwhile."""
        if len(self.waiting) < 2:
            return
        calls = self.take(AT_ONCE)
        try:
            self.ahead(calls)
        finally:
            with self._lock:
                self.waiting.extendleft(reversed(calls))


class _BatchStrand(Strand):
    """The strand of one call, which puts it into the queue of its executor."""

    __slots__ = ("_batch",)

    def __init__(self, batch: BatchExecutor) -> None:
        super().__init__(batch.pool)
        self._batch = batch

    def put(self, work: Work, whole: bool = False) -> None:
        self._batch.put(work)

    def withdraw(self, work: Work) -> bool:
        return self._batch.withdraw(work)


class _BatchRun:
    """One run: the calls that are queued when a thread takes it, or none if another run has made them."""

    __slots__ = ("_batch", "_doing")

    def __init__(self, batch: BatchExecutor) -> None:
        self._batch = batch
        self._doing: Work | None = None

    def __call__(self) -> None:
        self._batch.begin()
        try:
            if self._batch.waiting:
                self._make_calls()
        finally:
            self._batch.end()

    def _make_calls(self) -> None:
        batch = self._batch
        self._safely(batch.close_stale)
        self._safely(batch.prepare)
        began = time.monotonic()
        for number in range(AT_ONCE):
            if number:
                self._safely(batch.close_broken)
            for self._doing in batch.take(1):
                self._doing()
            batch.pool.note_progress()
            if not batch.waiting or time.monotonic() - began >= LONGEST:
                break
        self._safely(batch.close_stale)

    def _safely(self, care: Callable[[], object]) -> None:
        try:
            care()
        except Exception:
            logger.exception("What a thread had opened could not be closed; the thread goes on.")

    def label(self) -> str:
        """Return a description of the call that is being made, for the log of slow handlers."""
        label: Callable[[], str] | None = getattr(self._doing, "label", None)
        return "" if label is None else label()
