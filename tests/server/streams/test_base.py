"""What all streams share."""

from __future__ import annotations

import asyncio

from channels.server.streams.base import suspended_at
from tests.server.helpers import LONG, asked


async def test_suspended_at_finds_the_innermost_coroutine() -> None:
    async def inner() -> None:
        await asyncio.sleep(LONG)

    async def outer() -> None:
        await inner()

    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    assert "sleep" in suspended_at(task)
    task.cancel()
    await asyncio.wait([task])
    assert suspended_at(task) == "an unknown place"


async def test_two_receivers_share_what_comes() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n") as (
        run,
        client,
        _,
    ):
        waiting = {asyncio.ensure_future(run.receive()) for _ in range(2)}
        await asyncio.sleep(0)
        await client.send(b"1\r\na\r\n")
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=LONG)
        assert [task.result()["body"] for task in done] == [b"a"]
        await client.send(b"1\r\nb\r\n")
        done, waiting = await asyncio.wait(waiting, timeout=LONG)
        assert [task.result()["body"] for task in done] == [b"b"]


async def test_killing_what_has_ended_does_nothing() -> None:
    async with asked() as (run, client, running):
        (stream,) = running.runtime.streams
        await run.respond()
        run.end()
        await client.response()
        await run.finished.wait()
        await asyncio.sleep(0)
        stream.kill("never")
