"""A store of each kind, and what tests ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.database import DatabaseStore
from channels.tasks.stores.memory import MemoryStore
from channels.tasks.stores.records import Claim, TaskRecord, new_id, new_owner
from tests.support.databases import VENDORS
from tests.tasks.conftest import migrated


@pytest.fixture(params=["memory", "redis", *VENDORS])
def store(request: pytest.FixtureRequest) -> Iterator[TaskStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "redis":
        yield request.getfixturevalue("redis_store")
        return
    with migrated(request.getfixturevalue(request.param)):
        yield DatabaseStore("default")


def record(store: TaskStore, **values: Any) -> TaskRecord:
    now = store.now()
    usual = {"backend": "default", "path": "a.task", "queue": "default", "priority": 0, "lane": 0}
    fields = {**usual, "state": "ready", "arguments": "[[],{}]", "enqueued_at": now, "run_at": now, **values}
    return TaskRecord(id=new_id(), **fields)


def added(store: TaskStore, count: int = 1, **values: Any) -> list[str]:
    records = [record(store, **values) for _ in range(count)]
    store.add(records)
    return [each.id for each in records]


def claim(store: TaskStore, owner: str, count: int = 10, **values: Any) -> list[TaskRecord]:
    return store.turn(owner, [], [Claim(0, count, **values)], "default", ())


def state(store: TaskStore, task_id: str) -> str:
    found = store.get(task_id)
    assert found is not None
    return found.state


def worker(store: TaskStore) -> str:
    owner = new_owner()
    store.join(owner, "{}")
    return owner
