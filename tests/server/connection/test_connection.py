"""The shell of a connection."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from channels.server.connection.connection import LINGER, Connection
from channels.server.io.send_progress import SendProgress
from tests.server.conftest import Clock
from tests.server.helpers import (
    GET,
    LONG,
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
from tests.support.certificates import make_pair

#: What comes behind a response: the next request, a close, or a body that nobody wants.
ENDINGS = {
    "keep-alive": GET,
    "close": b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    "body": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n",
    "stop": GET,
}


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("then", ENDINGS)
async def test_a_download_that_goes_on_is_not_cut(
    then: str, encrypted: bool, clock: Clock, tmp_path: Path
) -> None:
    """However long it takes: what comes behind the response has no limit before it is read."""
    size = 60_000_000  # much more than the kernel takes at once
    before = telemetry.counters["server.slow_reader"]
    app, pair = Recorder(), make_pair(tmp_path)
    limits: dict[str, Any] = {
        "write_buffer_size": 10_000,
        "write_timeout": 10,
        "keep_alive_timeout": 10,
        "drain_idle_timeout": 0,
    }
    if encrypted:
        limits["endpoints"] = (pair.endpoint,)
    async with serve(app, drain_timeout=LONG, **limits) as running:
        client = await running.connect(pair.client("http/1.1") if encrypted else None)
        await client.send(ENDINGS[then])
        run = await app.next()
        sending = asyncio.ensure_future(run.respond(b"x" * size, headers=[(b"content-length", b"%d" % size)]))
        await client.until(b"\r\n\r\n")
        stopping = asyncio.ensure_future(running.server.stop()) if then == "stop" else None
        (connection,) = running.runtime.connections
        for _ in range(10):  # many times the limits, and something is read within each of them
            look = connection._look()
            await client.read(size // 10)
            await eventually(lambda: _has_moved(connection, look))  # noqa: B023
            clock.advance(9)
        await sending
        run.end()
        await client.close()
        if stopping is not None:
            await stopping
    assert telemetry.counters["server.slow_reader"] == before


def _has_moved(connection: Connection, earlier: SendProgress) -> bool:
    look = connection._look()
    return look.since(earlier) >= 10_000 or not look.left


async def test_the_loops_own_limit_of_a_close_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A loop gives up a peer over TLS so many seconds after the close, whether it reads or not."""
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 0.2)
    size, pair = 60_000_000, make_pair(tmp_path)
    async with serve(Recorder(), endpoints=(pair.endpoint,)) as running:
        app: Recorder = running.server.config.app  # type: ignore[assignment]
        client = await running.connect(pair.client("http/1.1"))
        await client.send(ENDINGS["close"])
        run = await app.next()
        await run.respond(b"x" * size)
        run.end()
        await client.read(size // 2)
        await asyncio.sleep(0.4)  # longer than that limit: nothing tells that it was kept
        assert len(await client.rest()) > size // 2


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "tls"])
async def test_who_does_not_read_what_came_before_a_close_is_cut(
    encrypted: bool, clock: Clock, tmp_path: Path
) -> None:
    before, pair = telemetry.counters["server.slow_reader"], make_pair(tmp_path)
    app, options = Recorder(), {"endpoints": (pair.endpoint,)} if encrypted else {}
    async with serve(app, write_timeout=10, write_buffer_size=100_000_000, **options) as running:
        client = await running.connect(pair.client("http/1.1") if encrypted else None)
        await client.send(ENDINGS["close"])
        run = await app.next()
        await run.respond(b"x" * 30_000_000)
        run.end()
        (connection,) = running.runtime.connections
        clock.advance(9)
        assert connection in running.runtime.connections
        # What the kernel takes on the way counts as read, once.
        for _ in range(5):
            clock.advance(10)
            await asyncio.sleep(0)
        await eventually(lambda: not running.runtime.connections)
    assert telemetry.counters["server.slow_reader"] == before + 1


async def test_who_never_says_goodbye_is_not_waited_for(clock: Clock, tmp_path: Path) -> None:
    before, pair = telemetry.counters["server.slow_reader"], make_pair(tmp_path)
    async with serve(echo, endpoints=(pair.endpoint,), write_timeout=10) as running:
        client = await running.connect(pair.client("http/1.1"))
        client.transport.pause_reading()
        await client.send(ENDINGS["close"])
        await eventually(lambda: running.runtime.connections)
        (connection,) = running.runtime.connections
        await eventually(lambda: connection.closing and not connection._look().left)
        clock.advance(10)
        clock.advance(LINGER)
        await eventually(lambda: not running.runtime.connections)
        client.writer.transport.abort()
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
    monkeypatch.setattr("channels.server.connection.connection.LINGER", 0.3)
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


async def test_what_came_while_the_process_stood_still_came_in_time(clock: Clock) -> None:
    limits = {"keep_alive_timeout": 30, "head_timeout": 30, "ping_interval": 10, "ping_timeout": 30}
    async with serve(echo, **limits) as running:
        idle, slow, talking = [await running.connect() for _ in range(3)]
        await idle.send(GET)
        assert (await idle.response())[0] == 200
        await slow.send(GET[:-2])
        await talking.upgrade()
        clock.advance(10)
        assert await talking.message() == (9, b"")
        # These wait in the kernel when time goes on.
        idle.write(GET)
        slow.write(GET[-2:])
        talking.write(frame(b"", 10))
        clock.stand_still(100)
        assert (await idle.response())[0] == 200
        assert (await slow.response())[0] == 200
        await talking.send(frame(b"hello"))
        assert await talking.message() == (1, b"hello")


async def test_a_flood_of_messages_waits_where_it_came_from_and_others_are_served() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=10) as running:
        flooding, deaf = await opened(running, app)
        flooding.write(frame(b"x") * 1_000_000)
        await eventually(lambda: [stream for stream in running.streams if stream.held])
        # The rest is the peer's to keep: what we took is a queue, and one read of bytes behind it.
        (stream,) = running.streams
        assert len(stream._inbox) <= 11
        other = await running.connect()
        await other.send(GET)
        await (run := await app.next()).respond(b"served")
        assert (await other.response())[2] == b"served"
        run.end()
        deaf.end()
        flooding.reset()
