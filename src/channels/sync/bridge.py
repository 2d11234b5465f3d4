"""The bridge between the pool and one event loop: what threads hand over, and who looks at the clock."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from channels import conf, telemetry
from channels.sync.pool import STALL, Pool, Worker
from channels.sync.saturation import Saturation, label_of

#: Seconds until the next look at a queue for which no thread is to be had.
FULL = 0.05
logger = logging.getLogger("channels.threads")
_here = threading.local()


class Waker(Protocol):
    """Whoever waits in the loop for news from a thread."""

    def wake(self) -> None:
        """There is news; called in the loop's thread."""


class LoopBridge:
    """What threads have for one event loop, collected, so that many at once cost one wake-up.

    Args:
        loop: the loop.
        pool: the pool whose queue and handlers are watched from here.
        slow: called for the number of seconds after which a handler is logged; None: never.
        saturation: what is to happen when every thread is held; None for one of its own.
    """

    __slots__ = ("_news", "_patience", "_pool", "_relief", "_rung", "_saturation", "_slow", "_watch", "loop")

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
        self._news: deque[Waker] = deque()
        self._rung = False
        self._relief: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._patience: float | None = None

    def announce(self, visitor: Waker) -> bool:
        """Have ``visitor.wake()`` called in the loop; from any thread.

        Returns:
            False if the loop is closed, and nobody is left to hear of it.
        """
        self._news.append(visitor)
        if not self._rung:
            self._rung = True
            try:
                self.loop.call_soon_threadsafe(self._open)
            except RuntimeError:
                self._rung = False
                self._news.clear()
                return False
        return True

    def _open(self) -> None:
        # First this: what comes from now on rings again.
        self._rung = False
        while self._news:
            self._news.popleft().wake()

    def arm_watchdog(self) -> None:
        """See to it that what was just put into the pool does not wait for a blocked thread, or unseen."""
        if self._pool.waiting:
            self._pool.grow_if_stalled()
            if self._relief is None:
                self._relief = self.loop.call_later(STALL, self._relieve)
        if self._watch is None:
            self._patience = self._slow()
            self._watch = self.loop.call_later(self._patience or self._saturation.limit(), self._look)

    def _relieve(self) -> None:
        self._relief = None
        relieved = self._pool.grow_if_stalled()
        if self._pool.waiting:
            self._relief = self.loop.call_later(STALL if relieved else FULL, self._relieve)
            self._saturation.expire()

    def _look(self) -> None:
        """Log the handlers that take too long; look again when the next may."""
        self._watch = None
        self._patience = self._slow()
        busy = [worker for worker in self._pool.workers if not worker.idle]
        if not busy:
            return
        self._saturation.report()
        if self._patience is None:
            self._watch = self.loop.call_later(self._saturation.limit(), self._look)
            return
        now = time.monotonic()
        for worker in busy:
            if worker.doing is not None and not worker.reported and now - worker.since >= self._patience:
                worker.reported = True
                report(worker, now - worker.since)
        wait = self._patience - (now - max(worker.since for worker in busy))
        self._watch = self.loop.call_later(wait if wait > 0 else self._patience, self._look)


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


def bridge_of(
    loop: asyncio.AbstractEventLoop,
    pool: Pool,
    slow: Callable[[], float | None],
    saturation: Saturation | None = None,
) -> LoopBridge:
    """Return the bridge of the loop that runs in this thread; a new loop gets a new one."""
    bridge: Any = getattr(_here, "bridge", None)
    if bridge is None or bridge.loop is not loop or bridge._pool is not pool:
        bridge = _here.bridge = LoopBridge(loop, pool, slow, saturation)
    return bridge  # type: ignore[no-any-return]
