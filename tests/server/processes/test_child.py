"""One worker process: its start, its word, its end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import pytest

from channels.server.control_channel import END, VARIABLE
from channels.server.processes.child import ChildProcess, WorkerSpec, ending
from tests.server.helpers import LONG, records

PRELUDE = f"""
import json, os, signal, socket, sys, time
supervisor_link = json.loads(os.environ[{VARIABLE!r}])
line = socket.socket(fileno=supervisor_link["line"])
"""


def recipe(
    body: str, limit: float | None = LONG, sockets: list[list[socket.socket]] | None = None
) -> WorkerSpec:
    return WorkerSpec([sys.executable, "-S", "-c", PRELUDE + body], "/", sockets or [], limit)


async def test_it_says_that_it_serves_and_hears_that_it_should_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        body = (
            "accepting = socket.socket(fileno=supervisor_link['sockets'][0][0])\n"
            "line.send(b'r'); accepting.accept()[0].send(b'hello'); sys.exit(line.recv(1)[0])"
        )
        worker = await ChildProcess.start(2, recipe(body, None, [[listening]]))
        assert await worker.wait_ready() and worker.serves
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        assert await asyncio.wait_for(reader.read(), LONG) == b"hello"
        writer.close()
        worker.end()
        assert await worker.wait_at_most(LONG) == END[0]
        worker.end()
        worker.drain()
    assert str(worker) == f"Worker 2 (pid {worker.pid})"


@pytest.mark.parametrize(("body", "code"), [("sys.exit(4)", 4), ("os.kill(os.getpid(), 9)", -9)])
async def test_it_ends_instead(body: str, code: int) -> None:
    worker = await ChildProcess.start(1, recipe(body))
    assert not await worker.wait_ready()
    assert await worker.wait_at_most(LONG) == code


async def test_it_resets_the_line() -> None:
    """It leaves what was said to it unread."""
    worker = await ChildProcess.start(1, recipe("time.sleep(0.2)"))
    worker.end()
    assert not await worker.wait_ready()
    assert await worker.wait_at_most(LONG) == 0


async def test_it_takes_too_long_to_serve(caplog: pytest.LogCaptureFixture) -> None:
    worker = await ChildProcess.start(1, recipe("time.sleep(600)", 0.1))
    assert not await worker.wait_ready()
    assert await worker.wait_at_most(LONG) == -signal.SIGKILL
    assert records(caplog) == [
        f"Worker 1 (pid {worker.pid}) did not serve within 0.1 s (--worker-start-timeout) and is killed."
    ]


async def test_it_takes_too_long_to_end(caplog: pytest.LogCaptureFixture) -> None:
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN); line.send(b'r'); time.sleep(600)"
    worker = await ChildProcess.start(1, recipe(body))
    assert await worker.wait_ready()
    worker.drain()
    assert await worker.wait_at_most(0.2) == -signal.SIGKILL
    assert "did not end within 0.2 s and is killed" in records(caplog)[0]


async def test_one_that_does_not_serve_yet_ends_at_once() -> None:
    worker = await ChildProcess.start(1, recipe("time.sleep(600)"))
    worker.drain()
    assert await worker.wait_at_most(LONG) == -signal.SIGTERM


def test_how_processes_end() -> None:
    assert ending(0) == "with exit code 0"
    assert ending(-9) == "by signal SIGKILL"
    assert ending(-99) == "by signal 99"
