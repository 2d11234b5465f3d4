"""What tests of projects do with their tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from channels.tasks import every
from channels.tasks.progress.topic import TaskProgress
from channels.tasks.schedule.schedules import registered
from channels.testing.tasks import captured_tasks, run_tasks, task_clock
from channels.topics import history
from tests.support.databases import Database
from tests.tasks import jobs
from tests.tasks.conftest import (  # noqa: F401 (fixtures)
    fresh,
    in_database,
    migrated,
    sqlite,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_what_is_enqueued_is_captured_and_does_not_run() -> None:
    with captured_tasks() as tasks:
        result = jobs.note.enqueue("a")
        jobs.note.using(priority=3).enqueue("b")
    jobs.note.enqueue("after")
    assert [(each.task.func, each.args) for each in tasks] == [
        (jobs.note.func, ["a"]),
        (jobs.note.func, ["b"]),
    ]
    assert tasks[0].id == result.id
    assert jobs.ran == []


def test_sync_and_async_tasks_run_here_and_now() -> None:
    jobs.add.enqueue(1, 2)
    jobs.add_async.enqueue(3, 4)
    jobs.fail.enqueue("why")
    ran = run_tasks(failures=True)
    assert sorted((each.task.name, str(each.status)) for each in ran) == [
        ("add", "SUCCESSFUL"),
        ("add_async", "SUCCESSFUL"),
        ("fail", "FAILED"),
    ]
    assert "why" in next(each for each in ran if each.errors).errors[0].traceback
    assert run_tasks() == []


def test_a_task_that_fails_fails_the_test_unless_it_says_that_it_may() -> None:
    jobs.add.enqueue(1, 2)
    jobs.fail.enqueue("why it fails")
    with pytest.raises(AssertionError, match=r"1 of 2 tasks have failed: tests\.tasks\.jobs\.fail") as caught:
        run_tasks()
    assert "why it fails" in str(caught.value)


def test_later_tasks_and_attempts_run_when_the_clock_is_moved() -> None:
    with task_clock(NOON) as clock:
        later = jobs.note.using(run_after=NOON + timedelta(hours=1)).enqueue("later")
        jobs.fail_twice.enqueue()
        assert [each.status for each in run_tasks()] == ["READY"]
        clock.move(seconds=1)
        clock.move(seconds=1)
        assert [each.status for each in run_tasks()] == ["READY"]
        clock.move(seconds=1)
        assert [each.return_value for each in run_tasks()] == [3]
        clock.move(hours=1)
        (result,) = run_tasks()
        assert (result.id, result.started_at) == (later.id, NOON + timedelta(hours=1, seconds=3))
    enqueued_at = jobs.note.enqueue("now").enqueued_at
    assert enqueued_at is not None
    assert timezone.now() - enqueued_at < timedelta(minutes=1)


def test_schedules_tick_when_the_clock_is_moved() -> None:
    every(minutes=5, kwargs={"what": "tick"})(jobs.note)
    try:
        with task_clock(NOON) as clock:
            assert run_tasks() == []
            clock.move(minutes=17)
            assert len(run_tasks()) == 1
    finally:
        registered.clear()


def test_tasks_that_enqueue_each_other_without_end_are_told(monkeypatch) -> None:
    monkeypatch.setattr("channels.testing.tasks.MOST", 5)
    for number in range(7):
        jobs.note.enqueue(str(number))
    with pytest.raises(RuntimeError, match="without end"):
        run_tasks()


def test_tasks_in_the_database_run_in_the_test_s_transaction(sqlite: Database) -> None:  # noqa: F811
    from django.db import transaction

    with migrated(sqlite), transaction.atomic():
        in_database(jobs.add).enqueue(1, 2)
        assert [each.return_value for each in run_tasks("database")] == [3]


def test_how_a_task_with_a_viewer_has_ended_is_published() -> None:
    result = jobs.add.using(viewer=7).enqueue(1, 2)
    run_tasks()
    (newest,) = history(TaskProgress(id=result.id), limit=1).entries
    assert (newest.data["status"], newest.data["result"]) == ("SUCCESSFUL", 3)
