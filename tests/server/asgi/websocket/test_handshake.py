"""The opening of a WebSocket: what answers it, and what may go wrong before it is answered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from channels import telemetry
from channels.protocols.http1.header_lines import lines_of
from channels.security.websocket import OriginValidator
from tests.server.helpers import (
    UPGRADE,
    Recorder,
    asked,
    close_frame,
    echo,
    eventually,
    frame,
    opened,
    records,
    serve,
)


async def test_what_accept_says_takes_the_place_of_what_the_server_says_and_is_not_kept() -> None:
    app = Recorder()
    async with serve(app) as running:
        kept = set(lines_of)
        for value in (b"one", b"two", b"three"):
            client = await running.connect()
            await client.send(UPGRADE)
            run = await app.next()
            await run.accept(headers=[(b"Server", value)])
            head = (await client.until(b"\r\n\r\n")).lower()
            assert head.count(b"\r\nserver: ") == 1 == head.count(b"\r\ndate: ")
            assert b"\r\nserver: " + value in head
            run.end()
        # The lines of what was left of the server's fields would never be asked for again.
        assert [fields.headers for fields in set(lines_of) - kept if len(fields.headers) == 1] == []


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


async def test_a_refused_origin_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    app = OriginValidator(echo, ["http://good.example"])
    before = telemetry.counters["server.handshake_refused"]
    async with serve(app, action_logger=lambda *line: lines.append(line)) as running:
        client = await running.connect()
        await client.send(UPGRADE.replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n"))
        assert (await client.response())[0] == 403
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "'http://evil.example' is not allowed by" in line
    assert telemetry.counters["server.handshake_refused"] == before + 1
    assert [action for _, action, _ in lines] == ["connecting", "rejected"]


@pytest.mark.parametrize("status", [401, 403, 404, 503])
async def test_the_access_log_has_the_status_that_was_sent(status: int) -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    async with asked(UPGRADE, action_logger=lambda *line: lines.append(line)) as (run, client, _):
        await run.receive()
        if status == 403:
            await run.send({"type": "websocket.close"})
        else:
            await run.send({"type": "websocket.http.response.start", "status": status, "headers": []})
            await run.send({"type": "websocket.http.response.body", "body": b"no"})
        assert (await client.response())[0] == status
        run.end()
    assert [(action, details.get("status")) for _, action, details in lines] == [
        ("connecting", None),
        ("rejected", status),
    ]


async def test_the_access_log_has_no_status_for_a_client_that_left() -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    async with asked(UPGRADE, action_logger=lambda *line: lines.append(line)) as (run, client, _):
        await run.receive()
        await client.close()
        await run.receive()
        run.end()
    assert "status" not in lines[-1][2]


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


@pytest.mark.parametrize("header", [(b"x", b"a\r\nb: c"), (b"content-length", b"x")])
async def test_an_accept_that_cannot_be_sent_leaves_the_handshake_open(header: tuple[bytes, bytes]) -> None:
    async with asked(UPGRADE) as (run, client, _):
        await run.receive()
        with pytest.raises(ValueError, match=r"header|Content-Length") as caught:
            await run.send({"type": "websocket.accept", "headers": [header]})
        run.fail(caught.value)
        assert (await client.response())[0] == 500


@pytest.mark.parametrize(
    ("value", "offered"),
    [(b"", []), (b"a,", ["a"]), (b"Bearer abc", ["Bearer abc"]), (b"chat, dG9rZW4=", ["chat", "dG9rZW4="])],
)
async def test_a_subprotocol_may_be_offered_that_is_none(value: bytes, offered: list[str]) -> None:
    request = UPGRADE[:-2] + b"Sec-WebSocket-Protocol: " + value + b"\r\n\r\n"
    for _ in range(2):  # the second time its lines are known
        async with asked(request) as (run, client, _):
            assert run.scope["subprotocols"] == offered
            await run.receive()
            for none in [one for one in offered if one not in ("a", "chat")]:
                with pytest.raises(ValueError, match="is no subprotocol"):
                    await run.send({"type": "websocket.accept", "subprotocol": none})
            await run.send({"type": "websocket.accept", "subprotocol": "chat"})
            assert b"sec-websocket-protocol: chat" in await client.until(b"\r\n\r\n")
            run.end()


async def test_two_origins_are_403() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(UPGRADE[:-2] + b"Origin: http://a\r\nOrigin: http://a\r\n\r\n")
        assert (await client.response())[0] == 403
