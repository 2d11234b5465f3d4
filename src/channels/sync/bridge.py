"""The bridge between the pool and one event loop: it wakes coroutines, and watches over the queue."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Protocol

from channels import conf, telemetry
from channels.sync.pool import STALL, Pool, Worker
from channels.sync.saturation import Saturation, label_of

#: Seconds until the next look at a queue for which no thread is to be had.
FULL = 0.05
logger = logging.getLogger("channels.threads")


class Waker(Protocol):
    """Something in the loop that a thread can wake."""

    def wake(self) -> None:
        """Look at what the thread has done; called in the loop's thread."""


class LoopBridge:
    """Collects the wakers that threads announce, so that many at once cost the loop one wake-up.

    Args:
        loop: the loop.
        pool: the pool whose queue and handlers are watched from here.
        slow: called for the number of seconds after which a handler is logged; None: never.
        saturation: what happens when every thread is held; None for a new one.
    """

    __slots__ = (
        "_growth_timer",
        "_patience",
        "_pool",
        "_saturation",
        "_scheduled",
        "_slow",
        "_wakers",
        "_watchdog",
        "loop",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        slow: Callable[[], float | None],
        saturation: Saturation | None = None,
    ) -> None:
        self.loop = loop
        self._pool = pool
        self._slow = slow
        self._saturation = saturation or Saturation(pool, conf.thread_wait)
        self._wakers: deque[Waker] = deque()
        self._scheduled = False
        self._growth_timer: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._patience: float | None = None

    def announce(self, waker: Waker) -> bool:
        """Have ``waker.wake()`` called in the loop; from any thread.

        Returns:
            False if the loop is closed, so that ``wake()`` will not be called.
        """
        self._wakers.append(waker)
        if not self._scheduled:
            self._scheduled = True
            try:
                self.loop.call_soon_threadsafe(self._wake_all)
            except RuntimeError:
                self._scheduled = False
                self._wakers.clear()
                return False
        return True

    def _wake_all(self) -> None:
        # This comes first: a waker that is announced from now on needs another wake-up.
        self._scheduled = False
        while self._wakers:
            self._wakers.popleft().wake()

    def arm_watchdog(self) -> None:
        """Watch over the work just put into the pool: add threads if it stalls, log slow handlers."""
        if self._pool.ready:
            if time.monotonic() - self._pool.moved_at >= STALL:
                self._pool.grow_if_stalled()
            if self._growth_timer is None:
                self._growth_timer = self.loop.call_later(STALL, self._grow)
        if self._watchdog is None:
            self._patience = self._slow()
            self._watchdog = self.loop.call_later(self._patience or self._saturation.limit(), self._look)

    def _grow(self) -> None:
        self._growth_timer = None
        grown = self._pool.grow_if_stalled()
        if self._pool.ready:
            self._growth_timer = self.loop.call_later(STALL if grown else FULL, self._grow)
            self._saturation.expire()

    def _look(self) -> None:
        """Log the handlers that take too long; look again when the next may."""
        self._watchdog = None
        self._patience = self._slow()
        busy = [worker for worker in self._pool.workers if not worker.idle]
        if not busy:
            return
        self._saturation.report()
        if self._patience is None:
            self._watchdog = self.loop.call_later(self._saturation.limit(), self._look)
            return
        now = time.monotonic()
        for worker in busy:
            if worker.doing is not None and not worker.reported and now - worker.since >= self._patience:
                worker.reported = True
                report(worker, now - worker.since)
        wait = self._patience - (now - max(worker.since for worker in busy))
        self._watchdog = self.loop.call_later(wait if wait > 0 else self._patience, self._look)


def report(worker: Worker, seconds: float) -> None:
    """Log which handler holds a thread, for how long, and where it is at the moment."""
    frame = sys._current_frames().get(worker.thread.ident or 0)
    telemetry.count("threads.slow_handler", thread=worker.thread.name, seconds=seconds)
    logger.warning(
        "A handler has held the thread %s for %.1f s (CHANNELS_SLOW_HANDLER). %s It is here:\n%s",
        worker.thread.name,
        seconds,
        label_of(worker),
        "".join(traceback.format_stack(frame)) if frame is not None else "(it has just ended)",
    )
