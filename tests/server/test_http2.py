"""HTTP/2 on a running server: by hand, and with the clients that everybody has."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import h2.events
import h2.settings
import httpx
import pytest

from channels import telemetry
from channels.protocols import engines
from channels.protocols.http2_h2 import H2Engine
from channels.protocols.http2_native import NativeEngine
from channels.server.http2 import HTTP2Handler
from channels.server.streams.base import ClientDisconnected
from tests.server.certificates import make_pair
from tests.server.conftest import Clock
from tests.server.helpers import GET as GET_1
from tests.server.helpers import LONG, Recorder, Running, close_frame, echo, eventually, frame, serve
from tests.server.http2_client import CONNECT, GET, POST, h2_client

RESET, ENDED = h2.events.StreamReset, h2.events.StreamEnded

#: In a GOAWAY: every stream is still taken (RFC 9113 section 6.8).
ANY_STREAM = 2**31 - 1


@pytest.fixture(params=["native", "h2"])
def both_engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine passes the same tests; its own are in tests/protocols."""
    monkeypatch.setattr(engines, "DEFAULT_HTTP2_ENGINE", request.param)


async def run_client(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), LONG)
    assert process.returncode == 0, output
    return output.decode()


def url(running: Running, scheme: str = "http") -> str:
    host, port = running.server.addresses[0]
    return f"{scheme}://{host}:{port}/path"


# The clients that everybody has

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
@pytest.mark.parametrize("flag", ["--http2", "--http2-prior-knowledge"])
async def test_curl_in_clear_text(flag: str) -> None:
    async with serve(echo) as running:
        assert (
            "hello2"
            in await run_client(
                "curl", "-sS", flag, "-w", "%{http_version}", "-X", "POST", "-d", "hello", url(running)
            )
            or flag == "--http2"
        )
        assert (
            await run_client("curl", "-sS", flag, "-o", "/dev/null", "-w", "%{http_version}", url(running))
            == "2"
        )


@needs_curl
@pytest.mark.usefixtures("both_engines")
async def test_curl_over_tls(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    command = ["curl", "-sS", "--cacert", str(pair.certificate), "-w", "%{http_version}", "--data-binary"]
    payload = tmp_path / "payload"
    payload.write_bytes(b"x" * 3_000_000)
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        output = await run_client(*command, f"@{payload}", "--http2", url(running, "https"))
        assert output == "x" * 3_000_000 + "2"
        assert (await run_client(*command, "a", "--http1.1", url(running, "https"))) == "a1.1"


@pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp is not installed")
async def test_nghttp() -> None:
    async with serve(echo) as running:
        for more in ([], ["--upgrade"]):
            output = await run_client("nghttp", "-nv", *more, url(running))
            assert ":status: 200" in output
            assert "x-path: /path" in output


async def test_httpx(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    async with (
        serve(echo, endpoints=(pair.endpoint,)) as running,
        httpx.AsyncClient(http2=True, verify=pair.client()) as client,
    ):
        answers = await asyncio.gather(
            *(client.post(url(running, "https"), content=b"%d" % number) for number in range(50))
        )
        assert {answer.http_version for answer in answers} == {"HTTP/2"}
        assert [answer.content for answer in answers] == [b"%d" % number for number in range(50)]


# Requests


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


async def test_a_preface_in_pieces_and_a_connection_that_is_no_http2() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        for piece in (b"P", b"RI * HTTP/2.0\r\n\r\nSM", b"\r\n\r\n"):
            await client.send(piece)
        await client.send(b"\0\0\0\4\0\0\0\0\0")
        assert (await client.read(9))[3] == 4  # SETTINGS
        other = await running.connect()
        for piece in (b"P", GET_1.replace(b"GET", b"OST")):
            await other.send(piece)
        assert (await other.response())[0] == 200
        silent = await running.connect()
        await silent.send(b"PRI")
        silent.writer.write_eof()
        await silent.rest()
        gone = await running.connect()
        gone.writer.write_eof()
        assert await gone.rest() == b""
        (await running.connect()).reset()
        await running.connect()


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
async def test_a_body_waits_for_the_application() -> None:
    app = Recorder()
    async with serve(app, request_buffer_size=1000) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        run = await app.next()
        await client.event(h2.events.WindowUpdated)
        sent = 0
        while room := min(client.h2.local_flow_control_window(stream), 16_384):
            await client.send(stream, b"x" * room)
            sent += room
        assert sent >= 100_000  # all that the window takes, and no more: nobody reads it
        taken = 0
        while taken < sent:
            taken += len((await run.receive())["body"])
        await client.until(lambda event: client.h2.local_flow_control_window(stream) >= 100_000)
        await client.send(stream, b"end", end=True)
        message = await run.receive()
        while message["more_body"]:
            message = await run.receive()
        await run.respond(b"ok")
        assert (await client.response(stream))[2] == b"ok"
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_send_waits_for_a_peer_that_does_not_read() -> None:
    app = Recorder()
    async with serve(app, write_buffer_size=1000) as running, h2_client(running) as client:
        client.acknowledging = False
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": []})
        part = {"type": "http.response.body", "body": b"x" * 50_000, "more_body": True}
        await run.send(part)
        waiting = asyncio.ensure_future(run.send(part))
        await client.body(stream, 65_535)
        assert not waiting.done()
        client.h2.increment_flow_control_window(100_000)
        client.h2.increment_flow_control_window(100_000, stream)
        await client.flush()
        await asyncio.wait_for(waiting, LONG)
        await run.send({"type": "http.response.body", "body": b"end"})
        assert len((await client.response(stream))[2]) == 100_003
        run.end()


@pytest.mark.parametrize("more", [True, False])
async def test_a_peer_that_never_reads_is_cut(more: bool) -> None:
    app = Recorder()
    before = telemetry.counters["server.slow_reader"]
    async with (
        serve(app, write_buffer_size=1000, write_timeout=0.1) as running,
        h2_client(running) as client,
    ):
        client.acknowledging = False
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": []})
        await run.send({"type": "http.response.body", "body": b"x" * 200_000, "more_body": more})
        assert (await client.event(RESET, stream)).error_code == 8
        assert telemetry.counters["server.slow_reader"] == before + 1
        run.end()


@pytest.mark.usefixtures("both_engines")
async def test_a_client_that_gives_up() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)
        run = await app.next()
        client.h2.reset_stream(stream, 8)
        await client.flush()
        assert (await run.receive())["type"] == "http.disconnect"
        await run.respond(b"nobody")
        run.end()
        again = await client.request()
        run = await app.next()
        client.writer.transport.abort()
        assert again
        message = await run.receive()
        while message["type"] != "http.disconnect":
            message = await run.receive()
        run.end()
        await eventually(lambda: not running.runtime.connections)


async def test_what_applications_do_wrong() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream = await client.request()
        (await app.next()).fail(ValueError("wrong"))
        assert (await client.response(stream))[0] == 500
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await run.send({"type": "http.response.body", "body": b"half", "more_body": True})
        run.end()
        assert (await client.event(RESET, stream)).error_code == 2
        stream = await client.request()
        run = await app.next()
        await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        with pytest.raises(ValueError, match="Content-Length"):
            await run.send({"type": "http.response.body", "body": b"more"})
        await client.event(RESET, stream)
        run.end()


async def test_time_limits(clock: Clock) -> None:
    app = Recorder()
    async with serve(app, body_timeout=10, http_timeout=10, keep_alive_timeout=10) as running:
        async with h2_client(running) as client:
            body = await client.request(POST, end=False)
            answer = await client.request()
            await eventually(lambda: len(app.runs) == 2)
            clock.advance(10)
            assert (await client.response(body))[0] == 408
            assert (await client.response(answer))[0] == 503
            clock.advance(10)
            await client.event(h2.events.ConnectionTerminated)
            await client.closed()
        for run in app.runs:
            run.end()


async def test_a_body_that_drips_is_late() -> None:
    async with serve(echo, body_timeout=0.5, body_min_rate=1000) as running, h2_client(running) as client:
        stream = await client.request(POST, end=False)

        async def drip() -> None:
            while True:
                await client.send(stream, b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        assert (await client.response(stream))[0] == 408
        dripping.cancel()


async def test_a_body_that_goes_on_is_in_time_and_100_continue() -> None:
    async with serve(echo) as running, h2_client(running) as client:
        stream = await client.request([*POST, ("expect", "100-continue")], end=False)
        await client.event(h2.events.InformationalResponseReceived, stream)
        await client.send(stream, b"a")
        await client.send(stream, b"b", end=True)
        assert (await client.response(stream))[2] == b"ab"


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


# WebSockets


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


@pytest.mark.parametrize(
    ("name", "kind"), [("auto", NativeEngine), ("native", NativeEngine), ("h2", H2Engine)]
)
async def test_the_engine_is_a_setting(name: str, kind: type) -> None:
    async with serve(echo, http2_engine=name) as running, h2_client(running):
        (connection,) = running.runtime.connections
        await eventually(lambda: isinstance(connection.handler, HTTP2Handler))
        assert type(connection.handler.engine._engine) is kind  # type: ignore[attr-defined]
