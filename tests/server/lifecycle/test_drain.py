"""The end of a server: batches, late requests, disconnects, and then no mercy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.server.lifecycle import drain as module
from tests.server.helpers import (
    GET,
    LONG,
    UPGRADE,
    Client,
    Recorder,
    Running,
    asked,
    close_frame,
    echo,
    opened,
    serve,
)


@pytest.fixture(autouse=True)
def _short_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_MOMENT", 0.3)


async def open_websocket(running: Running) -> Client:
    client = await running.connect()
    assert "101" in await client.upgrade(UPGRADE)
    return client


async def test_websockets_are_closed_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALLEST_BATCH", 2)
    rounds: list[dict[str, Any]] = []

    def listen(event: str, facts: dict[str, Any]) -> None:
        if event == "server.drained":
            rounds.append(facts)

    detach = telemetry.attach(listen)
    async with serve(echo, drain_timeout=4.0) as running:
        clients = [await open_websocket(running) for _ in range(6)]
        stopping = asyncio.ensure_future(running.server.stop())
        for client in clients:
            assert (await client.message()) == (8, b"\x03\xf4The server restarts")
            await client.send(close_frame(1012))
        await asyncio.wait_for(stopping, LONG)
    detach()
    assert [(facts["closed"], facts["left"]) for facts in rounds] == [(2, 4), (2, 2), (2, 0)]


async def test_many_websockets_take_larger_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALLEST_BATCH", 1)
    monkeypatch.setattr(module, "INTERVAL", 1.0)
    async with serve(echo, drain_timeout=4.0) as running:
        clients = [await open_websocket(running) for _ in range(6)]
        stopping = asyncio.ensure_future(running.server.stop())
        for client in clients:
            assert (await client.message())[0] == 8
            await client.send(close_frame(1012))
        await asyncio.wait_for(stopping, LONG)
        assert running.server.statistics()["connections"] == 0


async def test_an_idle_connection_may_send_a_last_request() -> None:
    async with serve(echo, drain_timeout=20.0, drain_idle_timeout=15.0) as running:
        client = await running.connect()
        await client.send(GET)
        assert "connection" not in (await client.response())[1]
        stopping = asyncio.ensure_future(running.server.stop())
        with pytest.raises(ConnectionError):
            await running.connect()
        await client.send(GET)
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.rest() == b""
        await asyncio.wait_for(stopping, LONG)


@pytest.mark.parametrize("idle_limit", [0.0, 0.3, None])
async def test_an_idle_connection_is_closed_when_its_time_is_up(idle_limit: float | None) -> None:
    async with serve(echo, drain_timeout=1.0, drain_idle_timeout=idle_limit) as running:
        silent = await running.connect()
        stopping = asyncio.ensure_future(running.server.stop())
        assert await silent.rest() == b""
        await silent.close()
        await asyncio.wait_for(stopping, LONG)


async def test_a_handshake_under_way_is_answered_and_then_closed() -> None:
    async with asked(UPGRADE, drain_timeout=8.0, drain_idle_timeout=0.0) as (run, client, running):
        stopping = asyncio.ensure_future(running.server.stop())
        await asyncio.sleep(0.3)
        await run.accept()
        assert b" 101 " in await client.until(b"\r\n\r\n")
        assert (await client.message())[1][:2] == b"\x03\xf4"
        await client.send(close_frame(1012))
        assert (await run.receive())["code"] == 1012
        run.end()
        await asyncio.wait_for(stopping, LONG)


async def test_a_handshake_without_end_is_refused() -> None:
    async with asked(UPGRADE, drain_timeout=1.0, websocket_connect_timeout=None) as (run, client, running):
        stopping = asyncio.ensure_future(running.server.stop())
        assert (await client.response())[0] == 503
        run.end()
        await asyncio.wait_for(stopping, LONG)


async def test_at_the_hard_end_applications_hear_of_it_before_they_are_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LAST_MOMENT", LONG)
    app = Recorder()
    cut = telemetry.counters["server.drain_cut"]
    killed = telemetry.counters["server.application_killed"]
    async with serve(app, drain_timeout=0.4) as running:
        _, websocket = await opened(running, app)
        waiting = await running.connect()
        await waiting.send(GET)
        request = await app.next()
        stopping = asyncio.ensure_future(running.server.stop())
        assert (await websocket.receive())["type"] == "websocket.disconnect"
        websocket.end()
        assert (await request.receive())["type"] == "http.request"
        assert (await request.receive())["type"] == "http.disconnect"
        request.end()
        await asyncio.wait_for(stopping, LONG)
    assert telemetry.counters["server.drain_cut"] == cut + 2
    assert telemetry.counters["server.application_killed"] == killed


async def test_without_a_limit_it_waits_for_the_last() -> None:
    async with asked(drain_timeout=None) as (run, client, running):
        stopping = asyncio.ensure_future(running.server.stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        await run.respond(b"late")
        assert (await client.response())[2] == b"late"
        run.end()
        await asyncio.wait_for(stopping, LONG)


async def test_who_is_at_the_door_is_waited_for() -> None:
    """A connection that is accepted but not made, as during a TLS handshake."""
    async with serve(echo, drain_timeout=5.0, drain_idle_timeout=5.0) as running:

        class Arriving: ...

        arriving = Arriving()
        running.runtime.arriving.add(arriving)
        stopping = asyncio.ensure_future(running.server.stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        running.runtime.arriving.discard(arriving)
        await asyncio.wait_for(stopping, LONG)


async def test_who_stays_at_the_door_is_not_waited_for_long() -> None:
    async with serve(echo, drain_timeout=5.0, drain_idle_timeout=0.2) as running:

        class Arriving: ...

        arriving = Arriving()
        running.runtime.arriving.add(arriving)
        await asyncio.wait_for(running.server.stop(), LONG)
        assert arriving in running.runtime.arriving


async def test_in_a_hurry_applications_still_clean_up() -> None:
    cleaned = asyncio.Event()
    started = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    async with serve(app, drain_timeout=None) as running:
        client = await running.connect()
        await client.send(GET)
        await asyncio.wait_for(started.wait(), LONG)
        running.server.ask_to_end()
        await asyncio.wait_for(running.server.stop(), LONG)
        assert cleaned.is_set()
