"""Short calls of many connections, made in one visit to a thread.

When a server has restarted everybody comes back at once, and for each the user is looked up.
With ``CONN_MAX_AGE = 0`` each visit opens a database connection and closes it again, which
takes longer than the query. So whoever gets a thread makes the calls of the others that wait
as well: as many database connections as threads, and not as many as visitors.

One visit at a time is enough, and what comes meanwhile is made in the next: the more there is
to do, the more is done at once. Only a visit that is held up, by a slow database, gets company.
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

#: Calls made in one visit before others have their turn, and seconds after which they have it anyway.
AT_ONCE: Final = 64
LONGEST: Final = 0.01
#: Seconds that calls wait for a visit under way before there is another one.
PATIENCE: Final = 0.02


class BatchExecutor:
    """A queue of calls that leave nothing behind in the thread, so that any thread may make them in a row.

    Args:
        pool: whose threads make them.
        tidy: called in the thread before the first call of a visit and after the last.
        mend: called in the thread between two calls.
        watch: called in the loop when a visit waits for a thread; see :meth:`Door.arm_watchdog`.
        ahead: called in the thread with the calls that wait, if there are several: it may prepare
            them together.
    """

    def __init__(
        self,
        pool: Pool,
        tidy: Callable[[], object],
        mend: Callable[[], object],
        watch: Callable[[], object],
        ahead: Callable[[Sequence[Work]], object] = len,
    ) -> None:
        self.pool = pool
        self.tidy = tidy
        self.mend = mend
        self.watch = watch
        self.ahead = ahead
        self.reset()

    def reset(self) -> None:
        """Forget what waits: in a forked process nobody waits for it."""
        self.waiting: deque[Work] = deque()
        self._visits = 0  # those that wait for a thread included
        self._queued = 0  # those that wait for one
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._relief = threading.local()

    def place(self) -> Strand:
        """Return a strand for one call."""
        return _BatchStrand(self)

    def put(self, work: Work) -> None:
        """Have ``work`` done in this visit or the next; called in an event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self.waiting.append(work)
            alone = not self._visits and (self._gathering is None or self._gathering.is_closed())
        if alone:
            self._gathering = loop
            loop.call_soon(self._gather, 0)
        if getattr(self._relief, "loop", None) is not loop:
            self._look_again()

    def _look_again(self) -> None:
        self._relief.loop = loop = asyncio.get_running_loop()
        loop.call_later(PATIENCE, self._relieve)

    def _gather(self, seen: int) -> None:
        """Begin a visit, unless calls still come; called in the loop, once in each turn."""
        count = len(self.waiting)
        if seen < count < AT_ONCE:
            asyncio.get_running_loop().call_soon(self._gather, count)
            return
        self._gathering = None
        self._begin_visit()
        self.watch()

    def _begin_visit(self) -> None:
        with self._lock:
            self._visits += 1
            self._queued += 1
        self._enqueue()

    def _relieve(self) -> None:
        """See whether calls have waited for too long; called in the loop."""
        self._relief.loop = None
        if self.waiting:
            if not self._queued:
                self._begin_visit()
            self.watch()  # also over a visit that a thread has asked for: that thread may be busy since
            self._look_again()

    def _enqueue(self) -> None:
        Strand(self.pool).put(_BatchRun(self), whole=True)

    # In the thread

    def begin(self) -> None:
        """A visit has begun."""
        with self._lock:
            self._queued -= 1

    def end(self) -> None:
        """A visit is over: there is another one if calls wait."""
        with self._lock:
            more = bool(self.waiting)
            self._visits -= not more
            self._queued += more
        if more:
            self._enqueue()

    def take(self, most: int) -> list[Work]:
        """Take calls that wait, the first ones."""
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
        """Prepare the calls of a visit, out of reach of other threads meanwhile."""
        if len(self.waiting) < 2:
            return
        calls = self.take(AT_ONCE)
        try:
            self.ahead(calls)
        finally:
            with self._lock:
                self.waiting.extendleft(reversed(calls))


class _BatchStrand(Strand):
    """A place in the queue."""

    __slots__ = ("_together",)

    def __init__(self, together: BatchExecutor) -> None:
        super().__init__(together.pool)
        self._together = together

    def put(self, work: Work, whole: bool = False) -> None:
        self._together.put(work)

    def withdraw(self, work: Work) -> bool:
        return self._together.withdraw(work)


class _BatchRun:
    """One visit: the calls that wait, or none if others have made them all."""

    __slots__ = ("_doing", "_together")

    def __init__(self, together: BatchExecutor) -> None:
        self._together = together
        self._doing: Work | None = None

    def __call__(self) -> None:
        self._together.begin()
        try:
            if self._together.waiting:
                self._make_calls()
        finally:
            self._together.end()

    def _make_calls(self) -> None:
        together = self._together
        self._safely(together.tidy)
        self._safely(together.prepare)
        began = time.monotonic()
        for number in range(AT_ONCE):
            if number:
                self._safely(together.mend)
            for self._doing in together.take(1):
                self._doing()
            together.pool.note_progress()
            if not together.waiting or time.monotonic() - began >= LONGEST:
                break
        self._safely(together.tidy)

    def _safely(self, care: Callable[[], object]) -> None:
        try:
            care()
        except Exception:
            logger.exception("What a thread had opened could not be closed; the thread goes on.")

    def label(self) -> str:
        """Say what is called at the moment, for whoever logs that it takes long."""
        label: Callable[[], str] | None = getattr(self._doing, "label", None)
        return "" if label is None else label()
