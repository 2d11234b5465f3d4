"""WebSockets that count their messages, one by one and many in a read."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from channels import telemetry
from channels.server.asgi.metering.websocket import MeteredWebSocketStream
from channels.server.asgi.websocket import WebSocketStream
from tests.server.helpers import (
    Recorder,
    Running,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    serve,
    stream_of,
)


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "metered", True)


@pytest.mark.parametrize("options", [{}, {"websocket_max_rate": 0}, {"loop": "asyncio"}], ids=str)
@pytest.mark.usefixtures("metered")
async def test_messages_are_counted_however_they_come(options: dict[str, Any]) -> None:
    async with serve(echo, **options) as running:
        client = await running.connect()
        await client.upgrade()
        stream, meter = stream_of(running), stream_of(running).runtime.meter
        assert type(stream) is MeteredWebSocketStream
        for _ in range(5):
            await client.send(frame(b"a"))
            assert await client.message() == (1, b"a")
        assert (stream.received, stream.sent) == (5, 5)
        await client.send(frame(b"a") * 7 + frame(b"b", fin=False) + frame(b"c", 0) + frame(b"", 9))
        for _ in range(8):
            await client.message()
        assert (stream.received, stream.sent) == (13, 13)
        await client.send(frame(b"a") + close_frame())
        await eventually(lambda: (meter.messages_received, meter.messages_sent) == (14, 13))
        assert (stream.received, stream.sent) == (0, 0)
        await client.close()


def has_received(running: Running, number: int) -> bool:
    return bool(stream_of(running).received == number)


@pytest.mark.usefixtures("metered")
async def test_one_message_is_timed_behind_what_waits() -> None:
    app, told = Recorder(), []
    detach = telemetry.attach(lambda event, facts: told.append((event, facts)))
    try:
        async with serve(app) as running:
            client, run = await opened(running, app)
            for number in range(4):
                if number > 1:
                    stream_of(
                        running
                    ).time_next()  # that of the first is asked for: the other changes nothing
                await client.send(frame(b"%d" % number))
                await eventually(functools.partial(has_received, running, number + 1))
            for _ in range(4):
                await run.receive()
            ((_, facts),) = [each for each in told if each[0] == "server.message_taken"]
            assert facts["seconds"] > 0
            run.end()
    finally:
        detach()


@pytest.mark.usefixtures("metered")
async def test_send_is_a_coroutine_function_for_those_who_ask() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        assert inspect.iscoroutinefunction(WebSocketStream.send)
        from asgiref.sync import iscoroutinefunction

        assert iscoroutinefunction(stream_of(running).send)
        await client.close()


async def test_without_a_meter_it_is_the_plain_class() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        assert type(stream_of(running)) is WebSocketStream
        assert stream_of(running).runtime.meter is None
        await client.close()
