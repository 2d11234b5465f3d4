"""Processes of workers: beside a server, in ``runserver``, and by ``runworker --processes``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.management.activity import lines_of_activity
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import task_backends
from channels.tasks.worker.main import worker_in_thread
from channels.tasks.worker.worker import WorkerConfig
from tests.support.databases import Database
from tests.support.ports import free_port
from tests.support.served import environment
from tests.tasks import jobs as here
from tests.tasks.conftest import finished, migrated, wait_for
from tests.tasks.kills import jobs
from tests.tasks.kills import settings as kills


@pytest.fixture
def project(sqlite: Database, settings) -> Iterator[dict[str, str]]:
    """The environment of programs that share a database with this process."""
    settings.TASKS = kills.TASKS
    with migrated(sqlite):
        yield environment(DJANGO_SETTINGS_MODULE=kills.__name__, **sqlite.env)


def workers() -> list[int]:
    """The processes of workers, by what they say of themselves."""
    return [each["pid"] for each in store_of(task_backends["default"]).overview().workers]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "django", *arguments]


def test_several_processes_work_one_that_dies_is_replaced_and_all_stop(project: dict[str, str]) -> None:
    """It starts three processes."""
    program = subprocess.Popen(
        manage("runworker", "--tasks", "--processes", "2", "--drain", "5"), env=project
    )
    try:
        first = wait_for(lambda: len(found := workers()) == 2 and found, 40)
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        os.kill(first[0], signal.SIGKILL)
        wait_for(lambda: len({*workers()} - {*first}) == 1, 40)
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
        assert not [pid for pid in workers() if is_alive(pid)]
    finally:
        program.kill()


def test_workers_are_replaced_without_an_end_to_what_runs_and_a_second_signal_gives_it_back(
    project: dict[str, str],
) -> None:
    """It starts five processes, one after the other."""
    program = subprocess.Popen(
        manage("runworker", "--tasks", "--processes", "2", "--threads", "1", "--drain", "40"), env=project
    )
    store = store_of(task_backends["default"])
    try:
        first = wait_for(lambda: len(found := workers()) == 2 and found, 40)
        running = jobs.nap.enqueue(1.5)
        wait_for(lambda: store.get(running.id).state == "running", 20)
        program.send_signal(signal.SIGHUP)
        wait_for(lambda: len({*workers()} - {*first}) == 2, 40)
        assert finished(running, 20).return_value == "rested"
        assert (running.attempts, store.get(running.id).losses) == (1, 0)
        wait_for(lambda: not any(map(is_alive, first)), 20)
        long = jobs.nap.enqueue(60)
        wait_for(lambda: store.get(long.id).state == "running", 20)
        program.send_signal(signal.SIGTERM)
        wait_for(lambda: len(workers()) == 1, 20)  # the other one had nothing to finish
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
        assert (store.get(long.id).state, store.get(long.id).losses) == ("ready", 0)
    finally:
        program.kill()


@pytest.mark.skipif(os.environ.get("LAYER_TESTS") != "full", reason="it waits for twenty time-outs")
def test_a_worker_whose_threads_all_hang_is_replaced(project: dict[str, str]) -> None:
    """It starts four processes."""
    command = manage("runworker", "--tasks", "--processes", "2", "--threads", "1", "--drain", "5")
    program = subprocess.Popen(command, env=project)
    try:
        first = wait_for(lambda: len(found := workers()) == 2 and found, 40)
        results = jobs.hang.enqueue_many([((60,), {})] * 20)
        wait_for(lambda: {*workers()} - {*first}, 60)
        for result in results:
            assert finished(result, 60).status == "FAILED"
        assert finished(jobs.add.enqueue(1, 2), 60).return_value == 3
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
    finally:
        program.kill()


def test_workers_beside_a_server_run_tasks_and_end_with_it_however_it_ends(project: dict[str, str]) -> None:
    """It starts a server and a worker."""
    command = [sys.executable, "-m", "daphne", "--task-workers", "1", "-p", str(free_port())]
    server = subprocess.Popen([*command, "tests.tasks.kills.asgi:application"], env=project)
    try:
        assert finished(jobs.add.enqueue(1, 2), 40).return_value == 3
        (worker,) = workers()
        server.kill()
        wait_for(lambda: not is_alive(worker), 20)
    finally:
        server.kill()
        server.wait()


def test_a_thread_of_a_process_that_does_other_things_runs_tasks() -> None:
    with worker_in_thread(WorkerConfig(drain=1.0)):
        assert finished(here.add.enqueue(1, 2)).return_value == 3


def test_what_runs_beside_a_server_has_a_line() -> None:
    lines: list[str] = []
    with lines_of_activity(lines.append, tasks=True), worker_in_thread(WorkerConfig(drain=1.0)):
        finished(here.add.enqueue(1, 2))
        wait_for(lambda: any(line.startswith(f"Task SUCCESSFUL {here.add.module_path} [") for line in lines))


def test_runserver_runs_tasks(project: dict[str, str]) -> None:
    """It starts a server."""
    arguments = ("runserver", "--noreload", "--skip-checks", f"127.0.0.1:{free_port()}")
    server = subprocess.Popen(manage(*arguments), env=project)
    try:
        assert finished(jobs.add.enqueue(1, 2), 40).return_value == 3
        server.send_signal(signal.SIGINT)
        server.wait(20)
    finally:
        server.kill()
        server.wait()
