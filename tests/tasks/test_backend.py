"""The contract of ``django.tasks``, and what trips over it."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import sys
import threading
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from channels.tasks.backend import TaskBackend, store_of
from channels.tasks.definition import contract
from channels.tasks.definition.contract import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
)
from channels.tasks.definition.task import task
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, working


def record_of(result):
    return store_of(task_backends[result.backend]).get(result.id)


def test_an_enqueued_task_is_ready_and_has_what_it_was_given() -> None:
    result = jobs.add.enqueue(1, two=(2, 3))  # type: ignore[arg-type]
    assert (result.status, result.args, result.kwargs) == (TaskResultStatus.READY, [1], {"two": [2, 3]})
    again = jobs.add.get_result(result.id)
    assert (again.task, again.args, again.enqueued_at) == (jobs.add, [1], result.enqueued_at)


def test_the_backend_says_what_it_can() -> None:
    backend = task_backends["default"]
    assert backend.supports_defer and backend.supports_async_task
    assert backend.supports_get_result and backend.supports_priority


def test_it_is_imported_and_made_before_the_apps_are_ready() -> None:
    program = (
        "from django.conf import settings\n"
        "settings.configure(TASKS={'default': {'BACKEND': 'channels.tasks.TaskBackend'}})\n"
        "from channels.tasks.definition import contract\n"
        "print(type(contract.task_backends['default']).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "TaskBackend"


def test_each_thread_has_its_backend_and_all_have_one_store() -> None:
    result = jobs.add.enqueue(1, 2)
    found: list[Any] = []

    def look() -> None:
        found.extend([task_backends["default"], jobs.add.get_result(result.id)])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found[0] is not task_backends["default"]
    assert found[1].id == result.id


@pytest.mark.parametrize("wrong", [jobs.renamed, jobs.Holder.held])
def test_a_task_that_no_worker_would_find_is_refused_before_a_row_is_written(wrong) -> None:
    with pytest.raises(InvalidTask, match=r"The path 'tests\.tasks\.jobs\."):
        wrong.enqueue()
    assert not store_of(task_backends["default"]).has_work("default")


def test_what_json_does_not_have_is_refused_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"kwargs\['two'\]\[1\]\['when'\] is of type datetime.datetime"):
        jobs.add.enqueue(1, two=[0, {"when": timezone.now()}])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"args\[0\] is nan"):
        jobs.add.enqueue(float("nan"), 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"args\[0\] has the key 1"):
        jobs.add.enqueue({1: 2}, 2)  # type: ignore[arg-type]
    assert not store_of(task_backends["default"]).has_work("default")


def test_a_delayed_task_waits() -> None:
    result = jobs.add.using(run_after=timezone.now() + datetime.timedelta(hours=1)).enqueue(1, 2)
    assert (result.status, record_of(result).state) == (TaskResultStatus.READY, "scheduled")
    assert jobs.add.get_result(result.id).task.run_after is not None


def test_enqueue_asks_again_whether_the_task_is_valid(settings) -> None:
    queued = in_database(jobs.add).using(queue_name="mail")
    settings.TASKS = {
        **settings.TASKS,
        "database": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": ["other"]},
    }
    with pytest.raises(InvalidTask, match="Queue 'mail'"):
        queued.enqueue(1, 2)


@pytest.mark.parametrize("wrong", ["", "x", "\x00" * 32, "A" * 32, 5, None, "é" * 32, "0" * 32])
def test_an_id_that_is_none_has_no_result(wrong) -> None:
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(wrong)


def test_receivers_are_told_by_class_and_may_fail() -> None:
    told = []

    def note(sender, task_result, **kwargs):
        told.append((sender, task_result.id, task_result.status))
        raise RuntimeError("a receiver of somebody's")

    signals = (contract.task_enqueued, contract.task_started, contract.task_finished)
    for signal in signals:
        signal.connect(note, sender=TaskBackend)
    try:
        result = jobs.add.enqueue(1, 2)
        with working():
            assert finished(result).return_value == 3
    finally:
        for signal in signals:
            signal.disconnect(note, sender=TaskBackend)
    assert told == [(TaskBackend, result.id, status) for status in ("READY", "RUNNING", "SUCCESSFUL")]


def test_the_log_of_a_failure_has_its_traceback(caplog) -> None:
    with working():
        finished(jobs.fail.enqueue("the reason"))
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.name == contract.LOGGER and "the reason" in str(record.exc_info[1])


def test_results_of_a_task_whose_code_is_gone_can_be_read(monkeypatch) -> None:
    result = jobs.note.enqueue("before")
    monkeypatch.delattr(jobs, "note")
    found = task_backends["default"].get_result(result.id)
    assert (found.task.module_path, found.args) == ("tests.tasks.jobs.note", ["before"])


def test_attempts_are_counted_by_workers_and_errors_kept_in_one_list() -> None:
    with working() as worker:
        result = finished(jobs.fail_twice.enqueue())
        assert result.worker_ids == [worker.owner] * 3
    assert (result.attempts, result.return_value) == (3, 3)
    assert [error.exception_class for error in result.errors] == [ValueError, ValueError]
    assert "not yet" in result.errors[0].traceback


def test_the_context_knows_the_attempt() -> None:
    with working():
        assert finished(jobs.attempt.enqueue()).return_value == 1


def test_enqueue_from_async_code() -> None:
    async def enqueue():
        result = await jobs.add.aenqueue(1, 2)
        return await jobs.add.aget_result(result.id)

    assert asyncio.run(enqueue()).args == [1, 2]


def test_many_are_enqueued_or_none() -> None:
    results = jobs.add.enqueue_many([((1, 2), {}), ((3,), {"two": 4})])
    assert [jobs.add.get_result(each.id).args for each in results] == [[1, 2], [3]]
    with pytest.raises(TypeError):
        jobs.important.enqueue_many([((), {}), (({1},), {})])
    assert [record_of(each).state for each in results] == ["ready", "ready"]


def test_a_task_in_memory_waits_for_the_commit(transactional_db) -> None:
    with transaction.atomic():
        result = jobs.add.enqueue(1, 2)
        with pytest.raises(TaskResultDoesNotExist):
            result.refresh()
    result.refresh()
    with transaction.atomic():
        rolled_back = jobs.add.enqueue(1, 2)
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        rolled_back.refresh()


@pytest.mark.usefixtures("tables")
def test_a_task_in_the_database_is_part_of_the_transaction() -> None:
    with transaction.atomic():
        rolled_back = in_database(jobs.add).enqueue(1, 2)
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        rolled_back.refresh()
    with working(backend="database"):
        with transaction.atomic():
            result = in_database(jobs.add).using(priority=-5, queue_name="mail").enqueue(1, 2)
        assert finished(result).return_value == 3
    assert (result.task.priority, result.task.queue_name) == (-5, "mail")
    assert json.loads(record_of(result).arguments) == [[1, 2], {}]


@pytest.mark.parametrize(
    "policy",
    [{"max_attempts": 0}, {"retry_on": (5,)}, {"timeout": "x"}, {"backoff": -1}, {"max_attempts": True}],
)
def test_a_policy_that_cannot_be_kept_is_refused(policy) -> None:
    with pytest.raises(InvalidTask, match=next(iter(policy))):
        jobs.add.using(**policy)


def test_djangos_own_decorator_makes_a_task_of_ours() -> None:
    made = jobs.add.using(max_attempts=4)
    assert made.using(priority=3).max_attempts == 4
    assert isinstance(task(jobs.add.func), type(made))


def test_the_check_asks_for_the_tables(settings) -> None:
    assert [each.id for each in task_backends["database"].check()] == []
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "channels.tasks"]
    assert [each.id for each in task_backends["database"].check()] == ["channels.E010"]
    assert [each.id for each in task_backends["default"].check()] == []


def test_a_unique_task_is_the_one_that_waits_or_runs() -> None:
    first = jobs.report.enqueue(2026)
    assert jobs.report.enqueue(2026).id == first.id
    assert jobs.report.enqueue(2027).id != first.id
    assert jobs.report_by_text.enqueue(2026, 1).id == jobs.report_by_text.enqueue(2026, 2).id
    assert jobs.report_by_function.enqueue(1, 5).id == jobs.report_by_function.enqueue(2, 5).id
    assert jobs.report_by_function.enqueue(1, 6).id != jobs.report_by_function.enqueue(2, 5).id
    long = jobs.report.using(unique="é" * 300)
    assert long.enqueue(1).id == long.enqueue(2).id
    with working():
        assert finished(first).return_value == 2026
        assert jobs.report.enqueue(2026).id != first.id


def test_no_unique_task_is_forgotten_when_many_are_enqueued() -> None:
    results = jobs.report.enqueue_many([((1,), {}), ((2,), {}), ((1,), {})])
    assert results[0].id == results[2].id != results[1].id


def test_a_cancelled_enqueue_is_cancelled_for_its_caller() -> None:
    store: Any = store_of(task_backends["default"])

    async def enqueue() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(jobs.add_async.aenqueue(1, 2), 0.05)
        done.set()

    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.cursor():
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    try:
        asyncio.run(enqueue())
    finally:
        done.set()
        holder.join()
