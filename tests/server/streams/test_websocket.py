"""WebSockets over real sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest
import websockets

from channels import telemetry
from channels.server.streams.websocket import WebSocketStream
from channels.typing import PUSH_EXTENSION
from tests.server.conftest import Clock
from tests.server.helpers import (
    LONG,
    UPGRADE,
    Client,
    Recorder,
    Run,
    Running,
    asked,
    close_frame,
    echo,
    eventually,
    frame,
    records,
    serve,
)


async def opened(running: Running, app: Recorder) -> tuple[Client, Run]:
    """An accepted WebSocket: the client's side and the application's."""
    client = await running.connect()
    await client.send(UPGRADE)
    run = await app.next()
    await run.accept()
    assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return client, run


def stream_of(running: Running) -> Any:
    (stream,) = running.runtime.streams
    return stream


async def test_echo_with_an_independent_client() -> None:
    async with serve(echo) as running:
        host, port = running.server.addresses[0]
        async with websockets.connect(f"ws://{host}:{port}/") as client:
            for data in ("", "text", "ä" * 70_000, b"", b"\0" * 300, b"\xff" * 700_000):
                await client.send(data)
                assert await asyncio.wait_for(client.recv(), LONG) == data
        assert client.close_code == 1000


async def test_accept_carries_subprotocol_and_headers() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        request = UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: one, two\r\n\r\n")
        await client.send(request)
        run = await app.next()
        assert run.scope["subprotocols"] == ["one", "two"]
        await run.accept(subprotocol="two", headers=[[b"x-own", b"yes"]])
        head = (await client.until(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 101 ")
        for line in (b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", b"sec-websocket-protocol: two"):
            assert line in head
        assert b"x-own: yes\r\n" in head
        assert b"server: daphne\r\n" in head
        run.end()


async def test_messages_keep_kind_and_order() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"one") + frame(b"two", 2) + frame(b"thr", fin=False) + frame(b"ee", 0))
        received = [await run.receive() for _ in range(3)]
        assert received == [
            {"type": "websocket.receive", "text": "one"},
            {"type": "websocket.receive", "bytes": b"two"},
            {"type": "websocket.receive", "text": "three"},
        ]
        await run.send({"type": "websocket.send", "text": "", "bytes": None})
        await run.send({"type": "websocket.send", "bytes": bytearray(b"x")})
        assert await client.message() == (1, b"")
        assert await client.message() == (2, b"x")
        run.end()


async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        transport = next(iter(running.runtime.connections))
        written: list[bytes] = []
        original = transport._transport

        class Spy:
            def write(self, data: bytes) -> None:
                written.append(data)
                original.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(original, name)

        transport._transport = Spy()
        for text in ("a", "b", "c"):
            await run.send({"type": "websocket.send", "text": text})
        assert [(await client.message())[1] for _ in range(3)] == [b"a", b"b", b"c"]
        assert len(written) == 1
        run.end()


async def test_the_peer_closes() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"last") + close_frame(4001, b"bye"))
        assert (await run.receive())["text"] == "last"
        assert await run.receive() == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        assert await client.message() == (8, b"\x0f\xa1")
        assert await client.rest() == b""
        before = telemetry.counters["server.late_send"]
        with pytest.raises(OSError, match="websocket.send reaches nobody") as caught:
            await run.send({"type": "websocket.send", "text": "too late"})
        await run.send({"type": "websocket.close"})
        assert telemetry.counters["server.late_send"] == before + 2
        run.fail(caught.value)
        await eventually(lambda: not running.runtime.streams and not running.runtime.connections)


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        ({}, b"\x03\xe8"),
        ({"code": None}, b"\x03\xe8"),
        ({"code": 4002, "reason": "enough"}, b"\x0f\xa2enough"),
    ],
)
async def test_the_application_closes(message: dict[str, Any], payload: bytes) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        await run.send({"type": "websocket.close", **message})
        with pytest.raises(OSError, match="closed"):
            await run.send({"type": "websocket.send", "text": "no more"})
        assert await client.message() == (8, payload)
        await client.send(frame(b"ignored") + frame(payload, 8))
        expected = {"code": int.from_bytes(payload[:2], "big"), "reason": payload[2:].decode()}
        assert await run.receive() == {"type": "websocket.disconnect", **expected}
        run.end()
        assert await client.rest() == b""


async def test_a_peer_that_does_not_answer_a_close_is_left() -> None:
    app = Recorder()
    async with serve(app, websocket_close_timeout=0.3) as running:
        client, run = await opened(running, app)
        await run.send({"type": "websocket.close"})
        run.end()
        assert await client.message() == (8, b"\x03\xe8")
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.connections)


@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_a_lost_connection_is_1006(how: str) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        if how == "eof":
            client.writer.write_eof()
        else:
            client.reset()
        assert await run.receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        run.end()


async def test_after_the_disconnect_receive_waits_until_the_application_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def listen(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    async with serve(listen, application_close_timeout=0.3) as running:
        client = await running.connect()
        await client.send(UPGRADE)
        client.writer.write_eof()
        await eventually(lambda: records(caplog))
        await eventually(lambda: not running.runtime.streams)
    (line,) = records(caplog)
    assert "WebSocket /ws/" in line
    assert "--application-close-timeout" in line


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(b"\xff\xfe"), 1007),
        (frame(b"x" * 2000), 1009),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x81\x01x", 1002),
        (frame(b"x", 3), 1002),
    ],
)
async def test_violations_are_answered_with_their_code(
    sent: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()
    async with serve(app, websocket_max_message_size=1000) as running:
        client, run = await opened(running, app)
        await run.send({"type": "websocket.send", "text": "owed"})
        await client.send(sent)
        assert await client.message() == (1, b"owed")
        opcode, payload = await client.message()
        assert (opcode, int.from_bytes(payload[:2], "big")) == (8, code)
        event = await run.receive()
        assert (event["type"], event["code"]) == ("websocket.disconnect", code)
        assert await client.rest() == b""
        run.end()
    assert records(caplog) == []


async def test_sizes_without_limit() -> None:
    async with serve(echo, websocket_max_message_size=0, websocket_max_frame_size=0) as running:
        client = await running.connect()
        await client.upgrade()
        await client.send(frame(b"x" * 3_000_000, 2))
        assert (await client.message()) == (2, b"x" * 3_000_000)


# The handshake


async def test_closing_before_accepting_is_403(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(UPGRADE) as (run, client, _):
        assert await run.receive() == {"type": "websocket.connect"}
        await run.send({"type": "websocket.close", "code": 4000})
        assert (await client.response())[0] == 403
        assert await run.receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        run.end()
        assert await client.rest() == b""
    (line,) = records(caplog)
    assert "/ws/" in line
    assert "403" in line


async def test_a_denial_response() -> None:
    async with asked(UPGRADE) as (run, client, _):
        assert run.scope["extensions"]["websocket.http.response"] == {}
        await run.receive()
        start = {"type": "websocket.http.response.start", "status": 404, "headers": [(b"x-why", b"no route")]}
        await run.send(start)
        with pytest.raises(ValueError, match="already"):
            await run.send(start)
        await run.send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
        await run.send({"type": "websocket.http.response.body", "body": b"here"})
        status, headers, body = await client.response()
        assert (status, headers["x-why"], body) == (404, "no route", b"not here")
        assert (await run.receive())["type"] == "websocket.disconnect"


async def test_a_denial_that_stops_half_way_is_visibly_broken(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(UPGRADE) as (run, client, _):
        await run.send({"type": "websocket.http.response.start", "status": 404})
        await run.send({"type": "websocket.http.response.body", "body": b"half", "more_body": True})
        run.end()
        assert (await client.rest()).endswith(b"4\r\nhalf\r\n")
    assert len(records(caplog)) == 1


async def test_an_application_that_raises_before_accepting_is_500(caplog: pytest.LogCaptureFixture) -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(UPGRADE)
        error = RuntimeError("broken consumer")
        error.add_note("consumer: ChatConsumer")
        (await app.next()).fail(error)
        assert (await client.response())[0] == 500
    assert len(records(caplog)) == 1
    assert "consumer: ChatConsumer" in caplog.text
    assert "/ws/" in caplog.text


async def test_an_application_that_raises_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        run.fail(RuntimeError("broken consumer"))
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xf3")
        await client.send(close_frame(1011))
        assert await client.rest() == b""
    assert len(records(caplog)) == 1


async def test_an_application_that_cancels_itself_leaves_no_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        run.fail(asyncio.CancelledError())
        assert (await client.message())[1][:2] == b"\x03\xf3"
        await client.send(close_frame(1011))
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.connections and not running.runtime.streams)
    (line,) = records(caplog)
    assert "CancelledError" in line


async def test_an_application_that_returns_early(caplog: pytest.LogCaptureFixture) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        run.end()
        assert await client.message() == (8, b"\x03\xe8")
        assert records(caplog) == []
        client = await running.connect()
        await client.send(UPGRADE)
        (await app.next()).end()
        assert (await client.response())[0] == 500
    assert len(records(caplog)) == 1


async def test_an_application_that_never_answers_the_handshake_is_503(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with asked(UPGRADE, websocket_connect_timeout=0.3) as (run, client, _):
        assert (await client.response())[0] == 503
        await run.receive()
        assert (await run.receive())["type"] == "websocket.disconnect"
        with pytest.raises(OSError, match="websocket.accept reaches nobody") as caught:
            await run.send({"type": "websocket.accept"})
        run.fail(ExceptionGroup("of tasks", [caught.value]))
    (line,) = records(caplog)
    assert "/ws/" in line
    assert "--websocket_connect_timeout" in line


async def test_frames_sent_ahead_of_the_accept_are_not_lost() -> None:
    async with asked(UPGRADE + frame(b"early") * 3) as (run, client, _):
        await client.send(frame(b"later" * 20_000))
        await run.accept()
        assert [(await run.receive())["text"] for _ in range(3)] == ["early"] * 3
        assert (await run.receive())["text"] == "later" * 20_000


async def test_a_peer_that_leaves_during_the_handshake() -> None:
    async with asked(UPGRADE) as (run, client, _):
        await run.receive()
        client.writer.write_eof()
        assert (await run.receive())["code"] == 1006
        run.end()
        assert await client.rest() == b""


# Mistakes of the application


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        ({"type": "websocket.send"}, ValueError, "neither"),
        ({"type": "websocket.send", "text": b"x"}, TypeError, "str, got bytes"),
        ({"type": "websocket.send", "bytes": "x"}, TypeError, "bytes, got str"),
        ({"type": "websocket.accept"}, ValueError, "websocket.accept"),
        ({"type": "http.response.start"}, ValueError, "Cannot handle message type http.response.start!"),
        ({"type": "websocket.close", "code": 1006}, ValueError, "1006"),
    ],
)
async def test_mistakes_are_told_and_harm_nobody(message: Any, error: type[Exception], text: str) -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        with pytest.raises(error, match=text):
            await run.send(message)
        await run.send({"type": "websocket.send", "text": "still open"})
        assert await client.message() == (1, b"still open")
        run.end()


# Backpressure


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


# Time


async def test_a_silent_peer_is_pinged_and_its_pong_is_life(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, ping_interval=20, ping_timeout=20) as running:
        client, run = await opened(running, app)
        keepalive = stream_of(running)._keepalive
        for _ in range(3):
            clock.advance(20)
            assert await client.message() == (9, b"")
            await client.send(frame(b"", 10))
            await eventually(lambda: keepalive.alive_at == running.runtime.timers.now)
        await client.send(frame(b"alive"))
        assert (await run.receive())["text"] == "alive"
        run.end()


async def test_a_peer_that_answers_no_ping_is_gone() -> None:
    app = Recorder()
    async with serve(app, ping_interval=0.2, ping_timeout=0.3) as running:
        client, run = await opened(running, app)
        assert (await run.receive()) == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        assert (await client.message())[0] == 9
        assert (await client.message())[1][:2] == b"\x03\xf3"
        run.end()


async def test_pings_of_the_peer_are_answered() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        await client.send(frame(b"marco", 9))
        assert await client.message() == (10, b"marco")


async def test_the_lifetime_ends() -> None:
    app = Recorder()
    async with serve(app, websocket_timeout=0.3) as running:
        client, run = await opened(running, app)
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xe8")
        await client.send(close_frame(1000))
        assert (await run.receive())["code"] == 1000
        run.end()


async def test_the_http_timeouts_do_not_touch_websockets(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, http_timeout=2, keep_alive_timeout=2, head_timeout=2) as running:
        client, run = await opened(running, app)
        clock.advance(10)
        await client.send(frame(b"still here"))
        assert (await run.receive())["text"] == "still here"
        run.end()


# Push


async def test_the_stream_is_a_push_source() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        source = run.scope["extensions"][PUSH_EXTENSION]
        assert source.receive == run._receive
        woken = asyncio.Event()
        source.set_wakeup(woken.set)
        assert source.receive_nowait() is None
        await client.send(frame(b"pushed"))
        await asyncio.wait_for(woken.wait(), LONG)
        assert source.receive_nowait() == {"type": "websocket.receive", "text": "pushed"}
        source.set_wakeup(None)
        run.end()


async def test_a_cancelled_receive_loses_nothing() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        waiting = asyncio.ensure_future(run.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await client.send(frame(b"kept"))
        assert (await run.receive())["text"] == "kept"
        run.end()


# Nothing is left


async def test_two_thousand_connections_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with serve(echo) as running:
        host, port = running.server.addresses[0]

        async def visit(number: int) -> None:
            reader, writer = await asyncio.open_connection(host, port)
            client = Client(reader, writer)
            await client.upgrade()
            await client.send(frame(b"hello"))
            assert await client.message() == (1, b"hello")
            if number % 2:
                await client.send(close_frame())
                await client.rest()
            await client.close()

        for start in range(0, 2000, 50):
            await asyncio.gather(*(visit(start + number) for number in range(50)))
        await eventually(lambda: not running.runtime.connections and not running.runtime.streams)
        counts = running.server.statistics()
        assert (counts["websockets"], counts["timers"]) == (2000, 0)
        gc.collect()
        assert not [found for found in gc.get_objects() if type(found) is WebSocketStream]
        assert len(asyncio.all_tasks()) == 1
    assert records(caplog) == []


async def test_a_stream_is_freed_without_the_garbage_collector() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        stream = weakref.ref(stream_of(running))
        await client.send(close_frame())
        assert (await run.receive())["code"] == 1000
        await client.rest()
        gc.disable()
        try:
            run.end()
            await run.finished.wait()
            del run
            app.runs.clear()
            await eventually(lambda: stream() is None)
        finally:
            gc.enable()


@pytest.mark.parametrize("header", [(b"x", b"a\r\nb: c"), (b"content-length", b"x")])
async def test_an_accept_that_cannot_be_sent_leaves_the_handshake_open(header: tuple[bytes, bytes]) -> None:
    async with asked(UPGRADE) as (run, client, _):
        await run.receive()
        with pytest.raises(ValueError, match=r"header|Content-Length") as caught:
            await run.send({"type": "websocket.accept", "headers": [header]})
        run.fail(caught.value)
        assert (await client.response())[0] == 500


async def test_a_reason_that_is_no_text() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        with pytest.raises(TypeError, match="must be a str, got bytes"):
            await run.send({"type": "websocket.close", "reason": b"enough"})
        await run.send({"type": "websocket.close"})
        assert await client.message() == (8, b"\x03\xe8")
        run.end()
