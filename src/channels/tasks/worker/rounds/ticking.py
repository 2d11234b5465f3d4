"""Enqueues what ticks. All workers do; the row of a schedule decides whose tick it is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from channels.tasks.backend import TaskBackend, new_record
from channels.tasks.definition.contract import task_backends, task_enqueued
from channels.tasks.definition.results import microseconds_of, result_of
from channels.tasks.schedule.schedules import Schedule, registered
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import MICROSECONDS

logger = logging.getLogger("channels.tasks")


class Ticking:
    """The schedules of the tasks of one backend.

    Args:
        store: where its tasks are.
        alias: of the backend.
    """

    def __init__(self, store: TaskStore, alias: str) -> None:
        self._store, self._alias = store, alias
        self._next_at: dict[str, int] = {}

    def run(self) -> tuple[bool, int | None]:
        """Enqueue what is due; returns whether there was something, and when the next is, in microseconds."""
        enqueued = False
        for schedule in tuple(registered.values()):
            if schedule.task.backend != self._alias:
                continue
            if self._next_at.get(schedule.name, 0) <= self._store.now():
                enqueued = self._tick(schedule) or enqueued
        return enqueued, min(self._next_at.values(), default=None)

    def _tick(self, schedule: Schedule) -> bool:
        last = self._store.last_tick(schedule.name)
        newest, count = schedule.due(_moment(last), _moment(self._store.now()))
        ticked = microseconds_of(newest)
        self._next_at[schedule.name] = microseconds_of(schedule.timing.after(newest))
        return ticked > last and self._enqueue(schedule, last, ticked, count)

    def _enqueue(self, schedule: Schedule, last: int, ticked: int, count: int) -> bool:
        backend = task_backends[self._alias]
        assert isinstance(backend, TaskBackend)
        records = [new_record(backend, self._store, schedule.task, (), schedule.kwargs) for _ in range(count)]
        if not self._store.tick(schedule.name, last, ticked, records):
            return False
        for record in records:
            task_enqueued.send_robust(type(backend), task_result=result_of(record))
        return bool(records)


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / MICROSECONDS, UTC)
