"""A WebSocket whose application, or whose peer, is behind: everything is bounded, nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.protocols.websocket.connection import WebSocketConnection
from tests.server.conftest import Clock
from tests.server.helpers import (
    LONG,
    UPGRADE,
    Recorder,
    Run,
    asked,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    serve,
    stream_of,
)

PING, PONG = 9, 10


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


async def test_each_read_of_one_short_message_is_counted_too() -> None:
    async with serve(echo, websocket_max_rate=2) as running:
        client = await running.connect()
        await client.upgrade(UPGRADE)
        for _ in range(20):
            await client.send(frame(b"short"))
            assert await client.message() == (1, b"short")
        await client.send(frame(b"one more"))
        assert await client.message() == (8, (1008).to_bytes(2, "big") + b"At most 2 messages a second")


async def test_too_many_pings_close_an_open_socket() -> None:
    app = Recorder()
    before = telemetry.counters["server.too_many_frames"]
    async with serve(app, websocket_max_control_rate=1) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"", PING) * 40)
        while (received := await client.message())[0] == PONG:
            pass
        assert received == (8, (1008).to_bytes(2, "big") + b"At most 1 frames without a message a second")
        assert (await last_of(run))["code"] == 1008
        run.end()
    assert telemetry.counters["server.too_many_frames"] == before + 1


async def test_short_messages_wait_their_turn_behind_what_waits() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=2) as running:
        client, run = await opened(running, app)
        stream, (connection,) = stream_of(running), running.runtime.connections
        await client.send(frame(b"1") + frame(b"2") + frame(b"3"))
        await eventually(lambda: stream.held)
        connection.data_received(frame(b"4"))  # what was read ahead
        connection.data_received(frame(b"5"))
        assert len(stream._inbox) == 2
        assert [(await run.receive())["text"] for _ in range(5)] == ["1", "2", "3", "4", "5"]
        await client.send(frame(b"6"))
        assert (await run.receive())["text"] == "6"
        run.end()


async def test_a_message_in_two_reads_comes_before_the_next_one() -> None:
    app = Recorder()
    async with serve(app) as running:
        _, run = await opened(running, app)
        (connection,) = running.runtime.connections
        connection.data_received(frame(b"first")[:7])
        connection.data_received(frame(b"first")[7:])
        connection.data_received(frame(b"second"))
        assert [(await run.receive())["text"] for _ in range(2)] == ["first", "second"]
        run.end()


async def test_one_message_may_be_all_that_waits() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=1) as running:
        client, run = await opened(running, app)
        stream = stream_of(running)
        for number in range(3):
            await client.send(frame(b"", PONG))
            await client.send(frame(b"%d" % number))
            await eventually(lambda: stream.held)
            assert (await run.receive())["text"] == str(number)
            await eventually(lambda: not stream.held)
        run.end()


async def test_what_was_read_before_the_end_is_parsed_in_turns() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=1000) as running:
        client, run = await opened(running, app)
        (connection,) = running.runtime.connections
        connection.data_received(b"".join(frame(b"%d" % number) for number in range(200)))
        connection.eof_received()
        assert len(stream_of(running)._inbox) < 200
        for number in range(200):
            assert (await run.receive())["text"] == str(number)
        assert (await run.receive())["code"] == 1006
        run.end()
        client.writer.close()
