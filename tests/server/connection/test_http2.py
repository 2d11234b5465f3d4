"""HTTP/2 on a running server, frame by frame. With other people's clients: test_http2_clients.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import h2.events
import h2.settings
import pytest

from channels import telemetry
from channels.protocols.http2.engine_h2 import H2Engine
from channels.protocols.http2.engine_native import NativeEngine
from channels.server.connection.http2 import HTTP2Handler
from tests.server.helpers import GET as GET_1
from tests.server.helpers import LONG, Recorder, echo, eventually, serve
from tests.support.certificates import make_pair
from tests.support.http2_client import GET, POST, h2_client

RESET, ENDED = h2.events.StreamReset, h2.events.StreamEnded

#: In a GOAWAY: every stream is still taken (RFC 9113 section 6.8).
ANY_STREAM = 2**31 - 1


# Requests


@pytest.mark.usefixtures("both_engines")
async def test_a_handshake_that_a_proxy_has_made_a_request_of_is_served_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A proxy that speaks HTTP/2 to the server has to drop Upgrade (RFC 9113 section 8.2.2)."""
    key = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")]
    before = telemetry.counters["server.upgrade_missing"]
    async with serve(echo) as running, h2_client(running) as client:
        for path in ("/ws/?token=secret", "/ws/?token=secret", "/"):
            stream = await client.request([*GET[:3], (":path", path), *(key if path != "/" else [])])
            assert (await client.response(stream))[0] == 200
    assert telemetry.counters["server.upgrade_missing"] == before + 2
    (told,) = (message for message in caplog.messages if "has arrived as a request for a page" in message)
    assert "handshake for /ws/ has" in told and "secret" not in told and "proxy_http_version 1.1" in told


@pytest.mark.usefixtures("both_engines")
async def test_the_scope(tmp_path: Path) -> None:
    app, pair = Recorder(), make_pair(tmp_path)
    async with (
        serve(app, endpoints=(pair.endpoint,)) as running,
        h2_client(running, pair.client("h2")) as client,
    ):
        stream = await client.request(
            [*GET[:3], (":path", "/a%20b?c=d"), ("cookie", "a=1"), ("cookie", "b=2")]
        )
        run = await app.next()
        scope = run.scope
        assert (scope["http_version"], scope["scheme"], scope["method"]) == ("2", "https", "GET")
        assert (scope["path"], scope["query_string"]) == ("/a b", b"c=d")
        assert scope["headers"] == [(b"host", b"test"), (b"cookie", b"a=1; b=2")]
        assert scope["extensions"]["tls"]["tls_version"] == 0x0304
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        await run.respond(b"body", headers=[(b"Connection", b"close"), (b"X-One", b"1")])
        run.end()
        status, headers, body = await client.response(stream)
        assert (status, body, headers["x-one"], headers["content-length"]) == (200, b"body", "1", "4")
        assert "connection" not in headers
        assert headers["server"] == "daphne"


async def test_what_a_peer_claims_is_no_tls() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        await client.request([GET[0], (":scheme", "https"), *GET[2:]])
        run = await app.next()
        assert run.scope["scheme"] == "http"
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_many_requests_at_the_same_time() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        streams = [await client.request() for _ in range(20)]
        runs = [await app.next() for _ in range(20)]
        for run in reversed(runs):
            await run.respond(str(runs.index(run)).encode())
            run.end()
        for number, stream in enumerate(streams):
            assert (await client.response(stream))[2] == str(number).encode()


UPGRADE_TO_2 = (
    GET_1[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, b"HTTP/1.1 200 "),
        ({"http2_upgrade": True, "http2": False}, b"HTTP/1.1 200 "),
        ({"http2_upgrade": True}, b"HTTP/1.1 101 "),
    ],
)
async def test_an_upgrade_in_clear_text_is_granted_only_when_asked_for(options: Any, line: bytes) -> None:
    async with serve(echo, **options) as running:
        client = await running.connect()
        await client.send(UPGRADE_TO_2)
        assert (await client.until(b"\r\n\r\n")).startswith(line)
        ahead = await running.connect()  # who knows needs no upgrade
        await ahead.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        if options.get("http2", True):
            assert (await ahead.read(9))[3] == 4  # SETTINGS


async def test_http2_can_be_switched_off(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    async with serve(echo, endpoints=(pair.endpoint, "tcp:0:interface=127.0.0.1"), http2=False) as running:
        async with asyncio.timeout(LONG):
            _, writer = await asyncio.open_connection(
                *running.server.addresses[0], ssl=pair.client("h2", "http/1.1")
            )
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.close()
        running.server.addresses.pop(0)
        client = await running.connect()
        await client.send(
            GET_1[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"
        )
        assert (await client.response())[0] == 200


@pytest.mark.usefixtures("both_engines")
async def test_a_violation_ends_the_connection() -> None:
    app = Recorder()
    before = telemetry.counters["server.bad_request"]
    async with serve(app) as running, h2_client(running) as client:
        await client.request(POST, end=False)
        run = await app.next()
        client.writer.write(b"\0\0\1\4\0\0\0\0\0x")
        assert (await client.event(h2.events.ConnectionTerminated)).error_code == 6
        await client.closed()
        assert (await run.receive())["type"] == "http.disconnect"
        run.end()
    assert telemetry.counters["server.bad_request"] == before + 1


@pytest.mark.usefixtures("both_engines")
async def test_stop_completes_what_runs() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request()
        run = await app.next()
        stopping = asyncio.ensure_future(running.server.stop())
        await client.event(h2.events.ConnectionTerminated)
        await run.respond(b"last")
        run.end()
        assert (await client.response(stream))[2] == b"last"
        await client.closed()
        assert client.goodbyes() == [ANY_STREAM, stream]
        await asyncio.wait_for(stopping, LONG)


async def test_a_request_that_crosses_the_first_goodbye_is_served() -> None:
    async with serve(echo, drain_timeout=LONG) as running, h2_client(running) as client:
        client.answering = False
        assert (await client.response(await client.request()))[0] == 200
        stopping = asyncio.ensure_future(running.server.stop())
        await client.event(h2.events.ConnectionTerminated)
        # The second goodbye waits for the answer to a ping, which comes after this request.
        late = await client.request()
        assert (await client.response(late))[0] == 200
        client.writer.write(b"\0\0\x08\x06\x01\0\0\0\0farewell")
        await client.closed()
        assert client.goodbyes() == [ANY_STREAM, late]
        await asyncio.wait_for(stopping, LONG)


async def test_a_peer_that_does_not_answer_the_first_goodbye_gets_the_second_all_the_same() -> None:
    async with serve(echo, drain_timeout=None) as running, h2_client(running) as client:
        client.answering = False
        await client.response(await client.request())
        stopping = asyncio.ensure_future(running.server.stop())
        await client.closed()
        assert client.goodbyes() == [ANY_STREAM, 1]
        await asyncio.wait_for(stopping, LONG)


async def test_an_idle_connection_is_left_with_both_goodbyes() -> None:
    async with serve(echo, keep_alive_timeout=0.1) as running, h2_client(running) as client:
        await client.closed()
        assert client.goodbyes() == [ANY_STREAM, 0]


async def test_a_response_while_the_server_is_about_to_stop_says_goodbye() -> None:
    async with serve(echo) as running, h2_client(running) as client:
        running.runtime.stopping = True
        assert (await client.response(await client.request()))[0] == 200
        await client.closed()
        assert client.goodbyes() == [ANY_STREAM, 1]
        running.runtime.stopping = False


@pytest.mark.parametrize(
    ("name", "kind"), [("auto", NativeEngine), ("native", NativeEngine), ("h2", H2Engine)]
)
async def test_the_engine_is_a_setting(name: str, kind: type) -> None:
    async with serve(echo, http2_engine=name) as running, h2_client(running):
        (connection,) = running.runtime.connections
        await eventually(lambda: isinstance(connection.handler, HTTP2Handler))
        assert type(connection.handler.engine._engine) is kind
