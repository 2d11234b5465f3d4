"""What all streams share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from channels import telemetry
from channels.exceptions import ChannelLayerUnavailable
from channels.middleware import BaseMiddleware
from channels.server.asgi.stream import ClientDisconnected, named, suspended_at
from channels.typing import PUSH_EXTENSION
from tests.server.conftest import Clock
from tests.server.helpers import GET, LONG, Recorder, Run, asked, eventually, frame, opened, records, serve
from tests.support.http2_client import CONNECT, h2_client


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


async def test_two_receivers_of_a_body_share_what_comes_and_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = telemetry.counters["server.concurrent_receive"]
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
    assert telemetry.counters["server.concurrent_receive"] == before + 1
    assert "receive() was called while another call of it waits, for POST /" in caplog.text


async def test_two_may_listen_for_the_end_of_a_request() -> None:
    before = telemetry.counters["server.concurrent_receive"]
    async with asked() as (run, client, _):
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        waiting = {asyncio.ensure_future(run.receive()) for _ in range(2)}
        await asyncio.sleep(0)
        client.writer.close()
        done, _ = await asyncio.wait(waiting, timeout=LONG)
        assert [task.result() for task in done] == [{"type": "http.disconnect"}] * 2
    assert telemetry.counters["server.concurrent_receive"] == before


@contextlib.asynccontextmanager
async def open_websocket(kind: str) -> AsyncIterator[tuple[Run, Callable[[bytes], Awaitable[None]]]]:
    """A WebSocket over HTTP/1.1 or HTTP/2: the run of the application, and how its peer sends."""
    app = Recorder()
    async with serve(app) as running:
        if kind == "HTTP/1.1":
            client, run = await opened(running, app)
            yield run, client.send
        else:
            async with h2_client(running) as h2:
                stream = await h2.request(CONNECT, end=False)
                run = await app.next()
                await run.accept()
                yield run, functools.partial(h2.send, stream)
        run.end()


both_versions = pytest.mark.parametrize("kind", ["HTTP/1.1", "HTTP/2"])


@both_versions
async def test_a_websocket_is_received_by_one_at_a_time(kind: str) -> None:
    async with open_websocket(kind) as (run, send):
        first = asyncio.ensure_future(run.receive())
        await turns(3)
        with pytest.raises(RuntimeError, match=r"while another call of it waits, for WebSocket /.*one task"):
            await run.receive()
        await send(frame(b"one") + frame(b"two"))
        assert (await first)["text"] == "one"
        assert (await run.receive())["text"] == "two"


@both_versions
async def test_who_has_given_up_is_in_nobodys_way(kind: str) -> None:
    async with open_websocket(kind) as (run, send):
        for patience in (0.01, 0):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(run.receive(), patience)
        given_up = asyncio.ensure_future(run.receive())
        await turns(3)
        given_up.cancel()
        second = asyncio.ensure_future(run.receive())  # before the first was told that it is cancelled
        await turns(3)
        await send(frame(b"one"))
        assert (await second)["text"] == "one"


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


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


# How a run ends


@pytest.mark.parametrize("wrapped", [False, True])
async def test_that_its_client_has_gone_is_no_failure_of_an_application(
    wrapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gone: Exception = ClientDisconnected()
    async with asked() as (run, client, _):
        client.writer.close()
        assert (await run.receive())["type"] == "http.request"
        assert (await run.receive())["type"] == "http.disconnect"
        run.fail(ExceptionGroup("tasks", [gone]) if wrapped else gone)
        await run.finished.wait()
    assert records(caplog) == []


async def test_an_application_that_cancels_itself_is_answered_for_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = telemetry.counters["server.application_failed"]
    async with asked() as (run, client, _):
        run.fail(asyncio.CancelledError())
        assert (await client.response())[0] == 500
    assert telemetry.counters["server.application_failed"] == before + 1
    assert "The application cancelled itself" in records(caplog)[0]


async def test_who_stays_after_its_client_has_gone_is_cancelled(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=5) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        (stream,) = running.streams
        client.writer.close()
        await eventually(lambda: stream._abandoned)
        clock.advance(4)
        stream.expect_return()  # it is told again, and counted once
        clock.advance(4)
        assert not run.finished.is_set()
        clock.advance(4)
        await asyncio.wait_for(run.finished.wait(), LONG)
    assert "was cancelled: GET /" in records(caplog)[0]
    stream.expect_return()


async def test_who_takes_what_is_left_has_its_time_anew(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=5) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        (stream,) = running.streams
        stream.progressed()
        stream.expect_progress()
        clock.advance(4)
        stream.progressed()
        stream.expect_progress()
        clock.advance(4)
        assert not run.finished.is_set()
        clock.advance(4)
        await asyncio.wait_for(run.finished.wait(), LONG)
        await client.close()


async def test_without_a_limit_nobody_is_cancelled(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=None) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        (stream,) = running.streams
        stream.expect_progress()
        stream.expect_return()
        clock.advance(1000)
        assert not run.finished.is_set()
        await run.respond()
        assert (await client.response())[0] == 200
        run.end()


async def test_who_pushes_is_woken_for_each_event() -> None:
    woken = asyncio.Event()
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n") as (run, client, _):
        push = run.scope["extensions"][PUSH_EXTENSION]
        push.set_wakeup(woken.set)
        assert push.receive_nowait() is None
        await client.send(b"ab")
        await asyncio.wait_for(woken.wait(), LONG)
        assert push.receive_nowait()["body"] == b"ab"
        push.set_wakeup(None)


def test_a_peer_without_an_address_has_no_name() -> None:
    assert named(None) is None
    assert named(["1.2.3.4", 5]) == "1.2.3.4:5"
