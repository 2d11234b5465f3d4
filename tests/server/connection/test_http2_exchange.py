"""One stream of HTTP/2 on a running server: its window, its time limits, its end."""

from __future__ import annotations

import asyncio

import h2.events
import h2.settings
import pytest

from channels import telemetry
from tests.server.conftest import Clock
from tests.server.helpers import LONG, Recorder, echo, eventually, serve
from tests.support.http2_client import POST, h2_client

RESET = h2.events.StreamReset


@pytest.mark.usefixtures("both_engines")
async def test_a_body_waits_for_the_application() -> None:
    app = Recorder()
    async with serve(app, request_buffer_size=1000) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        run = await app.next()
        await client.event(h2.events.WindowUpdated)
        sent = 0
        while room := min(client.h2.local_flow_control_window(stream), 16_384):
            await client.send(stream, b"x" * room)
            sent += room
        assert sent >= 100_000  # all that the window takes, and no more: nobody reads it
        taken = 0
        while taken < sent:
            taken += len((await run.receive())["body"])
        await client.until(lambda event: client.h2.local_flow_control_window(stream) >= 100_000)
        await client.send(stream, b"end", end=True)
        message = await run.receive()
        while message["more_body"]:
            message = await run.receive()
        await run.respond(b"ok")
        assert (await client.response(stream))[2] == b"ok"
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_send_waits_for_a_peer_that_does_not_read() -> None:
    app = Recorder()
    async with serve(app, write_buffer_size=1000) as running, h2_client(running) as client:
        client.acknowledging = False
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": []})
        part = {"type": "http.response.body", "body": b"x" * 50_000, "more_body": True}
        await run.send(part)
        waiting = asyncio.ensure_future(run.send(part))
        await client.body(stream, 65_535)
        assert not waiting.done()
        client.h2.increment_flow_control_window(100_000)
        client.h2.increment_flow_control_window(100_000, stream)
        await client.flush()
        await asyncio.wait_for(waiting, LONG)
        await run.send({"type": "http.response.body", "body": b"end"})
        assert len((await client.response(stream))[2]) == 100_003
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_open_windows_and_a_peer_that_does_not_read_fill_no_memory() -> None:
    """Each of many streams would be let to write once: together that is anything."""
    size, streams = 500_000, 60
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1})
        client.h2.increment_flow_control_window(2**30)
        client.transport.pause_reading()
        numbers = [await client.request() for _ in range(streams)]
        runs = [await app.next() for _ in numbers]
        answering = [asyncio.ensure_future(run.respond(b"x" * size)) for run in runs]
        (connection,) = running.runtime.connections
        await asyncio.wait(answering, timeout=LONG)
        assert connection.congested
        assert connection.unsent < 3 * 1_048_576
        client.transport.resume_reading()
        for number in numbers:
            assert len((await client.response(number))[2]) == size
        for run in runs:
            run.end()


@pytest.mark.parametrize("more", [True, False])
async def test_a_peer_that_never_reads_is_cut(more: bool) -> None:
    app = Recorder()
    before = telemetry.counters["server.slow_reader"]
    async with (
        serve(app, write_buffer_size=1000, write_timeout=0.1) as running,
        h2_client(running) as client,
    ):
        client.acknowledging = False
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": []})
        await run.send({"type": "http.response.body", "body": b"x" * 200_000, "more_body": more})
        assert (await client.event(RESET, stream)).error_code == 8
        assert telemetry.counters["server.slow_reader"] == before + 1
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_a_client_that_gives_up() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        run = await app.next()
        client.h2.reset_stream(stream, 8)
        await client.flush()
        assert (await run.receive())["type"] == "http.disconnect"
        await run.respond(b"nobody")
        run.end()
        again = await client.request()
        run = await app.next()
        client.writer.transport.abort()
        assert again
        message = await run.receive()
        while message["type"] != "http.disconnect":
            message = await run.receive()
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_what_applications_do_wrong() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request()
        (await app.next()).fail(ValueError("wrong"))
        assert (await client.response(stream))[0] == 500
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await run.send({"type": "http.response.body", "body": b"half", "more_body": True})
        run.end()
        assert (await client.event(RESET, stream)).error_code == 2
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        with pytest.raises(ValueError, match="Content-Length"):
            await run.send({"type": "http.response.body", "body": b"less"})
        await client.event(RESET, stream)
        run.end()
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await run.send({"type": "http.response.body", "body": b"more"})  # what is too much is left out
        assert (await client.response(stream))[2] == b"m"
        run.end()


async def test_time_limits(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, body_timeout=10, http_timeout=10, keep_alive_timeout=10) as running:
        async with h2_client(running) as client:
            body = await client.request(POST, end=False)
            answer = await client.request()
            await eventually(lambda: len(app.runs) == 2)
            clock.advance(10)
            assert (await client.response(body))[0] == 408
            assert (await client.response(answer))[0] == 503
            clock.advance(10)
            await client.event(h2.events.ConnectionTerminated)
            await client.closed()
        for run in app.runs:
            run.end()


async def test_a_body_that_drips_is_late() -> None:
    async with serve(echo, body_timeout=0.5, body_min_rate=1000) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)

        async def drip() -> None:
            while True:
                await client.send(stream, b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        assert (await client.response(stream))[0] == 408
        dripping.cancel()


async def test_a_body_that_goes_on_is_in_time_and_100_continue() -> None:
    async with serve(echo) as running, h2_client(running) as client:
        stream = await client.request([*POST, ("expect", "100-continue")], end=False)
        await client.event(h2.events.InformationalResponseReceived, stream)
        await client.send(stream, b"a")
        await client.send(stream, b"b", end=True)
        assert (await client.response(stream))[2] == b"ab"
