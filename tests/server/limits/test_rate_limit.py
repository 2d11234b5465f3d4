"""Messages a second, and bytes."""

from __future__ import annotations

from typing import Any

import pytest

from channels import telemetry
from channels.protocols.websocket.connection import WebSocketConnection
from channels.server.config import Config
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.rate_limit import MinRateDeadline
from tests.server.helpers import (
    UPGRADE,
    Recorder,
    Run,
    close_frame,
    echo,
    frame,
    opened,
    serve,
)


async def test_a_socket_that_says_too_much_is_closed() -> None:
    before = telemetry.counters["server.too_many_messages"]
    async with serve(echo, websocket_max_rate=2) as running:
        client = await running.connect()
        await client.upgrade(UPGRADE)
        await client.send(frame(b"1") + frame(b"2") + b"".join(frame(b"more") for _ in range(50)))
        received = [await client.message()]
        while received[-1][0] == 1:
            received.append(await client.message())
        assert received[-1] == (8, (1008).to_bytes(2, "big") + b"At most 2 messages a second")
    assert telemetry.counters["server.too_many_messages"] == before + 1


async def last_of(run: Run) -> Any:
    while (message := await run.receive())["type"] == "websocket.receive":
        pass
    return message


async def test_behind_the_close_a_flood_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    app, seen, next_event = Recorder(), 0, WebSocketConnection.next_event

    def counting(connection: WebSocketConnection) -> Any:
        nonlocal seen
        seen += 1
        return next_event(connection)

    monkeypatch.setattr(WebSocketConnection, "next_event", counting)
    before = telemetry.counters["server.too_many_messages"]
    async with serve(app, websocket_max_rate=2, websocket_queue_size=1000) as running:
        client, run = await opened(running, app)
        for _ in range(50):
            client.write(frame(b"more") * 1000)
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, (1008).to_bytes(2, "big"))
        assert await client.rest() == b""
        assert (await last_of(run))["code"] == 1008
        # One was too many; the other 49,979 were never taken apart.
        assert seen == 21
        run.end()
    assert telemetry.counters["server.too_many_messages"] == before + 1


async def test_who_floods_on_behind_the_applications_close_is_not_waited_for() -> None:
    app = Recorder()
    before = telemetry.counters["server.too_many_messages"]
    async with serve(app, websocket_close_timeout=None, websocket_queue_bytes=5000) as running:
        client, run = await opened(running, app)
        await run.send({"type": "websocket.close", "code": 4000})
        assert (await client.message())[1] == (4000).to_bytes(2, "big")
        await client.send(frame(b"x" * 94) * 40)  # was on its way
        await client.send(frame(b"x" * 94) * 40)
        assert await client.rest() == b""
        assert (await last_of(run))["code"] == 1006
        run.end()
    assert telemetry.counters["server.too_many_messages"] == before + 1


async def test_what_was_on_its_way_behind_a_close_is_waited_for() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_bytes=5000) as running:
        client, run = await opened(running, app)
        await run.send({"type": "websocket.close", "code": 4000})
        await client.send(frame(b"x" * 94) * 40 + close_frame(4000))
        assert (await last_of(run))["code"] == 4000
        run.end()


def test_a_body_is_late_when_nothing_comes_and_when_too_little_comes() -> None:
    config = Config(app=echo, body_timeout=60.0, body_min_rate=100)
    pace = MinRateDeadline(config, 1000.0)
    assert pace.received(1, 1010.0) == 1060.01
    assert pace.received(99, 1020.0) == 1061.0
    assert pace.received(100_000, 1030.0) == 1090.0
    assert pace.received(0, 1040.0) == 1100.0


def test_a_body_without_a_rate_or_without_a_limit() -> None:
    assert MinRateDeadline(Config(app=echo, body_min_rate=0), 0.0).received(1, 59.0) == 119.0
    assert MinRateDeadline(Config(app=echo, body_timeout=None), 0.0).received(1, 59.0) == NEVER
