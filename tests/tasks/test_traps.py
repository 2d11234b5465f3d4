"""What authors of backends trip over, as far as other tests do not show it; all are in the docs."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import re
import threading
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.utils import timezone

from channels import telemetry
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import TaskResult, TaskResultDoesNotExist, task_backends
from channels.testing.tasks import run_tasks, task_clock
from tests.support.databases import Database
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, migrated, wait_for, working

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "tasks-contract.md"


def test_each_trap_has_a_row_and_each_row_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*`(tests/[\w/]+\.py)::(\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert sorted({int(number) for number, *_ in rows}) == [*range(1, 17)]
    for _, file, name in rows:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), name


def test_code_with_delays_runs_in_tests_and_a_failure_is_none_that_nobody_sees() -> None:
    with task_clock() as clock:
        later = timezone.now() + datetime.timedelta(hours=1)
        jobs.note.using(run_after=later).enqueue("later")
        jobs.fail.using(run_after=later).enqueue("seen")
        assert run_tasks() == []
        clock.move(hours=2)
        with pytest.raises(AssertionError, match="seen"):
            run_tasks()
    assert jobs.ran == ["later"]


def test_a_time_can_be_taken_away_again() -> None:
    later = jobs.add.using(run_after=timezone.now() + datetime.timedelta(hours=1))
    assert later.using(priority=3).run_after is not None
    assert later.using(run_after=None).run_after is None
    assert later.using(priority=None, queue_name=None, backend=None) == later


def test_all_that_a_result_has_is_refreshed() -> None:
    """It is Django's own class: a field of a subclass would stay as it was."""
    result = jobs.fail_twice.enqueue()
    assert type(result) is TaskResult
    with working():
        finished(result)
    fresh = task_backends["default"].get_result(result.id)
    for field in dataclasses.fields(TaskResult):
        assert getattr(result, field.name) == getattr(fresh, field.name), field.name


def test_async_code_enqueues_in_the_transaction_of_its_sync_code(sqlite: Database) -> None:
    async def enqueue_and_roll_back() -> None:
        opened = transaction.atomic()
        await sync_to_async(opened.__enter__)()
        result = await in_database(jobs.add).aenqueue(1, 2)
        await result.arefresh()
        await sync_to_async(transaction.set_rollback)(True)
        await sync_to_async(opened.__exit__)(None, None, None)
        with pytest.raises(TaskResultDoesNotExist):
            await result.arefresh()

    with migrated(sqlite):
        asyncio.run(enqueue_and_roll_back())


def test_async_tasks_share_one_loop_so_that_what_is_kept_for_it_can_be_used_again() -> None:
    with working():
        for _ in range(3):
            finished(jobs.note_the_loop.enqueue())
    assert len(jobs.ran) == 3 and len(set(map(id, jobs.ran))) == 1


def test_workers_are_woken_by_the_commit_of_the_row_s_own_database(settings, tmp_path) -> None:
    other = Database("sqlite", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other")})
    first = Database("sqlite", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "first")})
    backend = {"BACKEND": "channels.tasks.TaskBackend", "OPTIONS": {"database": "other"}}
    settings.TASKS = {**settings.TASKS, "database": backend}
    heard: list[str] = []
    with migrated(other), first.as_default(other=other):
        store = store_of(task_backends["database"])
        listeners = store.hear("database", lambda: heard.append("work"), lambda: None)
        try:
            with transaction.atomic("other"):
                in_database(jobs.add).enqueue(1, 2)
                assert heard == []
            wait_for(lambda: heard == ["work"])
            with transaction.atomic("default"):
                in_database(jobs.add).enqueue(1, 2)
                wait_for(lambda: heard == ["work", "work"])
        finally:
            for listener in listeners:
                listener.close()


def test_a_worker_keeps_its_connections_and_a_test_its_own(sqlite: Database) -> None:
    opened: list[int] = []

    def note(**kwargs: object) -> None:
        opened.append(threading.get_ident())

    with migrated(sqlite):
        ask = in_database(jobs.ask_the_database)
        with transaction.atomic():
            here = connection.connection
            ask.enqueue()
            assert len(run_tasks("database")) == 1
            assert connection.connection is here
        connection_created.connect(note)
        try:
            with working(backend="database"):
                for result in ask.enqueue_many([((), {})] * 20):
                    assert finished(result).return_value is True
        finally:
            connection_created.disconnect(note)
    assert len(opened) == len(set(opened)) <= 3


def test_an_idle_worker_only_reads(settings, sqlite: Database) -> None:
    """Somebody else has the lock of the file meanwhile: whoever writes would wait, and look no more."""
    options = {**sqlite.settings["OPTIONS"], "timeout": 30}
    patient = Database("sqlite", {**sqlite.settings, "OPTIONS": options})
    backend = {**settings.TASKS["database"], "OPTIONS": {"poll": 0.02}}
    settings.TASKS = {**settings.TASKS, "database": backend}
    store = store_of(task_backends["database"])
    looks: list[bool] = []
    has_work = store.has_work
    store.has_work = lambda backend: looks.append(True) or has_work(backend)
    with migrated(patient), working(backend="database"):
        finished(in_database(jobs.add).enqueue(1, 2))
        before = len(looks)
        wait_for(lambda: len(looks) > before + 2)  # it has written what it had to
        failures = telemetry.counters["tasks.store_failed"]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM channels_tasks_tick")
            before = len(looks)
            wait_for(lambda: len(looks) > before + 5)
        assert telemetry.counters["tasks.store_failed"] == failures
