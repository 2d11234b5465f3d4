"""Background tasks in tests: what was enqueued, running it here and now, and a clock that stands still.

With ``"OPTIONS": {"store": "memory"}`` in the setting ``TASKS`` a test needs no tables. With the store in the
database its tasks are part of the test's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from asgiref.sync import async_to_sync

from channels.tasks.backend import store_of
from channels.tasks.definition.contract import TaskResult, TaskResultStatus, task_backends, task_enqueued
from channels.tasks.definition.options import read_options
from channels.tasks.progress.reporter import Reporter
from channels.tasks.stores.records import Claim, new_owner
from channels.tasks.worker.attempt import Attempt, Origin
from channels.tasks.worker.loop import run as run_async
from channels.tasks.worker.rounds.ticking import Ticking
from channels.tasks.worker.threads import run as run_sync

#: Tasks that one call runs at most: some enqueue others without end.
MOST: Final = 1000
#: Seconds for which the topics of tasks may be behind.
_REPORTED: Final = 5.0


@contextmanager
def captured_tasks() -> Iterator[list[TaskResult[..., Any]]]:
    """Collect the results of what is enqueued while the block runs, on any backend; nothing runs by that."""
    found: list[TaskResult[..., Any]] = []

    def note(task_result: TaskResult[..., Any], **kwargs: Any) -> None:
        found.append(task_result)

    task_enqueued.connect(note)
    try:
        yield found
    finally:
        task_enqueued.disconnect(note)


def run_tasks(backend: str = "default", *, failures: bool = False) -> list[TaskResult[..., Any]]:
    """Run what is due, here and now, and what that enqueues, until nothing is left.

    What waits for a later attempt, or a later time, stays: see :func:`task_clock`. Schedules begin with the
    first call, and tick in later ones.

    Args:
        backend: the alias in the setting ``TASKS``.
        failures: whether tasks may fail. One that is tried again later has not failed yet.

    Returns:
        The results, in the order in which tasks have run; one for each attempt.

    Raises:
        AssertionError: a task has failed, and ``failures`` does not allow it; it has the traceback.
        RuntimeError: a thousand tasks did not suffice.
    """
    made: Any = task_backends[backend]
    store, owner, reporter = store_of(made), new_owner(), Reporter()
    wait_for_code = read_options(backend, made.options).unknown_tasks == "wait"
    origin = Origin(store, type(made), wait_for_code, reporter)
    ran: list[TaskResult[..., Any]] = []
    Ticking(store, backend).run()
    while records := _next(store, owner, backend):
        attempt = Attempt(records[0], origin)
        outcome = async_to_sync(run_async)(attempt) if records[0].lane else run_sync(attempt)
        assert outcome is not None
        outcome = replace(outcome, limit_key=records[0].limit_key)
        store.turn(owner, [outcome], [], backend, ())
        if outcome.report is not None:
            reporter.report(attempt.id, outcome.report)
        ran.append(made.get_result(attempt.id))
        if len(ran) > MOST:
            raise RuntimeError(f"More than {MOST} tasks ran: do they enqueue each other without end?")
    reporter.flush(_REPORTED)
    if not failures:
        _see_that_none_failed(ran)
    return ran


def _see_that_none_failed(results: list[TaskResult[..., Any]]) -> None:
    failed = [each for each in results if each.status == TaskResultStatus.FAILED and each.errors]
    if failed:
        names = ", ".join(each.task.module_path for each in failed)
        raise AssertionError(
            f"{len(failed)} of {len(results)} tasks have failed: {names}. If they may, say "
            f"run_tasks(failures=True). The first of them:\n{failed[0].errors[-1].traceback}"
        )


class TaskClock:
    """The clock of a backend, which stands still until it is moved.

    Args:
        seconds: since 1970.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self) -> float:
        """Return the time, in seconds since 1970."""
        return self._seconds

    def move(self, **parts: float) -> None:
        """Move it on by the parts of a timedelta: ``clock.move(hours=1)``."""
        self._seconds += timedelta(**parts).total_seconds()


@contextmanager
def task_clock(moment: datetime | None = None, backend: str = "default") -> Iterator[TaskClock]:
    """Let the clock of a backend stand still while the block runs, at ``moment`` or now.

    ``run_tasks()`` then runs what is due by it: delayed tasks, later attempts, schedules.
    """
    store = store_of(task_backends[backend])
    before = store.clock
    clock = TaskClock(before() if moment is None else moment.timestamp())
    store.clock = clock
    try:
        yield clock
    finally:
        store.clock = before


def _next(store: Any, owner: str, backend: str) -> Any:
    """Take the next task of any kind."""
    store.promote()
    for recovered in (False, True):
        for lane in (0, 1):
            if records := store.turn(owner, [], [Claim(lane, 1, recovered)], backend, ()):
                return records
    return []
