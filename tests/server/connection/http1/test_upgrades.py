"""What a connection speaks after HTTP/1.1: WebSocket, or HTTP/2."""

from __future__ import annotations

import pytest

from tests.server.helpers import UPGRADE, Recorder, close_frame, echo, eventually, frame, opened, serve

SETTINGS = b"HTTP2-Settings: %b\r\n\r\n"
TO_HTTP2 = (
    b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS
)


async def test_a_websocket_takes_the_connection_over() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        assert (await client.upgrade()).startswith("HTTP/1.1 101 ")
        await client.send(frame(b"hello"))
        assert await client.message() == (1, b"hello")
        await client.send(close_frame())
        assert (await client.message())[0] == 8
        assert running.server.statistics()["websockets"] == 1


async def test_what_came_behind_the_handshake_is_the_websockets() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        assert (await client.upgrade(UPGRADE + frame(b"early"))).startswith("HTTP/1.1 101 ")
        assert await client.message() == (1, b"early")


async def test_a_peer_that_stops_sending_before_the_answer_has_left() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(UPGRADE)
        run = await app.next()
        client.writer.write_eof()
        assert (await run.receive())["type"] == "websocket.connect"
        assert (await run.receive())["type"] == "websocket.disconnect"
        run.end()
        assert await client.rest() == b""


async def test_a_websocket_that_is_denied_leaves_the_connection_closed() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(UPGRADE)
        run = await app.next()
        await run.send({"type": "websocket.close"})
        run.end()
        assert (await client.response())[0] == 403


async def test_messages_wait_while_the_application_takes_none() -> None:
    app = Recorder()
    async with serve(app, websocket_queue_size=1) as running:
        client, run = await opened(running, app)
        await client.send(frame(b"x") * 100)
        (connection,) = running.runtime.connections
        await eventually(lambda: connection._paused)
        for _ in range(100):
            assert (await run.receive())["text"] == "x"
        run.end()


async def test_http2_takes_the_connection_over() -> None:
    app = Recorder()
    async with serve(app, http2_upgrade=True) as running:
        client = await running.connect()
        await client.send(TO_HTTP2 % b"AAMAAABk")
        head = await client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"upgrade: h2c" in head.lower()
        run = await app.next()
        assert run.scope["http_version"] == "2"
        assert (await client.read(9))[3] == 4  # SETTINGS
        run.end()


@pytest.mark.parametrize("settings", [b"?", b"AA"])
async def test_settings_that_are_none_leave_the_connection_at_http1(settings: bytes) -> None:
    async with serve(echo, http2_upgrade=True) as running:
        client = await running.connect()
        await client.send(TO_HTTP2 % settings)
        assert (await client.response())[0] == 200
