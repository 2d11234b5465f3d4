"""Workers and enqueuers that are killed: nothing is lost, and nothing waits for ever."""

from __future__ import annotations

import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels.tasks import Limit
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import TaskResult, task_backends
from channels.tasks.stores.records import TaskRecord
from channels.tasks.stores.statements import COLUMNS
from tests.support.databases import Database
from tests.support.served import environment
from tests.tasks.conftest import finished, migrated, wait_for, working
from tests.tasks.kills import jobs
from tests.tasks.kills import settings as kills
from tests.tasks.kills.dying import ENQUEUING, STEPS

FULL = os.environ.get("LAYER_TESTS") == "full"
WORKER = "from tests.tasks.kills.dying import work; work(**{!r})"
#: What has become of the task of each step when another worker has had time: its attempts and losses.
AFTERWARDS = {
    "before the commit": None,
    "before the wake-up": (1, 0),
    "in the claim": (1, 0),
    "before the start": (2, 1),
    "before the call": (2, 1),
    "before the outcome": (2, 1),
    "in the outcome": (2, 1),
    "after the outcome": (1, 0),
}


@pytest.fixture
def project(request: pytest.FixtureRequest, settings) -> Iterator[Database]:
    """A database with the tables, and the settings of the processes in this one, too."""
    settings.TASKS = kills.TASKS
    found: Database = request.getfixturevalue(getattr(request, "param", "sqlite"))
    with migrated(found):
        yield found


each_database = pytest.mark.parametrize(
    "project", ["sqlite", "postgresql", "mariadb"] if FULL else ["sqlite"], indirect=True
)


@contextmanager
def processes(
    project: Database, *arguments: list[str], **more: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    env = environment(DJANGO_SETTINGS_MODULE=kills.__name__, **project.env, **more)
    started = [
        subprocess.Popen([sys.executable, *each], env=env, stderr=subprocess.PIPE) for each in arguments
    ]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


def wait_until_said(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Read the errors of a process until these words are among them."""
    assert process.stderr is not None
    said, deadline = b"", time.monotonic() + 30
    while words not in said:
        assert select.select([process.stderr], [], [], max(0.0, deadline - time.monotonic()))[0], said
        more = os.read(process.stderr.fileno(), 65536)
        assert more, said
        said += more


def worker(**config: object) -> list[str]:
    return ["-c", WORKER.format(config)]


def of_queue(queue: str) -> Any:
    store: Any = store_of(task_backends["default"])
    with store.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM channels_tasks_task WHERE queue = %s", (queue,))
        row = cursor.fetchone()
    return TaskRecord(*row) if row else None


def has_succeeded(queue: str) -> bool:
    return bool(of_queue(queue).state == "succeeded")


def of(result: TaskResult) -> Any:
    return store_of(task_backends["default"]).get(result.id)


def test_every_step_is_in_the_table() -> None:
    assert AFTERWARDS.keys() == {*STEPS, *ENQUEUING}


@each_database
def test_a_process_is_killed_at_each_step_and_the_task_is_done_all_the_same(project: Database) -> None:
    """Eight processes are started at once: it takes as long as one of them, and a lease."""
    for step in STEPS:
        jobs.add.using(queue_name=step).enqueue(1, 2)
    with processes(project, *(["-m", "tests.tasks.kills.dying", step] for step in AFTERWARDS)) as dying:
        assert [each.wait(60) for each in dying] == [-signal.SIGKILL] * len(dying)
    with working():
        for step, expected in AFTERWARDS.items():
            record = of_queue(step)
            if expected is None or record is None:
                assert (expected, record) == (None, None), step
                continue
            wait_for(functools.partial(has_succeeded, step))
            record = of_queue(step)
            assert (record.attempts, record.losses, record.result) == (*expected, "3"), step


@each_database
def test_a_task_that_kills_its_worker_three_times_is_a_dead_letter(project: Database) -> None:
    """And one that ran beside it is not: it needs four processes, and three leases of a second."""
    bystander = jobs.nap.enqueue(3)
    with processes(project, worker(threads=2)) as (first,):
        wait_for(lambda: of(bystander).state == "running", 30)
        deadly = jobs.die.enqueue()
        assert first.wait(30) == -signal.SIGKILL
    with processes(project, *[worker(threads=2)] * 3) as others:
        finished(deadly, 40)
        assert finished(bystander, 40).return_value == "rested"
        assert sorted(each.poll() is None for each in others) == [False, False, True]
    assert (of(deadly).state, of(deadly).attempts, of(deadly).losses) == ("dead", 3, 3)
    assert deadly.errors[-1].exception_class.__name__ == "WorkerLost"
    assert (of(bystander).losses, len(bystander.worker_ids)) == (1, 2)


def test_a_task_that_eats_all_memory_of_its_worker_has_failed_and_the_others_go_on(project: Database) -> None:
    """It starts a process, which may have 300 MB of addresses; most of these it never touches."""
    limited = ["-c", "from tests.tasks.kills.dying import work_within; work_within(300, threads=1)"]
    with processes(project, limited) as (only,):
        result = finished(jobs.fill_memory.enqueue(), 40)
        assert result.errors[0].exception_class is MemoryError
        assert "fill_memory" in result.errors[0].traceback
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        assert only.poll() is None
    assert (of(result).state, of(result).losses) == ("failed", 0)


@pytest.mark.parametrize("project", ["postgresql"], indirect=True)
def test_a_frozen_worker_is_taken_for_dead_and_its_result_does_not_count(project: Database) -> None:
    """It takes two leases of a second. With SQLite it may be frozen while it has the lock of the file."""
    result = jobs.nap.enqueue(0.5)
    with processes(project, worker(threads=1)) as (frozen,):
        wait_for(lambda: of(result).state == "running", 30)
        first = of(result).owner
        frozen.send_signal(signal.SIGSTOP)
        with working() as second:
            finished(result)
            assert result.worker_ids == [first, second.owner]
            ended = of(result)
            frozen.send_signal(signal.SIGCONT)
            wait_until_said(frozen, b"Others took this worker for dead")
        finished(jobs.nap.using(queue_name="default").enqueue(0))  # it goes on, under another name
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait(30) == 0
    assert of(result) == ended


@each_database
def test_a_killed_worker_frees_the_places_of_a_limit_with_its_lease(project: Database, tmp_path) -> None:
    limit = Limit("alone", concurrency=1)
    first = jobs.die_at_first.using(limit=limit).enqueue(str(tmp_path / "marker"))
    second = jobs.add.using(limit=limit).enqueue(1, 2)
    with processes(project, worker()) as (killed,):
        assert killed.wait(30) == -signal.SIGKILL
    assert of(second).state == "limited"
    with working():
        assert finished(second).return_value == 3
    first.refresh()
    assert (first.return_value, of(first).losses) == ("done", 1)
    assert first.finished_at is not None and second.started_at is not None
    assert first.finished_at <= second.started_at


@pytest.mark.skipif(not FULL, reason="it waits for the lease of the defaults")
def test_with_the_lease_of_the_defaults_it_runs_elsewhere_within_ten_seconds(
    project: Database, settings, tmp_path
) -> None:
    settings.TASKS = {"default": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": []}}
    result = jobs.die_at_first.enqueue(str(tmp_path / "marker"))
    with working(queues=("nothing",)), processes(project, worker()) as (first,):
        assert first.wait(30) == -signal.SIGKILL
        killed = time.monotonic()
        with working():
            finished(result, 12)
        assert time.monotonic() - killed < 10
