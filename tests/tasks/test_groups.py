"""Tasks that wait for others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction

from channels.tasks import cancel, chain, group
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import InvalidTask, TaskResultDoesNotExist, task_backends
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.redis.store import RedisStore
from channels.tasks.stores.sql import SQLStore
from channels.tasks.stores.statements import GROUPS
from channels.testing.tasks import run_tasks, task_clock
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_database, working


def states(results) -> list[str]:
    return [store_of(task_backends[each.backend]).get(each.id).state for each in results]


def groups_left(store: TaskStore) -> int:
    if isinstance(store, RedisStore):
        return len(store._clients.run("", lambda client: client.redis.keys(f"{store._base}:group:*")))
    assert isinstance(store, SQLStore)
    with store.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {GROUPS}")
        return cursor.fetchone()[0]


def test_a_chain_runs_one_after_the_other_each_with_the_result_before() -> None:
    results = chain(jobs.add.step(1, 2), jobs.total.step(), jobs.total.step())
    assert states(results) == ["ready", "blocked", "blocked"]
    assert [each.return_value for each in run_tasks()] == [3, [3], [[3]]]
    assert groups_left(store_of(task_backends["default"])) == 0


def test_a_step_may_have_to_wait_for_its_time_as_well() -> None:
    with task_clock() as clock:
        later = datetime.fromtimestamp(clock() + 60, UTC)
        results = chain(jobs.note.step("a"), jobs.note.using(run_after=later).step("b"))
        run_tasks()
        assert states(results) == ["succeeded", "scheduled"]
        clock.move(minutes=2)
        run_tasks()
    assert states(results) == ["succeeded", "succeeded"]


def test_what_comes_after_a_failure_is_cancelled() -> None:
    results = chain(jobs.note.step("a"), jobs.fail.step(), jobs.note.step("b"), jobs.note.step("c"))
    run_tasks(failures=True)
    assert states(results) == ["succeeded", "failed", "cancelled", "cancelled"]
    assert jobs.ran == ["a"]


def test_a_chain_may_be_cancelled_in_its_middle() -> None:
    results = chain(jobs.note.step("a"), jobs.note.step("b"), jobs.note.step("c"))
    assert cancel(results[1])
    run_tasks()
    assert states(results) == ["succeeded", "cancelled", "cancelled"]


def test_a_callback_runs_when_all_are_done() -> None:
    results = group(jobs.add.step(1, 2), jobs.add_async.step(3, 4), then=jobs.total.step())
    with working():
        assert finished(results[-1]).return_value == [3, 7]


def test_a_callback_may_run_although_one_has_failed() -> None:
    strict = group(jobs.add.step(1, 2), jobs.fail.step(), then=jobs.total.step())
    mild = group(jobs.add.step(1, 2), jobs.fail.step(), then=jobs.total.step(), even_if_failed=True)
    run_tasks(failures=True)
    assert states(strict) == ["succeeded", "failed", "cancelled"]
    mild[-1].refresh()
    assert mild[-1].return_value == [3, None]


def test_a_step_that_is_tried_again_counts_when_it_has_ended() -> None:
    results = group(jobs.fail_twice.step(), then=jobs.total.step())
    with working():
        assert finished(results[-1]).return_value == [3]


def test_a_lost_worker_counts_as_a_failure_at_last() -> None:
    results = group(jobs.add.step(1, 2), then=jobs.total.step())
    store = store_of(task_backends["default"])
    from channels.tasks.stores.records import Claim

    for loss in range(3):
        store.turn("lost", [], [Claim(0, 1, recovered=loss > 0)], "default", ())
        store.recover("lost", -1, 3)
    assert states(results) == ["dead", "cancelled"]


@pytest.mark.usefixtures("tables")
def test_groups_are_part_of_the_transaction_and_side_by_side_count_right() -> None:
    with transaction.atomic():
        rolled_back = chain(in_database(jobs.add).step(1, 2), in_database(jobs.total).step())
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        rolled_back[1].refresh()
    members = [in_database(jobs.add).step(number, 1) for number in range(30)]
    results = group(*members, then=in_database(jobs.total).step())
    with working(backend="database", threads=3), working(backend="database", threads=3):
        assert finished(results[-1]).return_value == [number + 1 for number in range(30)]
    assert groups_left(store_of(task_backends["database"])) == 0


def test_steps_that_cannot_be_a_group_are_refused() -> None:
    with pytest.raises(InvalidTask, match="no step"):
        chain()
    with pytest.raises(InvalidTask, match="at least one step"):
        group(then=jobs.total.step())
    with pytest.raises(InvalidTask, match="backends"):
        chain(jobs.add.step(1, 2), in_database(jobs.add).step(1, 2))
    with pytest.raises(InvalidTask, match="unique"):
        chain(jobs.report.step(1))
