"""What is kept of a handshake: nothing, once the WebSocket is open."""

from __future__ import annotations

import gc
from typing import Any

from channels.server.asgi.handshake import PendingHandshake, handshake_refused, handshake_timed_out
from channels.server.asgi.websocket import WebSocketStream
from channels.server.connection.http1 import HTTP1Handler
from tests.server.helpers import UPGRADE, asked, frame, records


def kept() -> list[Any]:
    """Every opening, and every handler of HTTP/1.1, that is alive."""
    return [each for each in gc.get_objects() if type(each) in (PendingHandshake, HTTP1Handler)]


async def test_an_open_websocket_lets_its_handshake_and_its_http1_go() -> None:
    others = kept()  # of tests before this one
    async with asked(UPGRADE) as (run, client, running):
        (connection,) = running.runtime.connections
        stream: Any = next(iter(running.runtime.streams))
        assert isinstance(stream._opening, PendingHandshake)
        await run.receive()
        await run.send({"type": "websocket.accept"})
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert connection.handler is stream
        assert stream._opening is None
        gc.collect()
        assert [each for each in kept() if not any(each is other for other in others)] == []
        await client.send(frame(b"hello"))
        assert await run.receive() == {"type": "websocket.receive", "text": "hello"}


async def test_a_refused_one_too() -> None:
    async with asked(UPGRADE) as (run, client, running):
        stream = next(iter(running.runtime.streams))
        assert isinstance(stream, WebSocketStream)
        await run.receive()
        await run.send({"type": "websocket.close"})
        assert stream._opening is None
        assert (await client.response())[0] == 403


def test_both_name_the_websocket_and_a_remedy(caplog: Any) -> None:
    handshake_refused("WebSocket /a", log=True)
    handshake_timed_out("WebSocket /b", 5)
    refused, timed_out = records(caplog)
    assert refused.startswith("WebSocket /a was refused with 403")
    assert "within 5 s" in timed_out
    assert "--websocket_connect_timeout" in timed_out
