"""Processes are killed in the middle of publishing: what was accepted arrives, once and in order."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.testing.store_contract.tools import Recorder, offsets
from channels.topics.stores.host import HostStore
from tests.support.served import environment

PUBLISHER = Path(__file__).with_name("publisher.py")


@pytest.fixture
def folder() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="kills")  # pytest's own are too long for a Unix socket
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def publisher(folder: str, first: int) -> asyncio.subprocess.Process:
    """Start a process that publishes; it has published something when this returns."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PUBLISHER), folder, str(first), stdout=asyncio.subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline()
    return process


async def killed(process: asyncio.subprocess.Process, after: int) -> int:
    """Kill a process when it has published so many more; returns the last offset that it was told."""
    assert process.stdout is not None
    last = 0
    async with asyncio.timeout(30):
        for _ in range(after):
            last = int(await process.stdout.readline())
    process.kill()
    rest = (await process.stdout.read()).split(b"\n")[:-1]
    await process.wait()
    return int(rest[-1]) if rest else last


@pytest.mark.parametrize("carrier", ["the publisher", "a listener"])
async def test_a_publisher_is_killed_again_and_again(folder: str, carrier: str) -> None:
    """The first process carries the broker, so that in one case it is killed with the publisher."""
    first = await publisher(folder, 0) if carrier == "the publisher" else None
    store, recorder = HostStore(path=folder), Recorder()
    store.attach(recorder)
    await store.subscribe("killed", recorder)
    begun = (await store.read("killed", limit=0)).position.offset
    accepted = 0
    for round in range(3):
        process = first or await publisher(folder, round * 100_000)
        first = None
        accepted = await killed(process, 300)
    await recorder.until(lambda: offsets(recorder.of("killed"))[-1:] >= [accepted])
    found = offsets(recorder.of("killed"))
    assert found == list(range(found[0], found[0] + len(found))), "in order, once, without a gap"
    assert found[0] <= begun + 1
    assert accepted >= 900
    store.detach(recorder)
    await store.aclose()


async def test_streams_outlive_all_processes(folder: str) -> None:
    accepted = await killed(await publisher(folder, 0), 200)
    store = HostStore(path=folder)
    page = await store.read("killed")
    assert offsets(page.publications) == list(range(1, page.position.offset + 1))
    assert page.position.offset >= accepted
    await store.aclose()


async def test_a_process_that_stands_still_in_a_transaction_holds_up_no_loop(folder: str) -> None:
    """Another process has locked the file: the loop goes on, and what waits is done when it can be."""
    import sqlite3

    store = HostStore(path=folder)
    await store.read("locked", limit=0)
    other = sqlite3.connect(Path(folder) / "topics", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    reading = asyncio.ensure_future(store.read("locked", limit=0))
    for _ in range(20):  # turns of the loop, which goes on
        await asyncio.sleep(0.01)
    assert not reading.done()
    other.execute("COMMIT")
    async with asyncio.timeout(10):
        assert (await reading).position.offset == 0
    other.close()
    await store.aclose()
