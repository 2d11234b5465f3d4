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
from channels.server.asgi.websocket import WebSocketStream
from channels.typing import PUSH_EXTENSION
from tests.server.conftest import Clock
from tests.server.helpers import (
    LONG,
    UPGRADE,
    Client,
    Recorder,
    Running,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    records,
    serve,
    stream_of,
)


async def test_echo_with_an_independent_client() -> None:
    async with serve(echo) as running:
        host, port = running.server.addresses[0]
        async with websockets.connect(f"ws://{host}:{port}/") as client:
            for data in ("", "text", "ä" * 70_000, b"", b"\0" * 300, b"\xff" * 700_000):
                await client.send(data)
                assert await asyncio.wait_for(client.recv(), LONG) == data
        assert client.close_code == 1000


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


def written_by(running: Running) -> list[bytes]:
    """What the one connection gives its transport from now on, call by call."""
    (connection,) = running.runtime.connections
    written: list[bytes] = []
    original = connection._transport

    class Spy:
        def write(self, data: bytes) -> None:
            written.append(data)
            original.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

    connection._transport = Spy()
    return written


async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        written = written_by(running)
        for text in ("a", "b", "c"):
            await run.send({"type": "websocket.send", "text": text})
        assert [(await client.message())[1] for _ in range(3)] == [b"a", b"b", b"c"]
        assert len(written) == 1
        run.end()


async def test_what_comes_while_others_are_answered_is_answered_in_one_write() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.upgrade()
        written, stream = written_by(running), stream_of(running)
        for text in (b"a", b"b", b"c"):
            stream.data_received(frame(text))
            await asyncio.sleep(0)
        assert [(await client.message())[1] for _ in range(3)] == [b"a", b"b", b"c"]
        assert len(written) == 2


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


async def test_a_reason_that_is_no_text() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        with pytest.raises(TypeError, match="must be a str, got bytes"):
            await run.send({"type": "websocket.close", "reason": b"enough"})
        await run.send({"type": "websocket.close"})
        assert await client.message() == (8, b"\x03\xe8")
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

#: Enough that what one leaves is seen; more takes a loaded machine a minute, without showing more.
VISITS = 400


async def test_connections_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
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

        for start in range(0, VISITS, 50):
            await asyncio.gather(*(visit(start + number) for number in range(50)))
        await eventually(lambda: not running.runtime.connections and not running.runtime.streams)
        assert running.server.statistics()["websockets"] == VISITS
        await eventually(lambda: running.server.statistics()["timers"] == 0)
        await eventually(lambda: len(asyncio.all_tasks()) == 1)
        await eventually(nothing_is_left)
    assert records(caplog) == []


def nothing_is_left() -> bool:
    gc.collect()
    return not any(type(found) is WebSocketStream for found in gc.get_objects())


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
