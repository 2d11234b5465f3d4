"""What ends a request in its application's place, and what is counted of one that goes on."""

from __future__ import annotations

import asyncio

import pytest

from channels import telemetry
from tests.server.conftest import Clock
from tests.server.helpers import GET, LONG, Recorder, asked, echo, eventually, records, serve

POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_that_does_not_come_in_time_is_408(clock: Clock) -> None:
    before = telemetry.counters["server.slow_sender"]
    async with asked(POST % 10, body_timeout=5) as (run, client, _):
        clock.advance(6)
        assert (await client.response())[0] == 408
        assert (await run.receive())["type"] == "http.disconnect"
        assert telemetry.counters["server.slow_sender"] == before + 1


async def test_an_answer_that_does_not_come_in_time_is_503(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(http_timeout=5) as (run, client, _):
        clock.advance(6)
        assert (await client.response())[0] == 503
        assert (await run.receive())["type"] == "http.request"
        assert (await run.receive())["type"] == "http.disconnect"
        assert records(caplog) == ["The application did not answer within 5 s (--http-timeout): GET /"]


async def test_a_peer_that_waits_for_its_turn_is_told_to_go_on() -> None:
    head = (POST % 4).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    async with asked(head) as (run, client, _):
        receiving = asyncio.ensure_future(run.receive())
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await receiving)["body"] == b"body"
        await run.respond()


async def test_bodies_beyond_what_may_be_held_are_503() -> None:
    before = telemetry.counters["server.body_refused"]
    async with asked(CHUNKED, request_buffer_size=1000, max_bodies_size=3000) as (run, client, _):
        for _ in range(4):
            await client.send(b"3e8\r\n" + 1000 * b"x" + b"\r\n")
            await run.receive()
            if telemetry.counters["server.body_refused"] > before:
                break
        assert (await client.response())[0] == 503
        assert telemetry.counters["server.body_refused"] == before + 1


async def test_more_of_a_body_that_is_refused_is_thrown_away() -> None:
    async with serve(echo, max_body_size=10) as running:
        client = await running.connect()
        await client.send(
            CHUNKED + b"14\r\n" + 20 * b"x" + b"\r\n" + b"14\r\n" + 20 * b"y" + b"\r\n0\r\n\r\n"
        )
        assert (await client.response())[0] == 413


async def test_two_calls_of_receive_share_the_body_and_are_counted() -> None:
    before = telemetry.counters["server.concurrent_receive"]
    async with asked(CHUNKED) as (run, client, _):
        calls = [asyncio.ensure_future(run.receive()) for _ in range(2)]
        await eventually(lambda: telemetry.counters["server.concurrent_receive"] == before + 1)
        await client.send(b"3\r\nabc\r\n")
        done, _ = await asyncio.wait(calls, timeout=LONG, return_when=asyncio.FIRST_COMPLETED)
        assert done.pop().result()["body"] == b"abc"
        await client.send(b"0\r\n\r\n")
        await asyncio.wait(calls, timeout=LONG)
        await run.respond()


async def test_what_is_sent_to_a_peer_that_has_gone_is_counted() -> None:
    before = telemetry.counters["server.late_send"]
    async with asked() as (run, client, running):
        client.reset()
        await eventually(lambda: not running.runtime.connections)
        await run.respond(b"for nobody")
        assert telemetry.counters["server.late_send"] == before + 2


async def test_an_application_has_a_while_after_its_peer_has_gone(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, application_close_timeout=5) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        client.reset()
        await eventually(lambda: not running.runtime.connections)
        clock.advance(3)
        assert not run.finished.is_set()
        clock.advance(3)
        await asyncio.wait_for(run.finished.wait(), LONG)
