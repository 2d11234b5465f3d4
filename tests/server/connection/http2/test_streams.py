"""Streams that are refused, left, or lost with their connection; and frames by the hundred."""

from __future__ import annotations

import h2.events
import pytest

from channels import telemetry
from channels.server.limits.turns import QUANTUM
from tests.server.helpers import Recorder, echo, eventually, serve
from tests.support.http2_client import CONNECT, GET, POST, h2_client

pytestmark = pytest.mark.usefixtures("both_engines")


async def test_a_body_in_very_many_frames_is_read_in_turns() -> None:
    async with serve(echo) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        for _ in range(5 * QUANTUM):
            client.h2.send_data(stream, b"x")
        client.h2.end_stream(stream)
        await client.flush()
        assert (await client.response(stream))[2] == 5 * QUANTUM * b"x"


async def test_an_address_has_so_many_streams_and_no_more() -> None:
    app, before = Recorder(), telemetry.counters["server.stream_refused"]
    async with serve(app, http2_max_streams_per_address=1) as running, h2_client(running) as client:
        first = await client.request()
        run = await app.next()
        second = await client.request()
        await client.event(h2.events.StreamReset, second)
        assert telemetry.counters["server.stream_refused"] == before + 1
        await run.respond(b"first")
        run.end()
        assert (await client.response(first))[2] == b"first"
        third = await client.request()
        run = await app.next()
        await run.respond(b"third")
        run.end()
        assert (await client.response(third))[2] == b"third"


async def test_every_stream_is_told_that_its_connection_is_lost() -> None:
    app = Recorder()
    async with serve(app) as running:
        async with h2_client(running) as client:
            await client.request(GET)
            await client.request(POST, end=False)
            runs = [await app.next(), await app.next()]
            client.writer.transport.abort()
            for run in runs:
                while (await run.receive())["type"] != "http.disconnect":
                    pass
                run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_what_comes_of_a_body_after_its_answer_is_acknowledged_and_thrown_away() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        run = await app.next()
        await run.respond(b"enough")
        run.end()
        assert await client.body(stream, 6) == b"enough"
        other = await client.request()
        run = await app.next()
        await run.respond(b"goes on")
        run.end()
        assert (await client.response(other))[2] == b"goes on"


async def test_a_handshake_that_is_none_is_refused() -> None:
    wrong = [field for field in CONNECT if field[0] != "sec-websocket-version"]
    async with serve(echo) as running, h2_client(running) as client:
        stream = await client.request(wrong, end=False)
        assert (await client.head(stream))[":status"] in ("400", "426")


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    async with serve(echo, max_body_size=10) as running, h2_client(running) as client:
        stream = await client.request([*POST, ("content-length", "11")], end=False)
        assert (await client.head(stream))[":status"] == "413"
        assert running.server.statistics()["requests"] == 0
        stream = await client.request()
        assert (await client.response(stream))[0] == 200
