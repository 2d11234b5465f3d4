"""The shell of a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.server.connection import address_pair
from tests.server.conftest import Clock
from tests.server.helpers import (
    GET,
    UPGRADE,
    Recorder,
    asked,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    serve,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (("127.0.0.1", 80), ["127.0.0.1", 80]),
        (("::1", 80, 0, 0), ["::1", 80]),
        ("/run/s", ["/run/s", None]),
        (b"\0abstract", ["\0abstract", None]),
        ("", None),
        (None, None),
    ],
)
def test_addresses(name: Any, expected: Any) -> None:
    assert address_pair(name) == expected


@pytest.mark.parametrize("then", ["keep-alive", "close"])
async def test_a_download_that_goes_on_is_not_cut(then: str, clock: Clock) -> None:
    """However long it takes: what comes behind the response has no limit before it is read."""
    size = 60_000_000  # much more than the kernel takes at once
    before = telemetry.counters["server.slow_reader"]
    async with asked(
        b"GET / HTTP/1.1\r\nHost: test\r\nConnection: " + then.encode() + b"\r\n\r\n",
        write_buffer_size=10_000,
        write_timeout=10,
        keep_alive_timeout=10,
    ) as (run, client, running):
        sending = asyncio.ensure_future(run.respond(b"x" * size))
        await client.until(b"\r\n\r\n")
        (connection,) = running.runtime.connections
        transport = connection._transport
        for _ in range(10):  # many times the limits, and something is read within each of them
            unread = transport.get_write_buffer_size()
            await client.read(size // 10)
            await eventually(lambda: transport.get_write_buffer_size() < max(unread - 10_000, 1))  # noqa: B023
            clock.advance(9)
        await sending
    assert telemetry.counters["server.slow_reader"] == before


async def test_a_stalled_download_is_cut() -> None:
    before = telemetry.counters["server.slow_reader"]
    async with asked(write_buffer_size=10_000, write_timeout=0.3) as (run, _, running):
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({"type": "http.response.body", "body": b"x" * 30_000_000, "more_body": True})
        assert telemetry.counters["server.slow_reader"] == before + 1
        await run.send({"type": "http.response.body", "body": b"late"})
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_a_closed_connection_that_is_never_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(
        b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        write_timeout=0.3,
        write_buffer_size=100_000_000,
    ) as (run, _, running):
        await run.respond(b"x" * 30_000_000)
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_a_violation_lingers_until_the_peer_has_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.server.connection.LINGER", 0.3)
    async with asked(UPGRADE, websocket_max_message_size=100) as (run, client, running):
        await run.accept()
        await client.until(b"\r\n\r\n")
        await client.send(frame(b"x" * 50_000))
        await client.send(frame(b"x" * 50_000))
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xf1")
        await client.send(close_frame(1009))
        assert await client.rest() == b""
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_without_a_write_limit_nothing_is_timed() -> None:
    async with asked(write_timeout=None, write_buffer_size=10_000) as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        sending = asyncio.ensure_future(run.send({"type": "http.response.body", "body": b"x" * 10_000_000}))
        assert len(await client.rest()) > 10_000_000
        await sending


async def test_many_that_say_nothing_are_let_go_and_others_are_served(clock: Clock) -> None:
    before = telemetry.counters["server.idle_closed"]
    async with serve(echo, keep_alive_timeout=10) as running:
        silent = [await running.connect() for _ in range(300)]
        talking = await running.connect()
        await eventually(lambda: len(running.runtime.connections) == 301)
        for _ in range(20):
            await talking.send(GET)
            assert (await talking.response())[0] == 200
            clock.advance(5)
        assert {await client.rest() for client in silent} == {b""}
        clock.advance(10)
        assert await talking.rest() == b""
        assert telemetry.counters["server.idle_closed"] == before + 301
        assert running.server.statistics()["timers"] == 0


async def test_a_flood_of_messages_waits_where_it_came_from_and_others_are_served() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=10) as running:
        flooding, deaf = await opened(running, app)
        flooding.write(frame(b"x") * 1_000_000)
        await eventually(lambda: [stream for stream in running.server.streams if stream.held])
        # The rest is the peer's to keep: what we took is a queue, and one read of bytes behind it.
        (stream,) = running.server.streams
        assert len(stream._inbox) <= 11
        other = await running.connect()
        await other.send(GET)
        await (run := await app.next()).respond(b"served")
        assert (await other.response())[2] == b"served"
        run.end()
        deaf.end()
        flooding.reset()
