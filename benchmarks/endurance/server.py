"""The server under load: start it, look at its memory and counters, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks.servers import free_port


class Subject:
    """A running ``daphne``.

    Attributes:
        port: where it listens.
        memory: its resident memory and that of its workers, in MiB, once a second.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
        self.port = port
        self.memory = [sum(map(_resident, _family(process.pid)))]
        self._process = process
        self._folder = folder
        self._watching = asyncio.ensure_future(self._watch())

    def notes(self) -> list[str]:
        """What consumers were disconnected with."""
        return (self._folder / "notes").read_text().split()

    def log(self) -> list[str]:
        """What the server has printed."""
        return (self._folder / "log").read_text().splitlines()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, with workers the supervisor."""
        self._process.send_signal(number)

    async def counters(self) -> dict[str, int]:
        """Its telemetry; with several workers, that of one."""
        return dict(await self._ask("counters"))

    async def held(self) -> list[float]:
        """How long it has worked at a time, the shortest first, in seconds; see the application."""
        return list(await self._ask("held"))

    async def _ask(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/{path}"
        return json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=30).read()))

    async def _watch(self) -> None:
        while True:
            self.memory.append(sum(map(_resident, _family(self._process.pid))))
            await asyncio.sleep(1)

    async def stop(self) -> None:
        """End it."""
        self._watching.cancel()
        if self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.terminate()  # the second time it waits for nobody
            await self._process.wait()


@contextlib.asynccontextmanager
async def running(*options: str) -> AsyncIterator[Subject]:
    """Run ``daphne`` with the application of the load runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "notes").touch()
        command = [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port), *options]
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(*command, "benchmarks.endurance.app:application"),
                env={**os.environ, "ENDURANCE_NOTES": str(folder / "notes")},
                stdout=log,
                stderr=log,
            )
        await _until_served(port)
        subject = Subject(process, port, folder)
        try:
            yield subject
        finally:
            await subject.stop()


async def _until_served(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def _family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *map(int, children)]


def _resident(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
