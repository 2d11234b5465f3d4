"""The lane of sync tasks: threads, and what waits for one of them."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from channels.core.database import close_old_connections, close_what_is_broken
from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt

#: Seconds of work that may wait behind what runs, by the pace of late; no more than so many tasks.
AHEAD: Final = 0.05
MOST_AHEAD: Final = 100
#: Seconds after which what waits is given back: what runs takes longer than tasks did of late.
PATIENCE: Final = 0.25
#: Seconds after which a thread that was idle looks after its database connections before it goes on.
_IDLE: Final = 30.0


class ThreadLane:
    """Runs sync tasks in threads.

    It takes more tasks than it has threads only while they are short: of long ones the second would wait here
    while other workers are idle.

    Args:
        threads: how many.
        ended: called with the outcome of each attempt, in its thread.
        freed: called after that, when another may take its place.
    """

    def __init__(self, threads: int, ended: Callable[[Outcome], None], freed: Callable[[], None]) -> None:
        self._count, self._ended, self._freed = threads, ended, freed
        self._waiting: deque[tuple[float, Attempt]] = deque()
        self._changed = threading.Condition()
        self._pace = 2 * AHEAD
        self.running: dict[str, Attempt] = {}

    def start(self) -> None:
        """Start the threads. They end with the process: a task that never ends must not keep it."""
        for number in range(self._count):
            threading.Thread(target=self._run, name=f"task-{number}", daemon=True).start()

    def room(self) -> int:
        """Return how many more tasks it would take."""
        ahead = min(MOST_AHEAD, int(AHEAD / self._pace)) if self._count else 0
        waiting = len(self._waiting)
        # Few large claims instead of many small ones.
        return 0 if waiting > ahead / 2 else max(0, self._count + ahead - len(self.running) - waiting)

    def free(self) -> int:
        """Return how many tasks it would start at once."""
        return max(0, self._count - len(self.running) - len(self._waiting))

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
            self._ended(outcome)
            self.running.pop(attempt.id, None)
            self._freed()

    def _next(self) -> Attempt:
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            _, attempt = self._waiting.popleft()
            self.running[attempt.id] = attempt
            return attempt


def run(attempt: Attempt) -> Outcome:
    """Run an attempt in this thread."""
    try:
        task, args, kwargs = attempt.begin()
        return attempt.succeed(task.call(*args, **kwargs))
    except BaseException as error:
        return attempt.fail(error)
