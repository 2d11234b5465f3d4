"""The backend: what Django calls. It is made before the apps are ready, and once for each thread."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from django.apps import apps
from django.core import checks
from django.db import connections, transaction

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.tasks.definition import contract
from channels.tasks.definition.contract import (
    BaseTaskBackend,
    InvalidTask,
    TaskResult,
    TaskResultDoesNotExist,
    task_backends,
    task_enqueued,
)
from channels.tasks.definition.encoding import encode
from channels.tasks.definition.options import read_options
from channels.tasks.definition.results import leads_back, microseconds_of, result_of
from channels.tasks.definition.states import State
from channels.tasks.definition.task import Task, check_policy, is_async, limit_of, unique_key, viewer_id
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.manager import store_for
from channels.tasks.stores.records import TaskRecord, new_id, note_task

Call: TypeAlias = "tuple[contract.Task, Sequence[Any], dict[str, Any]]"

_ID: Final = re.compile(r"[0-9a-f]{32}")
#: Functions whose path leads back to their task.
_found: Final[set[Any]] = set()


class TaskBackend(BaseTaskBackend):
    """Tasks in the project's database, worked off by ``manage.py runworker --tasks``.

    Args:
        alias: in the setting ``TASKS``.
        params: its value there.

    Raises:
        InvalidTaskBackend: an option is unknown, or out of range.
    """

    task_class = Task
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        read_options(alias, self.options)

    def validate_task(self, task: contract.Task) -> None:
        """See that a task can be run by this backend.

        Raises:
            InvalidTask: it cannot.
        """
        super().validate_task(task)
        check_policy(task)

    def enqueue(self, task: contract.Task, args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult:
        """Write a task: in the database's transaction, if one is open.

        Args:
            task: what to run.
            args: for its function, of JSON's types.
            kwargs: as well.

        Raises:
            InvalidTask: this backend cannot run it, or no worker would find it.
            TypeError: an argument is of a type that JSON does not have; the error names its place.
            ValueError: a value.
        """
        return self.enqueue_many([(task, args, kwargs)])[0]

    def enqueue_many(self, calls: Sequence[Call]) -> list[TaskResult]:
        """Write several tasks by one statement; none of them if one is refused. See :meth:`enqueue`."""
        store = store_of(self)
        records = [new_record(self, store, *call) for call in calls]
        if telemetry.create_context is not None:
            carry_contexts(records)
        opened = open_transaction(self) if store.using is None else None
        if opened is None:
            records = _add(self, store, records)
        else:
            transaction.on_commit(lambda: _add(self, store, records), using=opened)
        results = [result_of(record) for record in records]
        for result in results:
            task_enqueued.send_robust(type(self), task_result=result)
        return results

    def get_result(self, result_id: str) -> TaskResult:
        """Return what is known of a task.

        Raises:
            TaskResultDoesNotExist: there is none with this id, or it is no id.
        """
        record = store_of(self).get(result_id) if _is_id(result_id) else None
        if record is None or record.backend != self.alias:
            raise TaskResultDoesNotExist(result_id)
        return result_of(record)

    def check(self, **kwargs: Any) -> Iterable[checks.CheckMessage]:  # type: ignore[override]
        """Look for what would keep tasks from running."""
        yield from super().check(**kwargs)
        yield from _app_is_missing(self)


def store_of(backend: BaseTaskBackend) -> TaskStore:
    """Return where a backend keeps its tasks."""
    return store_for(backend.alias, read_options(backend.alias, backend.options))


def find_record(task_id: str) -> TaskRecord | None:
    """Return a task of any backend of ours, or None."""
    for alias in task_backends.settings if _is_id(task_id) else ():
        backend = task_backends[alias]
        record = store_of(backend).get(task_id) if isinstance(backend, TaskBackend) else None
        if record is not None:
            return record
    return None


def new_record(
    backend: TaskBackend, store: TaskStore, task: contract.Task, args: Any, kwargs: Any
) -> TaskRecord:
    """Return the row of a task that is enqueued; see :meth:`TaskBackend.enqueue` for what it raises."""
    backend.validate_task(task)
    _see_that_workers_find(task)
    arguments = f"[{encode(list(args), 'args')},{encode(kwargs, 'kwargs')}]"
    limit_key, allowance = limit_of(task, args, kwargs)
    now = store.now()
    run_at = max(now, microseconds_of(task.run_after)) if task.run_after is not None else now
    return TaskRecord(
        id=new_id(),
        backend=backend.alias,
        path=task.module_path,
        queue=task.queue_name,
        priority=int(task.priority),
        lane=int(is_async(task)),
        state=State.SCHEDULED if run_at > now or limit_key else State.READY,
        arguments=arguments,
        viewer=viewer_id(task),
        unique_key=unique_key(task, args, kwargs, arguments),
        enqueued_at=now,
        run_at=run_at,
        limit_key=limit_key,
        allowance=allowance,
    )


def note_enqueued(records: Iterable[TaskRecord]) -> None:
    """Note tasks in the log of deliveries; called only where there is one."""
    for record in records:
        note_task(record, "enqueued", f"queue {record.queue}")


def carry_contexts(records: Iterable[TaskRecord]) -> None:
    """Note where the traces of tasks go on, beside their arguments."""
    create = telemetry.create_context
    for record in records:
        beside = create("send", "task", record.queue, record.id) if create is not None else {}
        if beside:
            record.arguments = f"{record.arguments[:-1]},{json.dumps(beside, separators=(',', ':'))}]"


def _add(backend: TaskBackend, store: TaskStore, records: list[TaskRecord]) -> list[TaskRecord]:
    """Write tasks, and wake workers; returns what is there then: of unique ones it may be another."""
    if any(record.unique_key for record in records):
        records = [store.add_unique(record) if record.unique_key else record for record in records]
    store.add([record for record in records if not record.unique_key])
    store.tell(backend.alias)
    if delivery_log.note is not None:
        note_enqueued(records)
    if telemetry.listeners:
        for record in records:
            telemetry.emit("tasks.enqueued", id=record.id, path=record.path, queue=record.queue)
    return records


def open_transaction(backend: TaskBackend) -> str | None:
    """Return the alias of the backend's database, if this thread has a transaction open there."""
    alias = read_options(backend.alias, backend.options).database
    opened = (each.alias for each in connections.all(initialized_only=True) if each.in_atomic_block)
    return alias if alias in opened else None


def _see_that_workers_find(task: contract.Task) -> None:
    """See that the path of a task leads back to it, before a row is written that no worker could run."""
    if task.func in _found:
        return
    if not leads_back(task):
        raise InvalidTask(
            f"The path {task.module_path!r} does not lead to this task, so that no worker would find it. "
            "Define it at the top of a module, with @task on top, and give it no other name."
        )
    _found.add(task.func)


def _is_id(result_id: Any) -> bool:
    return isinstance(result_id, str) and _ID.fullmatch(result_id) is not None


def _app_is_missing(backend: TaskBackend) -> Iterator[checks.CheckMessage]:
    if read_options(backend.alias, backend.options).store == "database" and not apps.is_installed(
        "channels.tasks"
    ):
        yield checks.Error(
            f"TASKS[{backend.alias!r}] keeps tasks in the database, but their tables are missing.",
            hint="Add 'channels.tasks' to INSTALLED_APPS, and run manage.py migrate.",
            id="channels.E010",
        )
