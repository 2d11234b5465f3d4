"""Many workers behind one socket: deaths, deploys and the end, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from channels.server.endpoints.endpoints import ListenError
from channels.server.processes import supervisor as module
from channels.server.processes.child import WorkerSpec
from channels.server.processes.supervisor import Supervisor, WorkerSlot, starting_folder
from channels.server.server import Server
from tests.server.helpers import GET, LONG, Client, close_frame, eventually, records
from tests.support.server_programs import COMMAND, ENDPOINTS, Office, Project, alive, kill, supervised

#: What one test here may take on a loaded machine, in seconds: it starts many interpreters.
pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def with_workers(number: int, **options: Any) -> Supervisor:
    return Supervisor(COMMAND, ENDPOINTS, workers=number, **options)


async def test_a_killed_worker_is_missed_by_nobody_and_comes_back(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    died = telemetry.counters["server.worker_died"]
    async with supervised(with_workers(2), workers=2) as office:
        pids = {worker.pid for worker in office.workers}
        _, victim = await office.get()
        assert victim in pids
        kill(victim)
        # A connection that the kernel has given to nobody yet is served by the other one.
        for _ in range(20):
            assert (await office.get())[1] != victim
        await eventually(lambda: len({worker.pid for worker in office.workers if worker.serves}) == 2)
        assert pids - {worker.pid for worker in office.workers} == {victim}
    assert telemetry.counters["server.worker_died"] == died + 1
    assert f"Worker {number_of(caplog)} (pid {victim}) ended by signal SIGKILL while it served." in records(
        caplog
    )


def number_of(caplog: pytest.LogCaptureFixture) -> str:
    (line,) = [line for line in records(caplog) if "SIGKILL" in line]
    return line.split()[1]


class Load:
    """Requests without a pause, on kept connections and on new ones; and what they met."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.versions: list[str] = []
        self.failures: list[str] = []
        self._ending = False
        self._tasks = [asyncio.ensure_future(run()) for run in (self._kept, self._kept, self._new, self._new)]

    async def _new(self) -> None:
        while not self._ending:
            try:
                self.versions.append((await self.office.get())[0])
            except Exception as error:
                self.failures.append(f"new: {error!r}")

    async def _kept(self) -> None:
        client = None
        while not self._ending:
            try:
                client = client or await self.office.open()
                await client.send(GET)
                _, headers, body = await client.response()
            except Exception as error:
                self.failures.append(f"kept: {error!r}")
                client = None
            else:
                self.versions.append(body.decode().split()[0])
                if headers.get("connection") == "close":
                    await client.close()
                    client = None
        if client is not None:
            await client.close()

    async def end(self) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)


async def closed_with(office: Office) -> int:
    """Open a WebSocket, and return the code that it is closed with."""
    client = await office.websocket()
    try:
        opcode, payload = await client.message(5 * LONG)
        assert opcode == 8
        await client.send(close_frame(int.from_bytes(payload[:2], "big")))
        await client.rest()
    finally:
        await client.close()
    return int.from_bytes(payload[:2], "big")


async def test_a_rolling_restart_under_load_hurts_nobody(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "channels.server")
    async with supervised(with_workers(2), workers=2) as office:
        pids = {worker.pid for worker in office.workers}
        sockets = [asyncio.ensure_future(closed_with(office)) for _ in range(200)]
        load = Load(office)
        await eventually(lambda: len(load.versions) > 20)
        project.write("two")
        os.kill(os.getpid(), signal.SIGHUP)
        codes = await asyncio.wait_for(asyncio.gather(*sockets), 5 * LONG)
        await eventually(lambda: "All workers are replaced." in records(caplog, 0))
        await eventually(lambda: load.versions[-1] == "two")
        await load.end()
        assert load.failures == []
        assert set(codes) == {1012}
        assert project.notes() == ["websocket.disconnect 1012"] * 200
        assert not pids & {worker.pid for worker in office.workers}
        assert (await office.get())[0] == "two"


async def test_new_code_that_does_not_start_leaves_the_old_in_place(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(with_workers(1)) as office:
        project.replace("import nowhere_at_all")
        office.supervisor.ask_to_renew()
        await eventually(lambda: [line for line in records(caplog) if "old workers go on" in line])
        assert (await office.get())[0] == "one"
        project.write("two")
        office.supervisor.ask_to_renew()
        await eventually(lambda: office.workers and len(office.workers) == 2)
        await eventually(lambda: len(office.workers) == 1)
        assert (await office.get())[0] == "two"


async def test_sigterm_lets_a_request_finish_and_refuses_new_ones(project: Project) -> None:
    async with supervised(with_workers(1)) as office:
        slow = asyncio.ensure_future(office.get(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"))
        websocket = await office.websocket()
        await eventually(lambda: "slow" in project.notes())
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await websocket.message())[1][:2] == b"\x03\xf4"
        with pytest.raises(ConnectionRefusedError):
            await office.get()
        assert not slow.done()
        project.go()
        assert (await slow)[0] == "one"
        await websocket.close()
        assert await office.ended() == 0
        assert office.workers == set()
    assert "websocket.disconnect 1012" in project.notes() or "websocket.disconnect 1006" in project.notes()


async def test_a_second_signal_waits_for_nobody(project: Project) -> None:
    command = [*COMMAND[:-1], "--drain-timeout", "-1", COMMAND[-1]]
    async with supervised(Supervisor(command, ENDPOINTS, drain_limit=None)) as office:
        slow = asyncio.ensure_future(office.get(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"))
        await eventually(lambda: "slow" in project.notes())
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        assert not office.serving.done()
        os.kill(os.getpid(), signal.SIGINT)
        assert await office.ended() == 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await slow


async def test_a_worker_that_an_operator_ends_is_replaced(project: Project) -> None:
    async with supervised(with_workers(1)) as office:
        (worker,) = office.workers
        os.kill(worker.pid, signal.SIGTERM)
        await eventually(lambda: not alive(worker.pid))
        assert (await office.get())[1] != worker.pid


async def test_a_first_worker_that_cannot_serve_ends_it_all(project: Project) -> None:
    project.replace("import nowhere_at_all")
    failed = telemetry.counters["server.worker_failed"]
    assert await with_workers(3).serve() == 1
    assert telemetry.counters["server.worker_failed"] == failed + 1


async def test_a_port_in_use_is_told_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        office = Supervisor(["/nowhere"], [*ENDPOINTS, f"tcp:port={port}:interface=127.0.0.1"])
        with pytest.raises(ListenError, match="another program"):
            await office.serve(signals=False)


def test_who_runs_it_is_told_of_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        office = Supervisor(["/nowhere"], [f"tcp:port={other.getsockname()[1]}:interface=127.0.0.1"])
        with pytest.raises(ListenError, match="another program"):
            office.run()


async def test_one_port_tells_of_the_health_of_all_workers(project: Project) -> None:
    async def ask(probe: Server) -> tuple[int, bytes]:
        client = Client(*await asyncio.open_connection(*probe.addresses[0]))
        await client.send(b"GET /ready HTTP/1.1\r\nHost: test\r\n\r\n")
        status, _, body = await client.response()
        await client.close()
        return status, body

    async with supervised(with_workers(1, health=("127.0.0.1", 0))) as office:
        probe = office.supervisor.probe
        assert probe is not None
        assert await ask(probe) == (200, b"ok\n")
        (worker,) = office.workers
        os.kill(worker.pid, signal.SIGSTOP)  # it is there, and cannot end before the test has asked
        try:
            office.supervisor.ask_to_stop()
            assert await ask(probe) == (503, b"draining\n")
        finally:
            os.kill(worker.pid, signal.SIGCONT)
    with pytest.raises(ConnectionRefusedError):
        await ask(probe)


async def test_a_unix_socket_lives_as_long_as_the_supervisor(project: Project) -> None:
    path = project.folder / "s"
    endpoints = [f"unix:{path}"]
    async with supervised(Supervisor([*COMMAND[:-3], "-u", str(path), COMMAND[-1]], endpoints)) as office:
        (worker,) = office.workers
        office.supervisor.ask_to_renew()
        await eventually(lambda: not alive(worker.pid))
        assert (await office.get())[1] != worker.pid
    assert not path.exists()


async def test_starts_that_fail_are_repeated_with_longer_and_longer_pauses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    caplog.set_level("INFO", "channels.server")
    command = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
    place = WorkerSlot(4, set(), WorkerSpec(command, "/", [], LONG))
    keeping = asyncio.ensure_future(place.keep())
    await eventually(lambda: len([line for line in records(caplog, 0) if "again in" in line]) >= 4)
    keeping.cancel()
    lines = records(caplog, 0)
    assert [line.split(" in ")[1] for line in lines if "again in" in line][:4] == ["0.0 s."] * 4
    assert "ended with exit code 3 before it served" in lines[0]


async def test_what_lived_long_is_replaced_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STEADY", 0.0)
    caplog.set_level("INFO", "channels.server")
    place = WorkerSlot(1, set(), WorkerSpec(["/nowhere/at/all"], "/", [], None))
    keeping = asyncio.ensure_future(place.keep())
    await eventually(lambda: len(records(caplog)) >= 3)
    keeping.cancel()
    assert "Worker 1 cannot be started" in records(caplog)[0]
    assert {line for line in records(caplog, 0) if "again in" in line} == {
        "Worker 1 is started again in 0.0 s."
    }


async def test_an_empty_place_has_nobody_to_watch_or_to_send_away() -> None:
    place = WorkerSlot(1, set(), WorkerSpec([], "/", [], None))
    await place.watch()
    await place.vacate(0.0)


def test_the_folder_keeps_the_name_that_led_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, current = tmp_path / "release", tmp_path / "current"
    release.mkdir()
    current.symlink_to(release)
    monkeypatch.chdir(release)
    monkeypatch.setenv("PWD", str(current))
    assert starting_folder() == str(current)
    monkeypatch.setenv("PWD", str(tmp_path))
    assert starting_folder() == str(release)
    monkeypatch.setenv("PWD", str(tmp_path / "gone"))
    assert starting_folder() == str(release)
