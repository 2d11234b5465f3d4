"""Real processes of one project, and ways to treat them badly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

PATIENCE = 30.0
ROOT = Path(__file__).parents[3]


class Process:
    """A child of :mod:`tests.layers.host.child`: ``await process("group_send", "g", 1)``."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, **config: Any) -> Process:
        self = cls()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "default",
            "-m",
            "tests.layers.host.child",
            json.dumps(config),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            limit=2**26,
        )
        return self

    async def __call__(self, *command: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        if not line:
            raise EOFError(await self.errors())
        answer, error = json.loads(line)
        if error:
            raise RuntimeError(error)
        return answer

    async def errors(self) -> str:
        assert self.process.stderr
        return (await self.process.stderr.read()).decode()

    async def end(self) -> str:
        """Let it end as programs do; returns what it wrote to stderr."""
        assert self.process.stdin
        self.process.stdin.close()
        errors = await asyncio.wait_for(self.errors(), PATIENCE)
        await asyncio.wait_for(self.process.wait(), PATIENCE)
        return errors

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    def stop(self) -> None:
        """Stop it; returns when it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Return what ``condition`` returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := await condition()):
        assert time.monotonic() < deadline, "It did not happen."
        await asyncio.sleep(0.02)
    return result


def in_forked_child(function: Callable[[], Any]) -> int:
    """Call ``function()`` in a child that ends without any ceremony; returns 0 if nothing was raised."""
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            function()
            failed = 0
        finally:
            os._exit(failed)
    return os.waitpid(pid, 0)[1]
