"""Tasks that wait for others: one after the other, or one when all are done.

All rows are written at once, in the transaction of who enqueues them; those that wait are blocked. The end of
a task counts down its group in the same transaction, so that no process has to remember anything.
"""

from __future__ import annotations

import itertools
from typing import Any

from django.db import transaction

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.tasks.backend import (
    TaskBackend,
    carry_contexts,
    new_record,
    note_enqueued,
    open_transaction,
    store_of,
)
from channels.tasks.definition.contract import InvalidTask, TaskResult, task_backends, task_enqueued
from channels.tasks.definition.results import result_of
from channels.tasks.definition.states import State
from channels.tasks.definition.task import Step
from channels.tasks.stores.records import TaskRecord, new_id


def chain(*steps: Step) -> list[TaskResult]:
    """Enqueue tasks that run one after the other: ``chain(fetch.step(url), store.step())``.

    Each runs when the one before has succeeded, and finds its result in ``context.previous()``. If one
    fails, or is cancelled, those after it are cancelled.

    Args:
        steps: at least one, all of one backend.

    Returns:
        A result for each.

    Raises:
        InvalidTask: there is none, or they are of several backends, or one is unique.
    """
    backend, records = _records(steps)
    sizes: dict[str, int] = {}
    for before, after in itertools.pairwise(records):
        before.counts_for = after.waits_for = new_id()
        after.state = State.BLOCKED
        sizes[before.counts_for] = 1
    return _enqueue(backend, sizes, records)


def group(*steps: Step, then: Step | None = None, even_if_failed: bool = False) -> list[TaskResult]:
    """Enqueue tasks that run side by side, and one when all have ended.

    Args:
        steps: at least one, all of one backend.
        then: what runs at the end; it finds their results in ``context.previous()``. None: nothing.
        even_if_failed: it runs also if not all have succeeded; else it is cancelled then.

    Returns:
        A result for each of the steps, and the last one for ``then``.

    Raises:
        InvalidTask: there is none, or they are of several backends, or one is unique.
    """
    backend, records = _records(steps if then is None else (*steps, then))
    if then is None:
        return _enqueue(backend, {}, records)
    *members, last = records
    if not members:
        raise InvalidTask("A group has at least one step.")
    last.waits_for, last.state, last.needs_success = new_id(), State.BLOCKED, int(not even_if_failed)
    for member in members:
        member.counts_for = last.waits_for
    return _enqueue(backend, {last.waits_for: len(members)}, records)


def _records(steps: tuple[Step, ...]) -> tuple[TaskBackend, list[TaskRecord]]:
    if not steps:
        raise InvalidTask("There is no step.")
    aliases = {step.task.backend for step in steps}
    backend: Any = task_backends[steps[0].task.backend]
    if len(aliases) > 1 or not isinstance(backend, TaskBackend):
        raise InvalidTask(f"The steps are of the backends {sorted(aliases)}: they have to be of one of ours.")
    store = store_of(backend)
    records = [new_record(backend, store, step.task, step.args, step.kwargs) for step in steps]
    if any(record.unique_key for record in records):
        raise InvalidTask("A step is unique: another could be there in its place, which counts for no group.")
    return backend, records


def _enqueue(backend: TaskBackend, sizes: dict[str, int], records: list[TaskRecord]) -> list[TaskResult]:
    store = store_of(backend)
    if telemetry.create_context is not None:
        carry_contexts(records)

    def add() -> None:
        store.add_groups(sizes, records)
        store.tell(backend.alias)
        if delivery_log.note is not None:
            note_enqueued(records)

    opened = open_transaction(backend) if store.using is None else None
    if opened is None:
        add()
    else:
        transaction.on_commit(add, using=opened)
    results = [result_of(record) for record in records]
    for result in results:
        task_enqueued.send_robust(type(backend), task_result=result)
    return results
