"""Workers and enqueuers of tasks in Redis that are killed at each step."""

from __future__ import annotations

import functools
import json
import signal
from typing import Any

import pytest

from channels.tasks import Limit
from channels.tasks.stores.redis.store import RedisStore
from tests.support.databases import Database
from tests.tasks.conftest import finished, in_redis, wait_for, working
from tests.tasks.kills import jobs
from tests.tasks.kills import settings as kills
from tests.tasks.kills.test_kills import FULL, worker
from tests.tasks.kills.test_kills import processes as started
from tests.tasks.redis.dying import ENQUEUING, STEPS

#: What has become of the task of each step when another worker has had time: its attempts and losses.
AFTERWARDS: dict[str, tuple[int, int] | None] = {
    "before the commit": None,
    "after the commit": None,
    "after the write": (1, 0),
    "after the claim": (2, 1),
    "before the start": (2, 1),
    "before the call": (2, 1),
    "before the outcome": (2, 1),
    "after the outcome": (1, 0),
}
#: Those that a short run looks at.
FEW = ("after the commit", "after the claim", "after the outcome")


@pytest.fixture
def project(settings: Any, sqlite: Database, redis_options: dict[str, Any]) -> Database:
    """A database for transactions, and Redis for tasks, of the processes and of this one."""
    settings.TASKS = kills.TASKS
    return sqlite


@pytest.fixture
def processes(project: Database, redis_options: dict[str, Any]) -> Any:
    """Start processes that keep their tasks in the same place as this one."""
    return functools.partial(started, project, TASKS_OPTIONS=json.dumps(redis_options))


@pytest.fixture(autouse=True)
def everything_in_redis(project: Database, settings: Any, redis_options: dict[str, Any]) -> Any:
    with in_redis(settings, redis_options):
        yield


def by_queue(store: RedisStore) -> dict[str, Any]:
    """The tasks of a store."""
    begin = f"{store._base}:task:"
    found = store._clients.run("", lambda client: client.redis.keys(f"{begin}*"))
    records = [store.get(key.decode().removeprefix(begin)) for key in found]
    return {record.queue: record for record in records if record is not None}


def test_every_step_is_in_the_table() -> None:
    assert AFTERWARDS.keys() == {*STEPS, *ENQUEUING}


def test_a_process_is_killed_at_each_step_and_what_was_written_is_done(
    processes: Any, store: RedisStore
) -> None:
    """Up to eight processes are started at once: it takes as long as one of them, and a lease."""
    steps = AFTERWARDS if FULL else {step: AFTERWARDS[step] for step in FEW}
    for step in STEPS.keys() & steps:
        jobs.add.using(queue_name=step).enqueue(1, 2)
    with processes(*(["-m", "tests.tasks.redis.dying", step] for step in steps)) as dying:
        assert [each.wait(60) for each in dying] == [-signal.SIGKILL] * len(dying)
    expected = {step: (*found, "3") for step, found in steps.items() if found is not None}
    with working():
        wait_for(lambda: all(each.state == "succeeded" for each in by_queue(store).values()), 20)
    found = {queue: (each.attempts, each.losses, each.result) for queue, each in by_queue(store).items()}
    assert found == expected


def test_a_killed_worker_frees_the_places_of_a_limit_with_its_lease(
    processes: Any, store: RedisStore, tmp_path: Any
) -> None:
    limit = Limit("alone", concurrency=1)
    first = jobs.die_at_first.using(limit=limit).enqueue(str(tmp_path / "marker"))
    second = jobs.add.using(limit=limit).enqueue(1, 2)
    with processes(worker()) as (killed,):
        assert killed.wait(30) == -signal.SIGKILL
    waiting = store.get(second.id)
    assert waiting is not None and waiting.state == "limited"
    with working():
        assert finished(second).return_value == 3
    first.refresh()
    assert first.return_value == "done"
    assert first.finished_at is not None and second.started_at is not None
    assert first.finished_at <= second.started_at


@pytest.mark.skipif(not FULL, reason="the contract of stores has it, too")
def test_a_task_that_kills_its_worker_three_times_is_a_dead_letter(processes: Any) -> None:
    """It needs three processes, and three leases of a second."""
    deadly = jobs.die.enqueue()
    with working(queues=("nothing",)), processes(*[worker(threads=1)] * 3) as others:
        finished(deadly, 40)
        assert [each.wait(30) for each in others] == [-signal.SIGKILL] * 3
    assert deadly.errors[-1].exception_class.__name__ == "WorkerLost"
