"""The processes of a machine that serves topics: nodes on one socket, the broker's carrier, a publisher."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support.served import BIN, environment
from tests.topics.kills.follower import PATIENCE

SERVES = re.compile(r"Listening on|Worker \d+ \(pid (\d+)\) serves")


class Machine:
    """Starts processes, and ends all that are left.

    Args:
        redis: its address; "" for the store of one machine.

    Attributes:
        port: of the socket that all nodes accept from: the kernel says who does, as a balancer would.
    """

    def __init__(self, redis: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kills"))  # pytest's own are too long for a Unix socket
        where = {"TOPICS_REDIS": redis} if redis else {"TOPICS_PATH": str(self._folder / "host")}
        self._env = environment(
            DJANGO_SETTINGS_MODULE="tests.topics.kills.settings",
            PYTHONPATH=os.pathsep.join(sys.path),
            **where,
        )
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(1024)
        self.port: int = self._socket.getsockname()[1]
        self._running: list[Process] = []

    async def node(self, *options: str) -> Process:
        """Start a server; it accepts clients when this returns."""
        fd = str(self._socket.fileno())
        command = [str(BIN / "daphne"), "--fd", fd, *options, "tests.topics.kills.application:application"]
        node = await self._start(command, pass_fds=[self._socket.fileno()])
        await node.says(SERVES)
        return node

    async def carrier(self) -> Process:
        """Start the process that carries the broker of one machine."""
        carrier = await self._start([sys.executable, "-m", "tests.topics.kills.carrier"])
        await carrier.says(re.compile("ready"))
        return carrier

    async def publisher(self, *arguments: object) -> Process:
        """Start the publisher; it waits for a word."""
        module = "tests.topics.kills.publisher"
        return await self._start([sys.executable, "-m", module, *map(str, arguments)])

    async def either_says(self, pattern: re.Pattern[str], *processes: Process, times: int = 1) -> int:
        """Wait until processes have said something so often, together; returns how often they have."""
        async with asyncio.timeout(PATIENCE):
            while (said := sum(process.count(pattern) for process in processes)) < times:
                await asyncio.sleep(0.02)
        return said

    async def _start(self, command: list[str], **options: Any) -> Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, env=self._env, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, **options
        )
        self._running.append(Process(process))
        return self._running[-1]

    async def close(self) -> None:
        """End everything."""
        for process in self._running:
            await process.kill()
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Process:
    """One of them, and what it says.

    Args:
        process: asyncio's.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._said = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self.process.pid

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._said:
                self.lines.append(line.decode().rstrip())
                self._said.notify_all()

    async def says(self, pattern: re.Pattern[str], times: int = 1) -> list[re.Match[str]]:
        """Wait until it has said something so often."""
        async with asyncio.timeout(PATIENCE), self._said:
            while len(found := [match for line in self.lines if (match := pattern.search(line))]) < times:
                await self._said.wait()
        return found

    def count(self, pattern: re.Pattern[str]) -> int:
        """Return how often it has said something."""
        return sum(bool(pattern.search(line)) for line in self.lines)

    async def reaches(self, number: int) -> None:
        """Wait until the last number that it said is so large."""
        async with asyncio.timeout(PATIENCE), self._said:
            while not self.lines or int(self.lines[-1]) < number:
                await self._said.wait()

    async def goes_on(self) -> None:
        """Let it do what it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        await self._end(self.process.kill)

    async def terminate(self) -> None:
        """End it as a service manager does."""
        await self._end(self.process.terminate)

    async def _end(self, how: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            how()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()
            await self._reading


@contextlib.asynccontextmanager
async def machine(redis: str = "") -> AsyncIterator[Machine]:
    """Yield a machine without processes."""
    found = Machine(redis)
    try:
        yield found
    finally:
        await found.close()
