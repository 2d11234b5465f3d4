"""Tasks that do not end, that block the loop, that fork or eat all memory: the others go on."""

from __future__ import annotations

import pytest

from channels import telemetry
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.exceptions import TimedOut
from channels.tasks.worker import loop
from channels.tasks.worker.attempt import LONGEST_TRACEBACK
from tests.tasks import jobs
from tests.tasks.conftest import finished, wait_for, working


def state(result) -> str:
    return store_of(task_backends["default"]).get(result.id).state


@pytest.fixture(autouse=True)
def little_grace(monkeypatch) -> None:
    monkeypatch.setattr(loop, "GRACE", 0.05)


def test_an_async_task_that_ignores_its_cancellation_has_failed_and_another_takes_its_place() -> None:
    with working(concurrency=1) as worker:
        result = finished(jobs.go_on_when_cancelled.enqueue())
        assert result.errors[0].exception_class is TimedOut
        assert finished(jobs.add_async.enqueue(1, 2)).return_value == 3
        jobs.gate.set()
        wait_for(lambda: not worker._loop._tasks)
        assert finished(jobs.add_async.enqueue(3, 4)).return_value == 7
    assert (state(result), worker._loop._stuck) == ("failed", 0)


def test_places_of_those_that_never_end_are_given_away_within_a_limit() -> None:
    with working(concurrency=2) as worker:
        for result in jobs.go_on_when_cancelled.enqueue_many([((), {})] * 4):
            assert finished(result).errors[0].exception_class is TimedOut
        wait_for(lambda: worker._loop.room() == 0)
        waiting = jobs.add_async.enqueue(1, 2)
        jobs.gate.set()
        assert finished(waiting).return_value == 3


def test_a_task_that_blocks_the_loop_holds_up_only_itself(caplog) -> None:
    with working() as blocked:
        long = jobs.block_the_loop.enqueue()
        assert jobs.started.wait(5)
        behind = jobs.add_async.enqueue(1, 2)
        wait_for(lambda: "does not answer" in caplog.text)
        wait_for(lambda: state(behind) == "ready")
        assert "in wait(), " in caplog.text and blocked._loop.room() == 0
        with working():
            assert finished(behind).attempts == 1
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        jobs.gate.set()
        assert finished(long).return_value == "at last"
        assert finished(jobs.add_async.enqueue(3, 4)).return_value == 7


def test_one_that_blocks_the_loop_for_too_long_has_failed_although_it_runs() -> None:
    counted = telemetry.counters["tasks.timed_out"]
    with working():
        result = finished(jobs.block_the_loop_for_too_long.enqueue())
        assert not jobs.gate.is_set() and result.errors[0].exception_class is TimedOut
        jobs.gate.set()
        assert finished(jobs.add_async.enqueue(1, 2)).return_value == 3
    assert (state(result), telemetry.counters["tasks.timed_out"]) == ("failed", counted + 1)


@pytest.mark.parametrize("fork", [jobs.fork, jobs.fork_async], ids=["sync", "async"])
def test_what_a_task_has_forked_does_not_go_on_with_the_worker(fork, tmp_path) -> None:
    with working():
        assert finished(fork.enqueue(str(tmp_path / "child"))).return_value == 0
        assert finished(jobs.add_async.enqueue(1, 2)).return_value == 3
    assert (tmp_path / "child").read_text() == "the child"


def test_an_error_that_cannot_be_written_down_ends_its_task_and_no_thread() -> None:
    with working():
        result = finished(jobs.fail_beyond_words.enqueue())
        assert result.errors[0].exception_class is SyntaxError
        assert "cannot be written: TypeError" in result.errors[0].traceback
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3


def test_of_a_long_traceback_the_beginning_and_the_end_are_kept() -> None:
    with working():
        text = finished(jobs.fail_at_length.enqueue()).errors[0].traceback
    assert len(text) < LONGEST_TRACEBACK + 100
    assert text.startswith("Traceback") and "characters are left out" in text
