"""What all streams share."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

import pytest

from channels.exceptions import ChannelLayerUnavailable
from channels.middleware import BaseMiddleware
from channels.server.asgi.stream import suspended_at
from tests.server.helpers import GET, LONG, Recorder, asked, serve


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


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("mine")


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_the_log_shows_the_users_frames_and_ours_with_debug(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level, "channels.server")
    async with serve(BaseMiddleware(raising)) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 500
    (record,) = [record for record in caplog.records if record.exc_info]
    shown = [step.name for step in traceback.extract_tb((record.exc_info or (None,) * 3)[2])]
    assert shown[-1] == "raising"
    assert ("_run" in shown) is (level == logging.DEBUG)


async def test_the_log_says_above_the_traceback_that_the_layer_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(GET)
        (await app.next()).fail(ChannelLayerUnavailable("Redis at a:1 cannot be reached."))
        assert (await client.response())[0] == 500
    assert "The application failed: GET /. The channel layer is away: Redis at a:1 cannot" in caplog.text
