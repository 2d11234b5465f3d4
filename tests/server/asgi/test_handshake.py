"""What is kept of a handshake: nothing, once the WebSocket is open."""

from __future__ import annotations

import gc
from typing import Any

from channels import telemetry
from channels.protocols.http.upgrade import HandshakeRejected
from channels.server.asgi.handshake import (
    PendingHandshake,
    handshake_refused,
    handshake_rejected,
    handshake_timed_out,
)
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


def test_one_that_rfc_6455_does_not_allow_is_logged_without_its_query_string(caplog: Any) -> None:
    told: list[tuple[str, Any]] = []
    detach = telemetry.attach(lambda event, facts: told.append((event, facts)))
    handshake_rejected(b"/a?token=secret", HandshakeRejected(400, "There is no key."))
    detach()
    assert records(caplog) == ["WebSocket handshake refused: /a: There is no key."]
    assert told[0][0] == "server.bad_handshake"
    assert told[0][1]["status"] == 400


def test_a_refusal_that_the_application_has_logged_is_counted_only(caplog: Any) -> None:
    handshake_refused("WebSocket /a", log=False)
    assert records(caplog) == []


async def test_fields_of_an_accept_stand_in_for_the_servers_own() -> None:
    async with asked(UPGRADE) as (run, client, _):
        await run.receive()
        await run.send({"type": "websocket.accept", "headers": [(b"Server", b"mine"), (b"x-own", b"1")]})
        head = await client.until(b"\r\n\r\n")
    assert head.lower().count(b"\r\nserver:") == 1
    assert b"mine" in head
    assert b"x-own: 1\r\n" in head.lower()


async def test_an_answer_of_the_application_refuses_too_and_is_asked_for_its_status() -> None:
    async with asked(UPGRADE) as (run, client, running):
        opening: Any = next(iter(running.runtime.streams))._opening
        assert opening.status == 0
        await run.receive()
        await run.send({"type": "websocket.http.response.start", "status": 410, "headers": []})
        await run.send({"type": "websocket.http.response.body", "body": b"gone"})
        assert (await client.response())[::2] == (410, b"gone")
        assert opening.status == 410
        assert opening.response is opening.response


async def test_the_server_answers_for_an_application_that_fails() -> None:
    async with asked(UPGRADE) as (run, client, _):
        run.fail(ValueError("on purpose"))
        assert (await client.response())[0] == 500
