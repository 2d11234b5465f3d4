"""Files that the kernel copies to a socket, as fast as the peer reads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from channels.process.platforms import HAS_SENDFILE
from tests.server.helpers import GET, LONG, Recorder, Run, eventually, serve

pytestmark = pytest.mark.skipif(not HAS_SENDFILE, reason="this system copies no files in the kernel")
#: More than a socket takes at once on either side.
SIZE = 30_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    with path.open("wb") as opened:
        opened.truncate(SIZE)
    return path


async def begin(run: Run, file: Path) -> asyncio.Task[Any]:
    await run.send({"type": "http.response.start", "status": 200})
    message = {"type": "http.response.pathsend", "path": str(file)}
    return asyncio.create_task(run.send(message))  # type: ignore[arg-type]


async def test_a_file_waits_for_who_reads_slowly(file: Path) -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        client.transport.pause_reading()
        sending = await begin(run, file)
        done, _ = await asyncio.wait([sending], timeout=0.05)
        assert not done
        client.transport.resume_reading()
        _, headers, body = await client.response()
        assert headers["content-length"] == str(SIZE) == str(len(body))
        await sending
        run.end()


async def test_who_does_not_read_a_file_is_cut(file: Path) -> None:
    before = telemetry.counters["server.slow_reader"]
    app = Recorder()
    async with serve(app, write_timeout=0.2) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        client.transport.pause_reading()
        sending = await begin(run, file)
        await asyncio.wait_for(asyncio.gather(sending, return_exceptions=True), LONG)
        assert telemetry.counters["server.slow_reader"] == before + 1
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_a_peer_that_leaves_ends_the_copying(file: Path) -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        sending = await begin(run, file)
        await client.until(b"\r\n\r\n")
        client.reset()
        await asyncio.wait_for(asyncio.gather(sending, return_exceptions=True), LONG)
        run.end()
        await eventually(lambda: not running.runtime.connections)
