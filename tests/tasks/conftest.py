"""A worker in this process, and what its tasks leave behind."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels.tasks.stores import manager
from channels.tasks.stores.redis.store import RedisStore
from channels.tasks.worker.worker import TaskWorker, WorkerConfig
from tests.support.databases import (  # noqa: F401 (fixtures)
    Database,
    database,
    mariadb,
    mariadb_server,
    postgresql,
    postgresql_server,
    sqlite,
)
from tests.support.redis_servers import RedisServer
from tests.tasks import jobs


@pytest.fixture(autouse=True)
def fresh(settings: Any) -> Iterator[None]:
    """No tasks of earlier tests, and a backend "database" beside that in memory."""
    other = {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": ["default", "mail"]}
    settings.TASKS = {**settings.TASKS, "database": other}
    manager._stores.clear()
    jobs.ran.clear()
    jobs.gate.clear()
    jobs.started.clear()
    yield
    jobs.gate.set()
    manager._stores.clear()


def in_database(task: Any) -> Any:
    """A task of the backend "database"."""
    return task.using(backend="database")


@contextmanager
def working(**config: Any) -> Iterator[TaskWorker]:
    """Run a worker in a thread of its own."""
    worker = TaskWorker(WorkerConfig(**{"threads": 1, "drain": 2.0, **config}))
    begun = threading.Event()
    stop: list[Callable[[], Any]] = []

    async def run() -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set))
        begun.set()
        await worker.run(stopping)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert begun.wait(5)
    try:
        yield worker
    finally:
        jobs.gate.set()
        stop[0]()
        thread.join(10)
        assert not thread.is_alive()


def finished(result: Any, seconds: float = 10.0) -> Any:
    """Wait until a task has ended, and return its result."""
    end = time.monotonic() + seconds
    while not result.is_finished:
        assert time.monotonic() < end, result.status
        time.sleep(0.002)
        result.refresh()
    return result


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis that tests share: each has a prefix of its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_options(redis_server: RedisServer) -> dict[str, Any]:
    """Options of a backend that keeps its tasks in Redis, where nobody else does."""
    return {"store": "redis", "hosts": [redis_server.url], "prefix": secrets.token_hex(8)}


@pytest.fixture
def redis_store(redis_options: dict[str, Any]) -> Iterator[RedisStore]:
    """A fresh store in Redis."""
    store = RedisStore(redis_options["hosts"], redis_options["prefix"])
    yield store
    store.disconnect()


@contextmanager
def in_redis(settings: Any, options: dict[str, Any]) -> Iterator[None]:
    """Have every backend of the setting ``TASKS`` keep its tasks in Redis."""
    settings.TASKS = {
        alias: {**given, "OPTIONS": {**given.get("OPTIONS", {}), **options}}
        for alias, given in settings.TASKS.items()
    }
    manager._stores.clear()
    yield
    for store in manager._stores.values():
        if isinstance(store, RedisStore):
            store.disconnect()


@pytest.fixture
def tables(database: Database) -> Iterator[Database]:  # noqa: F811
    """The tables of tasks in a fresh database of each vendor."""
    with migrated(database):
        yield database


@contextmanager
def migrated(fresh_database: Database) -> Iterator[None]:
    """Have the tables of tasks in a database."""
    from django.core.management import call_command

    with fresh_database.as_default():
        call_command("migrate", "channels_tasks", verbosity=0)
        yield
