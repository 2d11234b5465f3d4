"""Runs of the application that outlive their client: each has its place until it has ended."""

from __future__ import annotations

from typing import Any

import h2.events
import pytest

from channels import telemetry
from tests.server.conftest import Clock
from tests.server.helpers import GET, UPGRADE, Recorder, Run, Running, eventually, opened, serve
from tests.server.limits.test_connection_limits import BEHIND_PROXY, of
from tests.support.http2_client import CONNECT, H2Client, h2_client

RESET = h2.events.StreamReset
CANCEL, REFUSED = 8, 7


async def begin_and_reset(client: H2Client, app: Recorder, headers: Any = None) -> Run:
    """A run whose stream was reset as soon as it had begun."""
    stream = await (client.request() if headers is None else client.request(headers))
    run = await app.next()
    client.h2.reset_stream(stream, CANCEL)
    await client.flush()
    return run


async def is_refused(client: H2Client) -> bool:
    """Whether the connection takes no further request."""
    stream = await client.request()
    return bool((await client.event(RESET, stream)).error_code == REFUSED)


async def is_served(client: H2Client, app: Recorder) -> bool:
    """Whether the connection takes a further request."""
    stream = await client.request()
    run = await app.next()
    await run.respond()
    run.end()
    return bool((await client.response(stream))[0] == 200)


async def end(*runs: Run) -> None:
    for run in runs:
        run.end()
        await run.finished.wait()


@pytest.mark.usefixtures("both_engines")
async def test_a_reset_stream_has_its_place_until_its_run_has_ended() -> None:
    app = Recorder()
    before = telemetry.counters["protocols.refused_stream"]
    async with serve(app, http2_max_streams=3) as running, h2_client(running) as client:
        runs = [await begin_and_reset(client, app) for _ in range(3)]
        for run in runs:
            assert [(await run.receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]
        assert await is_refused(client)
        assert len(app.runs) == 3
        assert telemetry.counters["protocols.refused_stream"] == before + 1
        await end(runs[0])
        await eventually(lambda: len(running.streams) == 2)
        assert await is_served(client, app)
        await end(*runs)


async def test_a_websocket_that_was_reset_has_its_place_too() -> None:
    app = Recorder()
    async with serve(app, http2_max_streams=1) as running, h2_client(running) as client:
        run = await begin_and_reset(client, app, CONNECT)
        assert await is_refused(client)
        await end(run)
        await eventually(lambda: not running.streams)
        assert await is_served(client, app)


async def test_an_address_has_its_place_until_its_runs_have_ended() -> None:
    app = Recorder()
    before = telemetry.counters["server.connection_refused"]
    async with serve(app, max_connections_per_address=4) as running:
        async with h2_client(running) as first, h2_client(running) as second:
            runs = [await begin_and_reset(client, app) for client in (first, second)]
            assert await is_refused(first)
            assert await is_refused(second)
            third = await running.connect()
            assert (await third.response())[0] == 503
            assert telemetry.counters["server.connection_refused"] == before + 3
            assert len(app.runs) == 2
            await end(*runs)
            await eventually(lambda: not running.streams)
            assert await is_served(first, app)
        await eventually(lambda: not running.runtime.connections)
        assert len(running.runtime.admission.tally) == 0


async def test_streams_that_are_refused_over_and_over_are_a_flood() -> None:
    app = Recorder()
    async with serve(app, max_connections_per_address=2, http2_max_resets=5) as running:
        async with h2_client(running) as client:
            run = await begin_and_reset(client, app)
            for _ in range(6):
                await client.request()
            goodbye = await client.event(h2.events.ConnectionTerminated)
            assert goodbye.error_code == 11
        await end(run)


async def left(running: Running, app: Recorder, request: bytes) -> Run:
    """A run whose client has asked and gone."""
    client = await running.connect()
    await client.send(request)
    run = await app.next()
    if request is UPGRADE:
        await run.accept()
    client.reset()
    await eventually(lambda: not running.runtime.connections)
    return run


@pytest.mark.parametrize("request_", [GET, UPGRADE], ids=["request", "websocket"])
async def test_who_asks_and_leaves_keeps_its_place_while_the_application_runs(request_: bytes) -> None:
    app = Recorder()
    async with serve(app, max_connections_per_address=2) as running:
        runs = [await left(running, app, request_) for _ in range(2)]
        third = await running.connect()
        assert (await third.response())[0] == 503
        await third.close()
        await end(runs[0])
        await eventually(lambda: not running.runtime.connections and len(running.streams) == 1)
        _, run = await opened(running, app)
        await end(run, *runs)
    assert len(running.runtime.admission.tally) == 0


async def test_behind_a_proxy_the_client_keeps_its_place() -> None:
    app = Recorder()
    async with serve(app, **BEHIND_PROXY) as running:
        run = await left(running, app, of("1.2.3.4"))
        client = await running.connect()
        await client.send(of("1.2.3.4"))
        assert (await client.response())[0] == 503
        await end(run)
        await client.send(of("1.2.3.4"))
        again = await app.next()
        await again.respond()
        assert (await client.response())[0] == 200
        await end(again)


async def test_a_run_whose_stream_was_reset_is_cancelled_in_time(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=3) as running, h2_client(running) as client:
        run = await begin_and_reset(client, app)
        await eventually(lambda: running.streams[0]._abandoned)
        clock.advance(3)
        await run.finished.wait()
        await eventually(lambda: not running.streams)


async def test_a_run_that_was_answered_for_is_cancelled_in_time(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, http_timeout=5, application_close_timeout=3) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        clock.advance(5)
        assert (await client.response())[0] == 503
        assert (await run.receive())["type"] == "http.request"
        assert (await run.receive())["type"] == "http.disconnect"
        clock.advance(3)
        await run.finished.wait()
