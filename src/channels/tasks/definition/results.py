"""A row as ``django.tasks`` shows it: the task by its path, and a result."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from channels.tasks.definition import contract
from channels.tasks.definition.contract import TaskError, TaskResult
from channels.tasks.definition.states import STATUS, State
from channels.tasks.definition.task import DEFAULTS
from channels.tasks.exceptions import UnknownTask
from channels.tasks.stores.records import MICROSECONDS, TaskRecord


def task_at(path: str) -> contract.Task:
    """Return the task with a path.

    Raises:
        UnknownTask: there is none.
    """
    try:
        found = import_string(path)
    except ImportError as error:
        raise UnknownTask(f"There is no task {path!r} in this code: {error}") from error
    if not isinstance(found, contract.Task):
        raise UnknownTask(f"{path!r} is no task but a {type(found).__name__}: @task goes on top.")
    return found


def leads_back(task: contract.Task) -> bool:
    """Whether the path of a task leads to it, so that a worker finds it."""
    if task.func.__module__ == "__main__":
        return False
    try:
        return task_at(task.module_path).func is task.func
    except UnknownTask:
        return False


def result_of(record: TaskRecord, result_class: Any = TaskResult) -> TaskResult:
    """Return the result of a row; of a task whose code is gone, too."""
    args, kwargs, *_ = json.loads(record.arguments)  # and maybe what travels beside these
    errors = json.loads(record.errors)
    result: TaskResult = result_class(
        task=_task_of(record),
        id=record.id,
        status=STATUS[State(record.state)],
        enqueued_at=moment(record.enqueued_at),
        started_at=moment(record.started_at),
        last_attempted_at=moment(record.last_attempted_at),
        finished_at=moment(record.finished_at),
        args=args,
        kwargs=kwargs,
        backend=record.backend,
        errors=[TaskError(exception_class_path=path, traceback=text) for path, text in errors],
        worker_ids=record.owners.split(),
    )
    if record.result is not None:
        change(result, _return_value=json.loads(record.result))
    return result


def moment(microseconds: int | None) -> datetime | None:
    """Return a time of a row as Django has times; naive in the local zone with ``USE_TZ = False``."""
    if microseconds is None:
        return None
    seconds = microseconds / MICROSECONDS
    return datetime.fromtimestamp(seconds, UTC) if settings.USE_TZ else datetime.fromtimestamp(seconds)


def microseconds_of(moment: datetime) -> int:
    """Return a time of Django's as rows have it."""
    return int(moment.timestamp() * MICROSECONDS)


def change(result: TaskResult, **values: Any) -> None:
    """Set attributes of a result, which is frozen, as the backends of ``django.tasks`` do."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _task_of(record: TaskRecord) -> contract.Task:
    """Return the task of a row, with the priority, queue and time of the row."""
    try:
        task = task_at(record.path)
    except UnknownTask:
        task = _without_code(record)
    run_after = _run_after(record)
    if (task.priority, task.queue_name, task.backend, task.run_after) == (
        record.priority, record.queue, record.backend, run_after,
    ):  # fmt: skip
        return task
    # Not by using(): it would ask whether the backend still has this queue.
    return _as_enqueued(task, record, run_after)


def _run_after(record: TaskRecord) -> datetime | None:
    """Return when a task was to run at the earliest; None: at once.

    What it waits for after an attempt is none of that.
    """
    started = record.started_at if record.started_at is not None else record.run_at
    return moment(record.run_at) if record.enqueued_at < record.run_at <= started else None


#: The fields of a task that a row may change.
_OF_THE_ROW: Final = ("priority", "queue_name", "backend", "run_after")


def _as_enqueued(task: contract.Task, record: TaskRecord, run_after: datetime | None) -> contract.Task:
    copy = object.__new__(type(task))
    for name in type(task).__dataclass_fields__:
        object.__setattr__(copy, name, getattr(task, name))
    for name, value in zip(
        _OF_THE_ROW, (record.priority, record.queue, record.backend, run_after), strict=True
    ):
        object.__setattr__(copy, name, value)
    return copy


def _without_code(record: TaskRecord) -> contract.Task:
    """Return a task that stands for one whose code is gone: it has its path, and cannot be called."""

    def gone(*args: Any, **kwargs: Any) -> None:
        raise UnknownTask(f"There is no task {record.path!r} in this code any more.")

    gone.__module__, _, gone.__qualname__ = record.path.rpartition(".")
    gone.__name__ = gone.__qualname__
    task = object.__new__(contract.Task)
    for name, value in {**DEFAULTS, "func": gone}.items():
        object.__setattr__(task, name, value)
    return task
