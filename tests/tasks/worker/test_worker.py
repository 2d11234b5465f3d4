"""A worker in this process: what it runs, in which order, and how it ends."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from channels import telemetry
from channels.tasks import cancel, retry
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import (
    BaseTaskBackend,
    InvalidTaskBackend,
    TaskResultStatus,
    task_backends,
)
from channels.tasks.exceptions import TimedOut
from channels.tasks.worker.worker import TaskWorker, WorkerConfig
from tests.tasks import jobs
from tests.tasks.conftest import finished, wait_for, working


def store():
    return store_of(task_backends["default"])


def test_sync_and_async_tasks_run_side_by_side() -> None:
    with working():
        results: list[Any] = [jobs.add.enqueue(1, 2), jobs.add_async.enqueue(3, 4), jobs.fail.enqueue()]
        assert [finished(each).status for each in results] == ["SUCCESSFUL", "SUCCESSFUL", "FAILED"]
    assert results[1].return_value == 7
    assert results[1].started_at <= results[1].finished_at


def test_hundreds_of_async_tasks_wait_on_one_loop() -> None:
    with working(concurrency=100) as worker:
        results = [jobs.wait_for_ever.enqueue() for _ in range(100)]
        wait_for(lambda: len(worker._loop.running) == 100)
        for result in results:
            assert cancel(result)
        assert {finished(each).status for each in results} == {TaskResultStatus.FAILED}
    assert {store().get(each.id).state for each in results} == {"cancelled"}


def test_larger_priorities_come_first_and_else_who_came_first() -> None:
    for name in "abc":
        jobs.note.enqueue(name)
    jobs.important.enqueue()
    last = jobs.note.using(priority=-1).enqueue("last")
    with working():
        finished(last)
    assert jobs.ran == ["important", "a", "b", "c", "last"]


def test_a_worker_takes_the_queues_it_is_for() -> None:
    other = jobs.note.using(queue_name="other").enqueue("other")
    mine = jobs.note.using(queue_name="mine").enqueue("mine")
    with working(queues=("mine",)):
        finished(mine)
    other.refresh()
    assert (jobs.ran, other.status) == (["mine"], TaskResultStatus.READY)


def test_tasks_that_wait_behind_a_long_one_are_given_back() -> None:
    with working() as first:
        finished(jobs.add.enqueue_many([((number, 1), {}) for number in range(100)])[-1])
        assert first._threads.room() > 10
        released = telemetry.counters["tasks.released"]
        long = jobs.wait_for_gate.enqueue()
        behind = jobs.add.enqueue_many([((number, 1), {}) for number in range(20)])
        assert jobs.started.wait(5)
        wait_for(lambda: telemetry.counters["tasks.released"] > released)
        wait_for(lambda: store().get(behind[-1].id).state == "ready")
        assert store().get(behind[-1].id).attempts == 0
        with working():
            assert finished(behind[-1]).attempts == 1
        jobs.gate.set()
        finished(long)


def test_no_task_waits_behind_a_long_one_while_a_thread_is_free() -> None:
    with working(threads=2):
        long = jobs.wait_for_gate.enqueue()
        assert jobs.started.wait(5)
        short = jobs.add.enqueue_many([((number, 1), {}) for number in range(50)])
        assert [finished(each).return_value for each in short] == [number + 1 for number in range(50)]
        jobs.gate.set()
        assert finished(long).return_value == "open"


def test_a_return_value_that_json_does_not_have_fails_the_task() -> None:
    with working():
        result = finished(jobs.return_a_set.enqueue())
    assert "the return value is of type builtins.set" in result.errors[0].traceback


def test_only_what_is_named_is_tried_again() -> None:
    with working():
        result = finished(jobs.fail_otherwise.enqueue())
    assert (result.status, result.attempts, len(jobs.ran)) == (TaskResultStatus.FAILED, 1, 1)


def test_a_task_without_code_waits_for_a_deploy_and_is_told(monkeypatch, caplog) -> None:
    result = jobs.note.enqueue("later")
    counted = telemetry.counters["tasks.unknown"]
    monkeypatch.delattr(jobs, "note")
    with working():
        wait_for(lambda: store().get(result.id).state == "scheduled")
    assert telemetry.counters["tasks.unknown"] == counted + 1
    assert "waits for a deploy" in caplog.text


def test_a_task_without_code_fails_where_that_is_set(monkeypatch, settings) -> None:
    options = {"store": "memory", "unknown_tasks": "fail"}
    settings.TASKS = {"default": {"BACKEND": "channels.tasks.TaskBackend", "OPTIONS": options}}
    result = jobs.note.enqueue("never")
    monkeypatch.delattr(jobs, "note")
    with working():
        assert finished(result).errors[0].exception_class_path == "channels.tasks.exceptions.UnknownTask"


def test_a_cancelled_task_does_not_run() -> None:
    result = jobs.note.enqueue("no")
    assert cancel(result) and not cancel(result)
    with working():
        finished(jobs.note.enqueue("yes"))
    assert jobs.ran == ["yes"]


def test_a_running_sync_task_heeds_that_it_is_cancelled() -> None:
    with working():
        result = jobs.wait_for_cancel.enqueue()
        assert jobs.started.wait(5)
        assert cancel(result)
        finished(result)
    assert store().get(result.id).state == "cancelled"


def test_a_task_that_raises_cancelled_by_itself_has_failed() -> None:
    with working():
        result = finished(jobs.raise_cancelled.enqueue())
    assert store().get(result.id).state == "failed"


def test_a_task_that_has_failed_may_run_again_and_keeps_its_errors() -> None:
    with working():
        result = finished(jobs.fail.enqueue())
        assert retry(result) and not retry(result)
        wait_for(lambda: store().get(result.id).attempts == 2)
        again = finished(task_backends["default"].get_result(result.id))
    assert len(again.errors) == 2


def test_what_runs_may_end_when_the_worker_is_told_to_stop() -> None:
    with working():
        result = jobs.wait_for_gate.enqueue()
        assert jobs.started.wait(5)
    result.refresh()
    assert result.return_value == "open"


def test_what_does_not_end_in_time_is_given_back(caplog) -> None:
    with caplog.at_level(logging.ERROR), working(drain=0.2):
        result = jobs.wait_for_ever.enqueue()
        assert jobs.started.wait(5)
    assert (store().get(result.id).state, store().get(result.id).attempts) == ("ready", 1)
    assert "did not end within the drain time" in caplog.text


def test_a_worker_needs_a_backend_of_ours(settings) -> None:
    package = BaseTaskBackend.__module__.rpartition(".")[0]
    settings.TASKS = {"default": {"BACKEND": f"{package}.dummy.DummyBackend"}}
    with pytest.raises(InvalidTaskBackend, match=r"channels\.tasks\.TaskBackend"):
        TaskWorker(WorkerConfig())


def test_a_sync_task_that_takes_too_long_has_failed_and_holds_up_nobody() -> None:
    with working():
        result = finished(jobs.hang.enqueue())
        assert result.errors[0].exception_class is TimedOut
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        jobs.gate.set()
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
    assert store().get(result.id).state == "failed"


def test_threads_that_are_stuck_are_replaced_within_a_limit_and_then_it_is_told(caplog) -> None:
    with working() as worker:
        worn_out = threading.Event()
        worker.when_worn_out(worn_out.set)
        results = jobs.hang.enqueue_many([((), {})] * 9)
        for result in results[:8]:
            finished(result)
        wait_for(lambda: worker._threads.running.keys() == {results[8].id} and results[8].refresh() is None)
        finished(results[8])
        assert worn_out.wait(10) and "hang in tasks that were cut off" in caplog.text
        assert worker._threads.room() == 0
        waiting = jobs.add.enqueue(1, 2)
        jobs.gate.set()
        assert finished(waiting).return_value == 3


def test_an_async_task_that_takes_too_long_is_cancelled_and_may_be_tried_again() -> None:
    with working():
        result = finished(jobs.hang_async.enqueue())
        own = finished(jobs.time_out_by_itself.enqueue())
    assert ([error.exception_class for error in result.errors], len(jobs.ran)) == ([TimedOut, TimedOut], 2)
    assert own.errors[0].exception_class is TimeoutError


def test_a_row_that_nobody_can_read_has_failed_and_holds_up_nobody(caplog) -> None:
    result = jobs.add.enqueue(1, 2)
    with store().cursor() as cursor:
        cursor.execute("UPDATE channels_tasks_task SET arguments = %s", ("[",))
    with working():
        wait_for(lambda: store().get(result.id).state == "failed")
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
    assert "cannot be started" in caplog.text
