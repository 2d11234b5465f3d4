"""``daphne --workers`` and ``--reload``, as their users start them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.helpers import LONG, Client, eventually
from tests.support.served import environment
from tests.support.server_programs import LAST_GET, Project, alive, kill

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


class Command:
    """A running command and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def saying(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    async def says(self, text: str, times: int = 1) -> str:
        await eventually(lambda: len(self.saying(text)) >= times or self.process.returncode is not None)
        assert len(self.saying(text)) >= times, self.lines
        return self.saying(text)[-1]

    async def ended(self) -> int:
        await asyncio.wait_for(self._reading, 2 * LONG)
        return await asyncio.wait_for(self.process.wait(), LONG)

    async def get(self) -> tuple[str, int]:
        port = int((await self.says("Listening on")).rsplit(":", 1)[1])
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        await client.send(LAST_GET)
        version, pid = (await client.response())[2].decode().split()
        await client.close()
        return version, int(pid)


@contextlib.asynccontextmanager
async def daphne(project: Project, *args: str) -> AsyncIterator[Command]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daphne", *args),
        cwd=project.folder,
        env=environment(PWD=str(project.folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    command = Command(process)
    try:
        yield command
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            process.terminate()
        await command.ended()


async def test_workers_share_one_log_and_end_with_their_supervisor(project: Project) -> None:
    async with daphne(project, "--workers", "2", "-p", "0", "served:app") as command:
        await command.says("serves.", 2)
        _, pid = await command.get()
        assert pid != command.process.pid
        line = await command.says('"GET /"')
        assert line.endswith('"GET /" 200 ' + str(len(f"one {pid}")))
        pids = [int(line.split("(pid ")[1].split(")")[0]) for line in command.saying("serves.")]
        assert pid in pids
        os.kill(command.process.pid, signal.SIGINT)
        assert await command.ended() == 0
        assert len(command.saying("Listening on")) == 1
        assert not any(alive(pid) for pid in pids)


LAYERED = """
import django
from django.conf import settings

settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.%s"}})
django.setup()

import channels.consumer
from served import app
"""


@pytest.mark.parametrize(
    ("backend", "workers", "warnings"),
    [("InMemoryChannelLayer", 3, 1), ("InMemoryChannelLayer", 1, 0), ("host.HostChannelLayer", 2, 0)],
)
async def test_workers_that_a_layer_in_memory_does_not_reach(
    project: Project, backend: str, workers: int, warnings: int
) -> None:
    (project.folder / "layered.py").write_text(LAYERED % backend)
    async with daphne(project, "--workers", str(workers), "-p", "0", "layered:app") as command:
        await command.says("serves.", workers)
        told = command.saying("is in memory, and there are several workers")
        assert len(told) == warnings
        assert all("HostChannelLayer" in line and "'default'" in line for line in told)


async def test_workers_of_a_killed_supervisor_end_themselves(project: Project) -> None:
    async with daphne(project, "--workers", "2", "-p", "0", "served:app") as command:
        await command.says("serves.", 2)
        pids = [int(line.split("(pid ")[1].split(")")[0]) for line in command.saying("serves.")]
        kill(command.process.pid)
        await eventually(lambda: not any(alive(pid) for pid in pids))
        await command.says("The supervisor is gone", 2)


async def test_a_terminal_interrupts_workers_through_their_supervisor_only(project: Project) -> None:
    """Ctrl-C reaches the whole group: for a worker it must be neither a traceback nor a second signal."""
    async with daphne(project, "--workers", "1", "-p", "0", "served:app") as command:
        line = await command.says("serves.")
        worker = int(line.split("(pid ")[1].split(")")[0])
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGHUP)
        assert (await command.get())[1] == worker


async def test_reload_says_in_one_line_what_is_wrong_and_serves_once_it_is_right(project: Project) -> None:
    project.replace("import nowhere_at_all")
    async with daphne(project, "--reload", "-p", "0", "served:app") as command:
        await command.says("Waiting for a change")
        (line,) = command.saying("cannot be imported")
        assert "No module named 'nowhere_at_all'" in line
        assert not command.saying("Traceback")
        project.write("two")
        await command.says("serves.")
        assert (await command.get())[0] == "two"


@pytest.mark.parametrize("flag", ["--workers=2", "--lifespan=auto"])
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("other = 1", "no attribute 'app'"),
        (
            "async def app(scope, receive, send):\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})",
            "no database",
        ),
    ],
)
async def test_an_application_that_cannot_start_is_one_line_and_exit_code_1(
    project: Project, flag: str, source: str, text: str
) -> None:
    project.replace(source)
    async with daphne(project, flag, "-v", "0", "-p", "0", "served:app") as command:
        assert await command.ended() == 1
        assert len(command.lines) == 1
        assert text in command.lines[0]


@pytest.mark.parametrize("flag", ["--workers=2", "--reload", "--lifespan=auto"])
async def test_a_port_in_use_is_one_line_and_exit_code_1(project: Project, flag: str) -> None:
    async with daphne(project, "-p", "0", "served:app") as first:
        port = (await first.says("Listening on")).rsplit(":", 1)[1]
        async with daphne(project, flag, "-v", "0", "-p", port, "served:app") as second:
            assert await second.ended() == 1
            assert len(second.lines) == 1
            assert f"Cannot listen on 127.0.0.1:{port}: another program listens there" in second.lines[0]
