"""How a connection ends: by the server's stop, by its limits, and by a peer that closes unseen."""

from __future__ import annotations

import asyncio

import pytest

from channels import telemetry
from channels.server.io import timer_wheel
from channels.typing import Receive, Scope, Send
from tests.server.conftest import Clock
from tests.server.helpers import GET, Recorder, asked, echo, eventually, serve


async def test_a_stop_closes_what_is_idle() -> None:
    before = telemetry.counters["server.idle_closed"]
    async with serve(echo, drain_idle_timeout=0) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200
        stopping = asyncio.ensure_future(running.server.stop())
        assert await client.rest() == b""
        await client.close()
        await stopping
        assert telemetry.counters["server.idle_closed"] > before


async def test_a_stop_lets_a_request_end_and_says_that_it_is_the_last() -> None:
    async with asked() as (run, client, running):
        stopping = asyncio.ensure_future(running.server.stop())
        await eventually(lambda: running.runtime.stopping)
        await run.respond(b"last")
        run.end()
        _, headers, body = await client.response()
        assert (headers["connection"], body) == ("close", b"last")
        await stopping


async def test_requests_ahead_do_not_hide_that_the_peer_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer_wheel, "RESOLUTION", 0.02)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"gone"})

    async with serve(page) as running:
        client = await running.connect()
        await client.send(GET * 3)
        client.writer.write_eof()
        for _ in range(3):  # who has only closed its half still reads
            assert (await client.response())[2] == b"gone"


async def test_a_limit_that_has_moved_is_looked_at_again(clock: Clock) -> None:
    async with serve(echo, keep_alive_timeout=10) as running:
        client = await running.connect()
        for _ in range(4):  # each begins the ten seconds anew
            await client.send(GET)
            assert (await client.response())[0] == 200
            clock.advance(7)
        assert running.runtime.connections
        clock.advance(11)
        assert await client.rest() == b""


async def test_who_still_reads_an_answer_is_not_idle(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, keep_alive_timeout=5, write_timeout=60, write_buffer_size=1000) as running:
        client = await running.connect()
        client.transport.pause_reading()
        await client.send(GET)
        run = await app.next()
        sending = asyncio.ensure_future(run.respond(b"x" * 20_000_000))
        (connection,) = running.runtime.connections
        await eventually(lambda: connection.congested)
        clock.advance(7)
        assert not connection.closing
        client.transport.resume_reading()
        assert len((await client.response())[2]) == 20_000_000
        await sending
        run.end()


@pytest.mark.parametrize("request_", [GET, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"])
async def test_a_peer_that_resets_is_gone(request_: bytes) -> None:
    async with asked(request_) as (run, client, running):
        client.reset()
        while (await run.receive())["type"] != "http.disconnect":
            pass
        run.end()
        await eventually(lambda: not running.runtime.connections)
