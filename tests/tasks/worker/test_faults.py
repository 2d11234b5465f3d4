"""A worker whose database goes away, or is locked by somebody else, and clocks that jump."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection, connections
from django.db.backends.signals import connection_created

from channels import telemetry
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.models import Task
from tests.support.databases import VENDORS, Database, PostgreSQL, Server
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, migrated, wait_for, working


def failures() -> int:
    return telemetry.counters["tasks.store_failed"]


def test_a_database_that_is_killed_and_comes_back_loses_nothing_and_runs_nothing_twice(settings) -> None:
    """It starts a server twice. What ends meanwhile is kept, and written when the server answers again."""
    backend = {**settings.TASKS["database"], "OPTIONS": {"lease": 2.0}}
    settings.TASKS = {**settings.TASKS, "database": backend}
    with PostgreSQL() as server, migrated(server.database()):
        waiting = in_database(jobs.wait_for_gate).enqueue()
        with working(backend="database", threads=2) as worker:
            assert jobs.started.wait(10)
            owner, before = worker.owner, failures()
            connections["default"].close()
            server.kill()
            wait_for(lambda: failures() > before, 20)
            jobs.gate.set()
            before = failures()
            wait_for(lambda: failures() > before, 20)
            before = failures()
            threading.Event().wait(0.5)
            assert failures() - before < 10, "it is asked again and again without a pause"
            server.start()
            assert finished(waiting, 30).worker_ids == [owner]
            assert finished(in_database(jobs.add).enqueue(1, 2), 30).return_value == 3


@pytest.mark.parametrize("vendor", VENDORS)
def test_without_its_tables_it_says_which_command_makes_them(
    request: pytest.FixtureRequest, vendor: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever enqueues is told, and the worker, which goes on when they are there."""
    database: Database = request.getfixturevalue(vendor)
    command = "The tables of channels.tasks are not in the database 'default': run `manage.py migrate`."
    with database.as_default(), working(backend="database"):
        with pytest.raises(DatabaseError) as caught:
            in_database(jobs.add).enqueue(1, 2)
        assert command in caught.value.__notes__
        wait_for(lambda: command in caplog.text)
        call_command("migrate", "channels_tasks", verbosity=0)
        assert finished(in_database(jobs.add).enqueue(1, 2), 30).return_value == 3


def test_a_file_that_somebody_else_has_locked_is_waited_for(sqlite: Database) -> None:
    """It has the lock for longer than the time-out of the connections."""
    options = {**sqlite.settings["OPTIONS"], "timeout": 0.2}
    locked = Database("sqlite", {**sqlite.settings, "OPTIONS": options})
    with migrated(locked), working(backend="database"):
        result = in_database(jobs.wait_for_gate).enqueue()
        assert jobs.started.wait(10)
        other = sqlite3.connect(sqlite.settings["NAME"], isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        before = failures()
        jobs.gate.set()
        wait_for(lambda: failures() > before)
        other.rollback()
        other.close()
        assert finished(result).return_value == "open"
        assert result.attempts == 1


class Disk:
    """How many pages files of SQLite may have."""

    def __init__(self) -> None:
        self.pages = 1_000_000

    def connected(self, connection: Any, **_: Any) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count = {self.pages}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    connection_created.connect(disk.connected)
    yield disk
    connection_created.disconnect(disk.connected)


def pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        return int(cursor.fetchone()[0])


def fill_the_disk(accepted: list[Any]) -> None:
    for _ in range(1000):
        accepted.append(in_database(jobs.note).using(queue_name="mail").enqueue("x" * 3000))


def test_with_a_full_disk_nothing_is_half_enqueued_and_no_result_is_lost(
    sqlite: Database, disk: Disk
) -> None:
    """Who enqueues is told; what ends meanwhile is kept, and written when there is room again."""
    with migrated(sqlite):
        disk.pages = pages() + 20
        connection.close()
        with working(backend="database", queues=("default",)):
            result = in_database(jobs.say).enqueue(200_000)
            assert jobs.started.wait(10)
            accepted: list[Any] = []
            with pytest.raises(OperationalError, match="full"):
                fill_the_disk(accepted)
            assert len(accepted) == Task.objects.filter(queue="mail").count() > 0
            before = failures()
            jobs.gate.set()
            wait_for(lambda: failures() > before)
            disk.pages = 1_000_000
            assert finished(result).return_value == "x" * 200_000
            assert result.attempts == 1


def test_connections_that_the_server_ends_are_opened_anew_and_nothing_runs_twice(
    postgresql_server: Server,
) -> None:
    """All of them, that of the thread that speaks with the store and that of the task alike."""
    database = postgresql_server.database()
    name = database.settings["NAME"]
    with migrated(database), working(backend="database") as worker:
        result = in_database(jobs.wait_for_gate).enqueue()
        assert jobs.started.wait(10)
        connection.close()
        before = failures()
        postgresql_server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        jobs.gate.set()
        wait_for(lambda: failures() > before)
        assert finished(result).worker_ids == [worker.owner]
        assert finished(in_database(jobs.add).enqueue(1, 2)).return_value == 3


def test_a_clock_that_jumps_takes_no_living_worker_for_dead(settings) -> None:
    """With a lease of a second, for twice that."""
    options = settings.TASKS["default"]["OPTIONS"]
    settings.TASKS = {"default": {**settings.TASKS["default"], "OPTIONS": {**options, "lease": 1.0}}}
    store = store_of(task_backends["default"])
    clock = store.clock
    with working(threads=1), working(threads=1):
        result = jobs.wait_for_gate.enqueue()
        assert jobs.started.wait(5)
        for hours in (1, -1):
            store.clock = lambda jump=hours: clock() + jump * 3600  # type: ignore[misc]
            threading.Event().wait(1.0)
        jobs.gate.set()
        assert finished(result).attempts == 1
