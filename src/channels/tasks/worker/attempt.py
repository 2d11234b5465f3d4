"""One attempt at a task: what it is called with, and what becomes of the task when it has ended."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any, Final

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.tasks.context import Context
from channels.tasks.definition import contract
from channels.tasks.definition.contract import (
    LOGGER,
    TaskError,
    TaskResultStatus,
    task_finished,
    task_started,
)
from channels.tasks.definition.encoding import encode
from channels.tasks.definition.results import change, moment, result_of, task_at
from channels.tasks.definition.states import MOVES, STATUS, Move
from channels.tasks.definition.task import Task
from channels.tasks.exceptions import TaskCancelled, TimedOut, UnknownTask
from channels.tasks.progress.reporter import Reporter
from channels.tasks.progress.reports import Report
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import MICROSECONDS, Outcome, TaskRecord, note_task

logger = logging.getLogger(LOGGER)

#: Characters of a traceback that are kept: its beginning, and its end.
LONGEST_TRACEBACK: Final = 100_000
#: Seconds that a task waits whose code is not there yet.
_DEPLOY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the tasks of a worker are from.

    Attributes:
        store: where they are kept.
        sender: the class of their backend, for signals.
        wait_for_code: whether a task without code waits for a deploy; else it fails.
        reporter: who publishes what they report.
    """

    store: TaskStore
    sender: type[Any]
    wait_for_code: bool
    reporter: Reporter


class Attempt:
    """An attempt at a task that this worker has claimed.

    Args:
        record: the task's row.
        origin: where it is from.

    Attributes:
        stopping: set when the task is to end: it was cancelled, or is another worker's now.
        deadline: when it has to have ended, by ``time.monotonic()``; None: it has not begun, or no limit.
    """

    def __init__(self, record: TaskRecord, origin: Origin) -> None:
        self.id = record.id
        self.stopping = threading.Event()
        self.deadline: float | None = None
        self._end_taken = threading.Lock()
        self._record, self._origin = record, origin
        self._has_reported = False
        self._begun = 0.0

    def begin(self) -> tuple[contract.Task, tuple[Any, ...], dict[str, Any]]:
        """Return the task and what to call it with; tell that it starts.

        Raises:
            UnknownTask: there is no such task in this code.
        """
        self.result = result_of(self._record)
        self.task = task_at(self._record.path)
        task_started.send_robust(self._origin.sender, task_result=self.result)
        self._begun = time.monotonic()
        if telemetry.listeners:
            waited = (self._origin.store.now() - self._record.run_at) / MICROSECONDS
            row = self._record
            telemetry.emit(
                "tasks.attempt_started",
                id=row.id,
                path=row.path,
                queue=row.queue,
                waited=waited,
                arguments=row.arguments,
            )
        if delivery_log.note is not None:
            note_task(self._record, "started", f"attempt {self._record.attempts}")
        if self.timeout is not None:
            self.deadline = time.monotonic() + self.timeout
        args = tuple(self.result.args)
        if self.task.takes_context:
            context = Context(
                task_result=self.result,
                _stopping=self.stopping,
                _report=self._report,
                _previous=self._previous,
            )
            args = (context, *args)
        return self.task, args, self.result.kwargs

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take; None for no limit."""
        return self.task.timeout if isinstance(self.task, Task) else None

    def take_end(self) -> bool:
        """Return whether the caller is the first to say how it has ended; no other may."""
        return self._end_taken.acquire(blocking=False)

    def cut_off(self) -> Outcome:
        """Return what becomes of it after its time limit."""
        self.stopping.set()
        try:
            raise TimedOut(f"It took longer than its timeout, {self.timeout} s.")
        except TimedOut as error:
            return self.fail(error)

    def succeed(self, value: Any) -> Outcome:
        """Return what becomes of it after it has returned ``value``; it has failed if JSON has no such."""
        try:
            encoded = encode(value, "the return value")
            self._finish(Move.SUCCEED, json.loads(encoded))
        except Exception as error:
            return self.fail(error)
        return Outcome(
            self.id,
            Move.SUCCEED,
            errors=self._record.errors,
            result=encoded,
            report=self._last_report(),
            counts_for=self._record.counts_for,
        )

    def fail(self, error: BaseException) -> Outcome:
        """Return what becomes of it after ``error``; called where that is handled, so that logs show it."""
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)  # they may hold what has filled it
        try:
            return self._fail(error)
        except Exception as second:
            # Its end has to be written all the same: else it would be running for ever.
            text = f"Its traceback cannot be written: {type(second).__name__}"
            logger.error(
                "Task id=%s path=%s failed with an error that cannot be written.", self.id, self._record.path
            )
            errors = json.dumps([[_path_of(error), text]])
            self._tell_end("FAILED", error)
            return Outcome(self.id, Move.FAIL, errors=errors, counts_for=self._record.counts_for)

    def _fail(self, error: BaseException) -> Outcome:
        if not hasattr(self, "task"):
            return self._not_begun(error)
        if isinstance(error, TaskCancelled | asyncio.CancelledError) and self.stopping.is_set():
            return self._end(Move.STOP, error)
        policy = self.task
        if isinstance(policy, Task) and self._may_retry(policy, error):
            return self._retry(policy, error)
        return self._end(Move.FAIL, error)

    def _may_retry(self, policy: Task, error: BaseException) -> bool:
        return self._record.attempts < policy.max_attempts and isinstance(error, policy.retry_on)

    def _retry(self, policy: Task, error: BaseException) -> Outcome:
        seconds = policy.delay_after(self._record.attempts)
        telemetry.count("tasks.retried", path=self._record.path)
        self._tell_end("RETRIED", error)
        logger.warning(
            "Task id=%s path=%s failed at attempt %s of %s, and is tried again in %.1f s.",
            self.id, self._record.path, self._record.attempts, policy.max_attempts, seconds, exc_info=error,
        )  # fmt: skip
        return Outcome(self.id, Move.RETRY, errors=self._errors(error), run_at=self._in(seconds))

    def _not_begun(self, error: BaseException) -> Outcome:
        """Return what becomes of a task without code, or with a row that nobody can read."""
        if isinstance(error, UnknownTask):
            return self._without_code(error)
        logger.error("Task id=%s path=%s cannot be started.", self.id, self._record.path, exc_info=error)
        group = self._record.counts_for
        return Outcome(self.id, Move.FAIL, errors=self._errors(error), counts_for=group)

    def _without_code(self, error: UnknownTask) -> Outcome:
        telemetry.count("tasks.unknown", path=self._record.path)
        if not self._origin.wait_for_code:
            return self._end(Move.FAIL, error)
        logger.error("Task id=%s waits for a deploy. %s It is tried again in %d s.", self.id, error, _DEPLOY)
        return Outcome(self.id, Move.RETRY, errors=self._record.errors, run_at=self._in(_DEPLOY))

    def _end(self, move: Move, error: BaseException) -> Outcome:
        text = self._errors(error)
        self.result.errors.append(_task_error(error))
        self._finish(move, None, error)
        report, group = self._last_report(), self._record.counts_for
        return Outcome(self.id, move, errors=text, report=report, counts_for=group)

    def _previous(self) -> list[contract.TaskResult]:
        """Return the results of what it has waited for."""
        group = self._record.waits_for
        return [result_of(each) for each in self._origin.store.of_group(group)] if group else []

    def _report(self, report: Report) -> None:
        """Take what the task says of itself."""
        self._has_reported = True
        if not self.stopping.is_set():
            self._origin.reporter.report(self.id, report)

    def _last_report(self) -> Report | None:
        """Return the word that it has ended, if somebody waits for it."""
        return Report.of(self.result) if self._record.viewer or self._has_reported else None

    def _finish(self, move: Move, value: Any, error: BaseException | None = None) -> None:
        status = STATUS[MOVES[move][1]]
        change(self.result, status=status, finished_at=moment(self._origin.store.now()))
        if status == TaskResultStatus.SUCCESSFUL:
            change(self.result, _return_value=value)
        task_finished.send_robust(self._origin.sender, task_result=self.result)
        self._tell_end(str(status), error)

    def _tell_end(self, status: str, error: BaseException | None) -> None:
        if delivery_log.note is not None:
            note_task(self._record, "ended", status if error is None else f"{status}: {_path_of(error)}")
        if telemetry.listeners:
            telemetry.emit(
                "tasks.attempt_ended",
                id=self.id,
                path=self._record.path,
                status=status,
                seconds=time.monotonic() - self._begun,
                error="" if error is None else _path_of(error),
            )

    def _errors(self, error: BaseException) -> str:
        described = _task_error(error)
        known = [] if self._record.errors == "[]" else json.loads(self._record.errors)
        return json.dumps([*known, [described.exception_class_path, described.traceback]])

    def _in(self, seconds: float) -> int:
        return self._origin.store.now() + int(seconds * MICROSECONDS)


def _task_error(error: BaseException) -> TaskError:
    text = "".join(traceback.format_exception(error))
    if len(text) > LONGEST_TRACEBACK:
        half = LONGEST_TRACEBACK // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n... {left_out} characters are left out ...\n{text[-half:]}"
    return TaskError(exception_class_path=_path_of(error), traceback=text)


def _path_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
