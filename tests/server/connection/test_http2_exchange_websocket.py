"""WebSockets over HTTP/2 (RFC 8441) on a running server."""

from __future__ import annotations

import asyncio
from typing import Any

import h2.events
import h2.settings
import pytest

from channels import telemetry
from channels.server.asgi.stream import ClientDisconnected
from tests.server.conftest import Clock
from tests.server.helpers import LONG, Recorder, close_frame, frame, serve
from tests.support.http2_client import CONNECT, h2_client

RESET, ENDED = h2.events.StreamReset, h2.events.StreamEnded


@pytest.mark.usefixtures("both_engines")
async def test_a_websocket() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        assert await client.until(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        assert client.h2.remote_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1
        stream = await client.request([*CONNECT, ("sec-websocket-protocol", "chat")], end=False)
        await client.send(stream, frame(b"early"))
        run = await app.next()
        assert (run.scope["type"], run.scope["http_version"], run.scope["scheme"]) == ("websocket", "2", "ws")
        assert run.scope["subprotocols"] == ["chat"]
        await run.accept(subprotocol="chat", headers=[(b"x-one", b"1")])
        headers = await client.head(stream)
        assert (headers[":status"], headers["sec-websocket-protocol"], headers["x-one"]) == (
            "200",
            "chat",
            "1",
        )
        assert "upgrade" not in headers
        assert (await run.receive())["text"] == "early"
        await client.send(stream, frame(b"hello"))
        assert (await run.receive())["text"] == "hello"
        await run.send({"type": "websocket.send", "text": "answer"})
        assert await client.body(stream, 8) == b"\x81\x06answer"
        await client.send(stream, close_frame(3000), end=True)
        assert await run.receive() == {"type": "websocket.disconnect", "code": 3000, "reason": ""}
        run.end()
        await client.event(ENDED, stream)
        assert client.bodies[stream][8:] == b"\x88\x02" + (3000).to_bytes(2, "big")


async def test_a_websocket_that_the_application_closes_and_one_that_is_refused(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, websocket_close_timeout=10) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.accept()
        await run.send({"type": "websocket.close", "code": 4000})
        assert await client.body(stream, 4) == b"\x88\x02" + (4000).to_bytes(2, "big")
        await client.send(stream, close_frame(4000))
        await client.event(ENDED, stream)
        clock.advance(10)
        await client.event(RESET, stream)  # the client's half was never ended
        run.end()
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.receive()
        await run.send({"type": "websocket.close"})
        assert (await client.response(stream))[0] == 403
        run.end()
        stream = await client.request(CONNECT[:-1], end=False)
        assert (await client.response(stream))[0] == 426
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await client.send(stream, b"", end=True)  # gone before it was accepted
        assert (await run.receive())["type"] == "websocket.connect"
        assert (await run.receive())["type"] == "websocket.disconnect"
        run.end()


@pytest.mark.parametrize("how", ["end", "reset", "abort"])
async def test_a_websocket_whose_peer_is_gone(how: str) -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.accept()
        await client.head(stream)
        if how == "end":
            await client.send(stream, b"", end=True)
        elif how == "reset":
            client.h2.reset_stream(stream, 8)
            await client.flush()
        else:
            client.writer.transport.abort()
        assert (await run.receive())["code"] == 1006
        with pytest.raises(OSError, match="reaches nobody"):
            await run.send({"type": "websocket.send", "text": "late"})
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_a_websocket_waits_for_its_consumer_and_for_its_peer() -> None:
    app = Recorder()
    options: dict[str, Any] = {"websocket_queue_size": 2, "write_buffer_size": 1000, "write_limit": 100_000}
    async with serve(app, **options) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.accept()
        await client.head(stream)
        message = frame(b"x" * 1000)
        count = 0
        while client.h2.local_flow_control_window(stream) > len(message):
            await client.send(stream, message)
            count += 1
        for _ in range(count):
            assert len((await run.receive())["text"]) == 1000
        await client.until(lambda event: client.h2.local_flow_control_window(stream) > len(message))
        client.acknowledging = False
        await run.send({"type": "websocket.send", "text": "x" * 64_000})
        waiting = asyncio.ensure_future(run.send({"type": "websocket.send", "text": "x" * 64_000}))
        await client.body(stream, 65_535)
        assert not waiting.done()
        before = telemetry.counters["server.slow_reader"]
        cut = [
            asyncio.ensure_future(run.send({"type": "websocket.send", "text": "x" * 64_000}))
            for _ in range(3)
        ]
        await client.event(RESET, stream)
        ends = await asyncio.wait_for(asyncio.gather(waiting, *cut, return_exceptions=True), LONG)
        assert {type(end) for end in ends} == {type(None), ClientDisconnected}
        assert telemetry.counters["server.slow_reader"] == before + 1
        assert (await run.receive())["code"] == 1006
        run.end()


async def test_stop_closes_websockets_with_1012() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request(CONNECT, end=False)
        run = await app.next()
        await run.accept()
        await client.head(stream)
        stopping = asyncio.ensure_future(running.server.stop())
        frame_bytes = await client.body(stream, 4)
        assert frame_bytes[2:] == (1012).to_bytes(2, "big")
        await client.send(stream, close_frame(1012), end=True)
        assert (await run.receive())["type"] == "websocket.disconnect"
        run.end()
        await asyncio.wait_for(stopping, LONG)


async def test_a_subprotocol_that_is_none_and_two_origins() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        await client.request([*CONNECT, ("sec-websocket-protocol", "Bearer abc, , chat")], end=False)
        run = await app.next()
        assert run.scope["subprotocols"] == ["Bearer abc", "chat"]
        run.end()
        stream = await client.request([*CONNECT, ("origin", "http://a"), ("origin", "http://a")], end=False)
        assert (await client.response(stream))[0] == 403
