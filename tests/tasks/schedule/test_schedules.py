"""Tasks that run again and again: who enqueues them, and what becomes of missed ticks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import connections

from channels.tasks import cron, every
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import InvalidTask, task_backends
from channels.tasks.schedule import schedules
from channels.tasks.schedule.schedules import Schedule, registered
from channels.tasks.stores.records import Claim
from channels.tasks.worker.rounds.ticking import Ticking
from tests.tasks import jobs
from tests.tasks.conftest import in_database, wait_for, working

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_others(monkeypatch) -> Iterator[None]:
    before = dict(registered)
    registered.clear()
    yield
    registered.clear()
    registered.update(before)


def schedule(missed: schedules.Missed = "once") -> Schedule:
    every(minutes=5, missed=missed, kwargs={"what": "tick"})(jobs.note)
    return registered["tests.tasks.jobs.note"]


@pytest.mark.parametrize(
    ("missed", "minutes", "count"),
    [("once", 4, 0), ("once", 5, 1), ("once", 17, 1), ("all", 17, 3), ("skip", 17, 0), ("skip", 15.5, 1)],
)
def test_what_becomes_of_missed_ticks(missed: schedules.Missed, minutes: float, count: int) -> None:
    newest, tasks = schedule(missed).due(NOON, NOON + timedelta(minutes=minutes))
    assert tasks == count
    assert newest == NOON + timedelta(minutes=minutes // 5 * 5)


def test_of_very_many_missed_ticks_the_rest_is_passed_over() -> None:
    now = NOON + timedelta(days=3650)
    assert schedule("all").due(NOON, now) == (now, 1000)


def test_a_clock_that_goes_back_ticks_no_second_time() -> None:
    assert schedule().due(NOON, NOON - timedelta(hours=1)) == (NOON, 0)


def test_a_worker_runs_what_ticks() -> None:
    every(1, kwargs={"what": "tick"})(jobs.note)
    with working():
        wait_for(lambda: len(jobs.ran) >= 2)
    assert set(jobs.ran) == {"tick"}


@pytest.mark.usefixtures("tables")
def test_of_schedulers_side_by_side_one_enqueues_for_each_tick() -> None:
    every(minutes=5, kwargs={"one": 1, "two": 2})(in_database(jobs.add))
    store = store_of(task_backends["database"])
    now = store.clock()
    begun = [Ticking(store, "database") for _ in range(4)]
    assert [each.run()[0] for each in begun] == [False] * 4
    store.clock = lambda: now + 301
    ticked: list[bool] = []
    barrier = threading.Barrier(4)

    def tick(ticking: Ticking) -> None:
        barrier.wait()
        ticked.append(ticking.run()[0])
        connections["default"].close()

    threads = [threading.Thread(target=tick, args=(each,)) for each in begun]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ticked) == [False, False, False, True]
    assert len(store.turn("me", [], [Claim(0, 10)], "database", ())) == 1


def test_a_unique_task_that_still_runs_is_not_enqueued_again() -> None:
    every(minutes=5, kwargs={"year": 1})(jobs.report)
    store = store_of(task_backends["default"])
    now = store.clock()
    ticking = Ticking(store, "default")
    for seconds in (0, 301, 602):
        store.clock = lambda later=seconds: now + later  # type: ignore[misc]
        ticking.run()
    assert len(store.turn("me", [], [Claim(0, 10)], "default", ())) == 1


def test_a_task_may_have_several_schedules() -> None:
    cron("0 4 * * *", timezone="Asia/Tokyo", kwargs={"what": "a"})(jobs.note)
    cron("@weekly", kwargs={"what": "b"})(jobs.note)
    assert list(registered) == ["tests.tasks.jobs.note", "tests.tasks.jobs.note#1"]
    assert registered["tests.tasks.jobs.note"].timing.after(NOON) == datetime(2026, 1, 1, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: every(0.5), "at least one second"),
        (lambda: cron("* *"), "2 fields"),
        (lambda: cron("0 0 31 2 *"), "never true"),
        (lambda: cron("@daily", timezone="Mars/Base"), "Mars/Base"),
        (lambda: cron("@daily")(cast(Any, jobs.note.func)), "above @task"),
        (lambda: cron("@daily", missed=cast(Any, "maybe"))(jobs.note), "maybe"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(make, reason: str) -> None:
    with pytest.raises(InvalidTask, match=reason):
        make()
