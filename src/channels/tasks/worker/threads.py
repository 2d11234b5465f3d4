"""The lane of sync tasks: threads, and what waits for one of them."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from channels import telemetry
from channels.core.database import close_old_connections, close_what_is_broken
from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt
from channels.tasks.worker.forks import end_if_forked, forks

logger = logging.getLogger("channels.tasks")

#: Seconds of work that may wait behind what runs, by the pace of late; no more than so many tasks.
AHEAD: Final = 0.05
MOST_AHEAD: Final = 100
#: Seconds after which a thread that was idle looks after its database connections before it goes on.
_IDLE: Final = 30.0
#: How many threads may hang in tasks that were cut off, for each that works.
_STUCK: Final = 8


class ThreadLane:
    """Runs sync tasks in threads.

    It takes more tasks than it has threads only while they are short: of long ones the second would wait here
    while other workers are idle.

    Args:
        threads: how many.
        ended: called with the outcome of each attempt, in its thread.
        freed: called after that, when another may take its place.

    Attributes:
        worn_out: called when too many threads are stuck for it to go on as before; in any thread.
    """

    def __init__(self, threads: int, ended: Callable[[Outcome], None], freed: Callable[[], None]) -> None:
        self._count, self._ended, self._freed = threads, ended, freed
        self._waiting: deque[tuple[float, Attempt]] = deque()
        self._changed = threading.Condition()
        self._pace = 2 * AHEAD
        self._stuck = 0
        self.worn_out: Callable[[], object] = lambda: None
        self.running: dict[str, Attempt] = {}

    def start(self) -> None:
        """Start the threads. They end with the process: a task that never ends must not keep it."""
        for _ in range(self._count):
            self._start_thread()

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="task", daemon=True).start()

    def room(self) -> int:
        """Return how many more tasks it would take."""
        ahead = min(MOST_AHEAD, int(AHEAD / self._pace)) if self._count else 0
        waiting = len(self._waiting)
        # Few large claims instead of many small ones.
        return 0 if waiting > ahead / 2 else max(0, self._count + ahead - len(self.running) - waiting)

    def free(self) -> int:
        """Return how many tasks it would start at once."""
        return max(0, self._count - len(self.running) - len(self._waiting))

    def deadline(self) -> float | None:
        """Return when the first of those that run has to have ended, by ``time.monotonic()``."""
        deadlines = [each.deadline for each in tuple(self.running.values()) if each.deadline is not None]
        return min(deadlines, default=None)

    def cut_off(self, now: float) -> list[Outcome]:
        """Give up what has run for too long; returns what becomes of it.

        Its thread cannot be ended. Another takes its place, unless too many threads are stuck like that.
        """
        late = [
            each
            for each in tuple(self.running.values())
            if each.deadline is not None and now >= each.deadline
        ]
        outcomes = []
        for attempt in late:
            attempt.deadline = None
            if attempt.take_end():
                telemetry.count("tasks.timed_out", lane="threads")
                outcomes.append(attempt.cut_off())
                self._replace(attempt)
        return outcomes

    def _replace(self, attempt: Attempt) -> None:
        with self._changed:
            if self._stuck >= _STUCK * self._count:
                worn_out = attempt.id in self.running
            elif self.running.pop(attempt.id, None) is None:
                return
            else:
                self._stuck += 1
                worn_out = False
        if worn_out:
            self._tell_that_it_is_worn_out()
        else:
            self._start_thread()

    def _tell_that_it_is_worn_out(self) -> None:
        telemetry.count("tasks.worn_out")
        logger.error(
            "%d threads hang in tasks that were cut off, and no more are started in their place: "
            "give these tasks limits of their own, and restart this worker.",
            self._stuck + 1,
        )
        self.worn_out()

    def put(self, attempts: list[Attempt]) -> None:
        """Run attempts, the first of them first."""
        now = time.monotonic()
        with self._changed:
            self._waiting.extend((now, attempt) for attempt in attempts)
            self._changed.notify(len(attempts))

    def waits_since(self) -> float | None:
        """Return since when the oldest of those that are not started waits."""
        try:
            return self._waiting[0][0]
        except IndexError:
            return None

    def take_back(self) -> list[Attempt]:
        """Return what was not started, and forget it."""
        with self._changed:
            attempts = [attempt for _, attempt in self._waiting]
            self._waiting.clear()
        if attempts:
            self._pace = 2 * AHEAD
        return attempts

    def stop(self, task_id: str) -> None:
        """Tell a task that it is to end."""
        attempt = self.running.get(task_id)
        if attempt is not None:
            attempt.stopping.set()

    def held(self) -> set[str]:
        """Return the ids of the tasks that it has."""
        with self._changed:
            return {*self.running, *(attempt.id for _, attempt in self._waiting)}

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            attempt = self._next()
            started = time.monotonic()
            if started - idle_since > _IDLE:
                close_old_connections()
            outcome = contextvars.Context().run(run, attempt)
            close_what_is_broken()
            idle_since = time.monotonic()
            took = idle_since - started
            self._pace = max(took, 0.9 * self._pace + 0.1 * took, 1e-6)
            if outcome is not None:
                self._ended(outcome)
            if not self._leave(attempt):
                return
            self._freed()

    def _leave(self, attempt: Attempt) -> bool:
        """Note that an attempt is over; returns whether its thread goes on."""
        with self._changed:
            if self.running.get(attempt.id) is attempt:
                del self.running[attempt.id]
                return True
            self._stuck -= 1
            return False  # another thread was started in its place

    def _next(self) -> Attempt:
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            _, attempt = self._waiting.popleft()
            self.running[attempt.id] = attempt
            return attempt


def run(attempt: Attempt) -> Outcome | None:
    """Run an attempt in this thread; returns None if it was cut off meanwhile."""
    before = forks()
    try:
        task, args, kwargs = attempt.begin()
        value = task.call(*args, **kwargs)
    except BaseException as error:
        return attempt.fail(error) if _is_ours(attempt, before) else None
    return attempt.succeed(value) if _is_ours(attempt, before) else None


def _is_ours(attempt: Attempt, before: int) -> bool:
    """Whether the end of an attempt is this thread's to tell; what the task has forked ends here."""
    end_if_forked(before)
    return attempt.take_end()
