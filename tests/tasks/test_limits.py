"""Limits as tasks have them, and workers keep to them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command

from channels.tasks import Limit, cancel, chain, retry
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import InvalidTask, task_backends
from channels.testing.tasks import run_tasks, task_clock
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, wait_for, working

#: One at once, for all tasks that name this key.
LIMIT = Limit("stripe", concurrency=1)


def record(result: Any) -> Any:
    return store_of(task_backends[result.backend]).get(result.id)


def by_length(text: str, **others: Any) -> str:
    return f"of {len(text)}"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", "tests.tasks.jobs.note"),
        ("stripe", "stripe"),
        ("account-{0}", "account-abc"),
        (by_length, "of 3"),
        ("é", "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"),
    ],
)
def test_a_key_is_made_of_the_arguments(key: Any, expected: str) -> None:
    result = jobs.note.using(limit=Limit(key, concurrency=1)).enqueue("abc")
    assert record(result).limit_key == expected


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("10/m", "channels.tasks.Limit"),
        (Limit("a"), "neither"),
        (Limit("a", concurrency=0), "concurrency"),
        (Limit("a", concurrency=True), "concurrency"),
        (Limit(5, rate="1/s"), "key"),  # type: ignore[arg-type]
        *[(Limit("a", rate=rate), "rate") for rate in ("10", "0/m", "10/w", "5/0s", "1001/h", "1/8d")],
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(limit: Any, what: str) -> None:
    with pytest.raises(InvalidTask, match=what):
        jobs.note.using(limit=limit)


def test_those_that_wait_take_no_thread_and_no_place_from_others() -> None:
    holder = jobs.wait_for_gate.using(limit=LIMIT).enqueue()
    with working(threads=2):
        assert jobs.started.wait(10)
        waiting = [jobs.note.using(limit=LIMIT, priority=5).enqueue(number) for number in range(50)]
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        assert finished(jobs.add_async.enqueue(1, 2)).return_value == 3
        assert {record(each).state for each in waiting} <= {"limited", "scheduled"}
        jobs.gate.set()
        finished(waiting[-1])
    assert finished(holder).return_value == "open"
    assert jobs.ran[2:] == list(range(50))


def test_two_workers_share_a_limit() -> None:
    """Each task fails if another with its key runs."""
    with working(threads=2), working(threads=2):
        results = [jobs.alone.using(limit=LIMIT).enqueue() for _ in range(20)]
        assert {finished(each).status for each in results} == {"SUCCESSFUL"}


@pytest.mark.usefixtures("tables")
def test_two_workers_share_a_limit_in_the_database() -> None:
    with working(backend="database", threads=2), working(backend="database", threads=2):
        results = [in_database(jobs.alone).using(limit=LIMIT).enqueue() for _ in range(10)]
        assert {finished(each, 30).status for each in results} == {"SUCCESSFUL"}


def test_a_rate_spreads_tasks_over_time() -> None:
    slow = jobs.note.using(limit=Limit(rate="2/m"))
    with task_clock() as clock:
        for number in range(5):
            slow.enqueue(number)
        run_tasks()
        assert jobs.ran == [0, 1]
        clock.move(seconds=59)
        run_tasks()
        assert jobs.ran == [0, 1]
        clock.move(seconds=1)
        run_tasks()
        assert jobs.ran == [0, 1, 2, 3]


def test_a_worker_looks_when_the_next_may_start(settings: Any) -> None:
    """Nobody tells it, and by itself it would look a minute later."""
    options = {**settings.TASKS["default"]["OPTIONS"], "poll": 60, "lease": 240}
    settings.TASKS = {"default": {**settings.TASKS["default"], "OPTIONS": options}}
    slow = jobs.note.using(limit=Limit(rate="1/1s"))
    with working():
        results = [slow.enqueue(number) for number in range(2)]
        first, second = (finished(each) for each in results)
    assert (second.started_at - first.started_at).total_seconds() >= 1.0


def test_steps_of_chains_and_tasks_that_run_again_wait_for_their_key() -> None:
    holder = jobs.wait_for_gate.using(limit=LIMIT).enqueue()
    failed = jobs.fail.using(limit=LIMIT).enqueue()
    with working(threads=2):
        assert jobs.started.wait(10)
        assert cancel(failed) and retry(failed)
        results = chain(jobs.add.step(1, 2), jobs.total.using(limit=LIMIT).step())
        assert finished(results[0]).return_value == 3
        wait_for(lambda: record(results[1]).state == "limited")
        jobs.gate.set()
        assert finished(results[1]).return_value == [3]
    assert finished(holder).is_finished


def test_the_command_says_in_words_who_waits_for_what() -> None:
    holder = jobs.wait_for_gate.using(limit=LIMIT).enqueue()
    with working():
        assert jobs.started.wait(10)
        waiting = jobs.note.using(limit=LIMIT).enqueue("x")
        wait_for(lambda: record(waiting).state == "limited")
        out = io.StringIO()
        call_command("tasks", "status", stdout=out)
        listed = io.StringIO()
        call_command("tasks", "list", "--state", "limited", stdout=listed)
    assert f"{waiting.id} tests.tasks.jobs.note" in listed.getvalue()
    assert "waits for key stripe" in listed.getvalue()
    assert "limited 1" in out.getvalue()
    assert "1 wait for key stripe (1 at once): 1 run or are about to" in out.getvalue()
    assert finished(holder).is_finished
