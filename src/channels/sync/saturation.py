"""What happens when every thread is held: calls fail after a limit, and the log names what holds them."""

from __future__ import annotations

import logging
import math
import sys
import time
import traceback
from collections.abc import Callable
from typing import Final

from channels import telemetry
from channels.exceptions import ThreadPoolExhausted
from channels.sync.pool import Pool, Worker

logger = logging.getLogger("channels.threads")

#: Seconds between two records of who holds the threads.
INTERVAL: Final = 60.0
#: Different stacks that one record shows.
STACKS: Final = 10
#: Seconds between two looks for calls that have waited too long.
LOOK: Final = 0.25
#: Seconds since a thread has taken work for which the pool counts as not exhausted, whatever the limit.
MOMENT: Final = 0.01


class Saturation:
    """Knows when a pool is exhausted: all its threads have been held for longer than a limit.

    Args:
        pool: the threads.
        limit: called for the number of seconds.
    """

    def __init__(self, pool: Pool, limit: Callable[[], float]) -> None:
        self._pool = pool
        self.limit = limit
        self._looked_at = 0.0
        self._reported_at = -math.inf

    def obstacle(self) -> str:
        """Return what to say about it; "" while the pool is not exhausted."""
        limit = self.limit()
        if self._pool.held_for() <= limit:
            return ""
        return (
            f"each of the {self._pool.size()} threads for sync code (CHANNELS_THREADS) has been held "
            f"for more than {limit:g} s (CHANNELS_THREAD_WAIT)"
        )

    def admit(self) -> float:
        """Return since when a call waits for a thread, in ``time.monotonic()``; 0 if it need not wait.

        Raises:
            ThreadPoolExhausted: every thread has been held for longer than the limit.
        """
        pool = self._pool
        if not pool.ready and (pool.idle or not pool.is_full):
            return 0.0
        now = time.monotonic()
        # Row "page": with many requests at once each comes by here, and reading settings takes microseconds.
        if now - pool.taken_at < MOMENT or not pool.is_full:
            return now
        reason = self.obstacle()
        if reason:
            telemetry.count("threads.refused", reason="held")
            raise ThreadPoolExhausted(f"{reason[0].upper()}{reason[1:]}. The log names who holds them.")
        return now

    def expire(self) -> None:
        """Fail the calls that have waited for too long, and say who holds the threads."""
        now = time.monotonic()
        if now - self._looked_at < LOOK:
            return
        self._looked_at = now
        for work in self._pool.expired(now - self.limit()):
            telemetry.count("threads.refused", reason="waited")
            work.expire(
                ThreadPoolExhausted(
                    f"No thread was free for {self.limit():g} s: {self._pool.size()} are busy "
                    "(CHANNELS_THREADS, CHANNELS_THREAD_WAIT)."
                )
            )
        self.report()

    def report(self) -> None:
        """Log who holds the threads if the pool is exhausted, once in a while."""
        now = time.monotonic()
        if now - self._reported_at < INTERVAL or not (reason := self.obstacle()):
            return
        self._reported_at = now
        telemetry.count("threads.exhausted", threads=len(self._pool.workers))
        logger.error("Sync code has no thread left: %s. They are held by:\n%s", reason, self._holders())

    def _holders(self) -> str:
        """Describe what the threads do; threads with the same stack are described once."""
        frames = sys._current_frames()
        alike: dict[str, list[Worker]] = {}
        for worker in tuple(self._pool.workers):
            frame = frames.get(worker.thread.ident or 0)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else "(it has just ended)\n"
            alike.setdefault(stack, []).append(worker)
        most = sorted(alike.items(), key=lambda item: -len(item[1]))
        shown = [_described(workers, stack) for stack, workers in most[:STACKS]]
        more = [f"... and {len(most) - STACKS} other stacks"] if len(most) > STACKS else []
        return "\n".join([*shown, *more])


def label_of(worker: Worker) -> str:
    """Say which handler, page or call a thread is busy with."""
    label: Callable[[], str] | None = getattr(worker.doing, "label", None)
    if label is not None:
        return label()
    if worker.doing is None:
        return "Nothing runs, but a transaction or a cursor is open."
    return "It was called through sync_to_async."


def _described(workers: list[Worker], stack: str) -> str:
    first = workers[0]
    seconds = time.monotonic() - first.since
    return f"{len(workers)} of them, as {first.thread.name} for {seconds:.1f} s. {label_of(first)}\n{stack}"
