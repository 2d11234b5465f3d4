"""A WebSocket whose application, or whose peer, is behind: everything is bounded, nothing is lost."""

from __future__ import annotations

import asyncio

from channels import telemetry
from tests.server.conftest import Clock
from tests.server.helpers import (
    LONG,
    UPGRADE,
    Recorder,
    asked,
    close_frame,
    eventually,
    frame,
    opened,
    serve,
    stream_of,
)


async def test_a_consumer_that_is_behind_stops_the_reading(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=10, ping_interval=20, ping_timeout=20) as running:
        client, run = await opened(running, app)
        client.write(frame(b"x" * 10_000) * 1000)
        stream = stream_of(running)
        await eventually(lambda: stream.held)
        clock.advance(100)  # two pings' time: who is not read cannot answer, and is not dead
        assert len(stream._inbox) <= 10
        for _ in range(1000):
            assert len((await run.receive())["text"]) == 10_000
        assert not stream.held
        run.end()


async def test_the_queue_is_bounded_in_bytes_too() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_bytes=50_000) as running:
        client, run = await opened(running, app)
        client.write(frame(b"x" * 20_000) * 50)
        stream = stream_of(running)
        await eventually(lambda: stream.held)
        assert stream._inbox._size <= 70_000
        for _ in range(50):
            await run.receive()
        run.end()


async def test_what_arrived_before_the_loss_is_delivered_before_it() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=2) as running:
        client, run = await opened(running, app)
        await client.send(b"".join(frame(b"%d" % number) for number in range(10)))
        await eventually(lambda: stream_of(running).held)
        client.reset()
        connection = next(iter(running.runtime.connections))
        connection.resume_reading()  # else the reset itself would wait, unread
        texts = []
        while (event := await run.receive())["type"] == "websocket.receive":
            texts.append(event["text"])
        assert texts == [str(number) for number in range(10)]
        assert event["code"] == 1006
        run.end()


async def test_a_close_behind_a_full_inbox_keeps_its_code() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=2) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"x") * 5 + close_frame(4001, b"bye"))
        await eventually(lambda: stream_of(running).held)
        client.reset()
        next(iter(running.runtime.connections)).resume_reading()
        await eventually(lambda: not running.runtime.connections)
        assert [(await run.receive())["text"] for _ in range(5)] == ["x"] * 5
        assert await run.receive() == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        run.end()


async def test_an_application_that_returns_with_a_full_inbox_still_sees_the_peer_off() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=2) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"x") * 50 + close_frame(1000))
        await eventually(lambda: stream_of(running).held)
        run.end()
        assert await client.message() == (8, b"\x03\xe8")
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.connections)


async def test_more_frames_ahead_of_the_accept_than_may_wait() -> None:
    async with asked(UPGRADE + frame(b"early") * 10, websocket_queue_size=2) as (run, _, running):
        await run.accept()
        assert stream_of(running).held
        assert [(await run.receive())["text"] for _ in range(10)] == ["early"] * 10


async def test_send_waits_for_a_slow_reader() -> None:
    app = Recorder()
    async with serve(app, write_buffer_size=10_000) as running:
        client, run = await opened(running, app)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < 200:
                await run.send({"type": "websocket.send", "bytes": b"x" * 100_000})
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await eventually(lambda: next(iter(running.runtime.connections)).congested)
        assert sent < 200
        for _ in range(200):
            assert len((await client.message())[1]) == 100_000
        await asyncio.wait_for(flooding, LONG)
        run.end()


async def test_a_reader_that_never_reads_is_cut_and_counted() -> None:
    app = Recorder()
    before = telemetry.counters["server.slow_reader"]
    async with serve(app, write_buffer_size=10_000, write_timeout=0.3) as running:
        _, run = await opened(running, app)
        while telemetry.counters["server.slow_reader"] == before:
            await run.send({"type": "websocket.send", "bytes": b"x" * 100_000})
        while (event := await run.receive())["type"] != "websocket.disconnect":
            pass
        assert event["code"] == 1006
        run.end()


async def test_a_sender_that_does_not_wait_is_bounded_in_bytes() -> None:
    app = Recorder()
    before = telemetry.counters["server.slow_reader"]
    async with serve(app, write_buffer_size=10_000, write_limit=2_000_000) as running:
        _, run = await opened(running, app)
        flood = [
            asyncio.ensure_future(run.send({"type": "websocket.send", "bytes": b"x" * 100_000}))
            for _ in range(200)
        ]
        await asyncio.wait_for(asyncio.gather(*flood), LONG)
        assert telemetry.counters["server.slow_reader"] == before + 1
        assert (await run.receive())["code"] == 1006
        run.end()
