"""HTTP/1.1 over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
from typing import Any

import pytest

from channels import telemetry
from channels.server.in_thread import ServerThread
from tests.server.conftest import Clock
from tests.server.helpers import GET, LONG, UPGRADE, Recorder, asked, echo, eventually, records, serve


async def test_get_is_answered_and_the_connection_kept() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        for path in (b"/one", b"/two"):
            await client.send(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % path)
            status, headers, body = await client.response()
            assert (status, body) == (200, b"")
            assert headers["x-path"] == path.decode()
            assert headers["server"] == "daphne"
            assert headers["date"].endswith("GMT")
            assert headers["content-length"] == "0"
        assert running.server.statistics()["accepted"] == 1
        assert running.server.statistics()["requests"] == 2


@pytest.mark.parametrize("engine", ["zttp", "h11"])
async def test_both_engines_serve(engine: str) -> None:
    async with serve(echo, http1_engine=engine) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc")
        assert (await client.response())[2] == b"abc"


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        paths = [b"/%d" % number for number in range(20)]
        await client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % path for path in paths))
        for path in paths:
            assert (await client.response())[1]["x-path"] == path.decode()


async def test_pipelined_requests_wait_unread_while_one_runs() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(GET)
        first = await app.next()
        client.write(b"GET /%b HTTP/1.1\r\nHost: test\r\n\r\n" % (b"x" * 4000) * 40)
        (connection,) = running.runtime.connections
        await eventually(lambda: connection._paused)
        await first.respond(b"first")
        first.end()
        assert (await client.response())[2] == b"first"
        for _ in range(40):
            run = await app.next()
            await run.respond(b"next")
            run.end()
            assert (await client.response())[2] == b"next"


async def test_chunks_both_ways() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") as (
        run,
        client,
        _,
    ):
        assert await run.receive() == {"type": "http.request", "body": b"abc", "more_body": True}
        await client.send(b"2\r\nde\r\n0\r\n\r\n")
        assert (await run.receive())["body"] == b"de"
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({"type": "http.response.body", "body": b"one", "more_body": True})
        await run.send({"type": "http.response.body", "body": b"two", "more_body": True})
        await run.send({"type": "http.response.body"})
        run.end()
        status, headers, body = await client.response()
        assert (status, headers["transfer-encoding"], body) == (200, "chunked", b"onetwo")


async def test_an_old_peer_gets_its_body_until_the_close() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nabc")


async def test_head_has_no_body() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n" + GET)
        for body in (b"not sent", b"sent"):
            run = await app.next()
            await run.respond(body, headers=[(b"content-length", str(len(body)).encode())])
            run.end()
        head = await client.until(b"\r\n\r\n")
        assert b"content-length: 8" in head
        assert (await client.response())[2] == b"sent"


async def test_continue_is_sent_when_the_application_asks_for_the_body() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        run = await app.next()
        waiting = asyncio.ensure_future(run.receive())
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send(b"abc")
        assert (await waiting)["body"] == b"abc"
        await run.respond()
        run.end()
        assert (await client.response())[0] == 200


async def test_an_application_that_does_not_want_the_body_answers_without_continue() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        run = await app.next()
        await run.respond(status=413)
        run.end()
        assert (await client.rest()).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_nobody_read_does_not_spoil_the_next_request() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc" + GET)
        for _ in range(2):
            run = await app.next()
            await run.respond(b"ok")
            run.end()
            assert (await client.response())[2] == b"ok"


async def test_the_rest_of_an_unwanted_body_is_not_waited_for() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 900000\r\n\r\nabc") as (
        run,
        client,
        _,
    ):
        await run.respond(b"enough", status=403)
        run.end()
        assert (await client.response())[0] == 403
        client.write(b"x" * 100_000)  # what is still under way does not destroy the answer
        assert await client.rest() == b""


async def test_a_large_body_is_read_only_as_fast_as_the_application_takes_it() -> None:
    app = Recorder()
    size = 8_000_000
    async with serve(app, request_buffer_size=50_000) as running:
        client = await running.connect()
        client.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        run = await app.next()
        (stream,) = running.runtime.streams
        (connection,) = running.runtime.connections
        await eventually(lambda: connection._paused)
        assert stream._waiting < 1_000_000
        taken = 0
        while taken < size:
            message = await run.receive()
            assert 0 < len(message["body"]) <= 50_000
            taken += len(message["body"])
        assert message["more_body"] is False
        await run.respond(b"done")
        run.end()
        assert (await client.response())[2] == b"done"


async def test_a_peer_that_leaves_is_noticed() -> None:
    async with asked() as (run, client, _):
        assert (await run.receive())["type"] == "http.request"
        client.reset()
        assert await run.receive() == {"type": "http.disconnect"}
        before = telemetry.counters["server.late_send"]
        await run.respond(b"too late")
        assert telemetry.counters["server.late_send"] == before + 2


async def test_a_peer_that_leaves_within_its_body_is_noticed() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc") as (run, client, _):
        assert (await run.receive())["body"] == b"abc"
        client.writer.write_eof()
        assert await run.receive() == {"type": "http.disconnect"}
        run.end()
        assert await client.rest() == b""


async def test_a_peer_that_only_stops_sending_still_gets_its_answer() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(GET)
        client.writer.write_eof()
        run = await app.next()
        assert (await run.receive())["type"] == "http.request"
        assert await run.receive() == {"type": "http.disconnect"}
        await run.respond(b"still here")
        run.end()
        assert (await client.rest()).endswith(b"still here")


async def test_an_idle_peer_that_leaves_leaves_nothing() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(GET)
        await client.response()
        client.writer.write_eof()
        assert await client.rest() == b""
        await eventually(lambda: not running.runtime.connections)


MALFORMED = {
    b"GARBAGE\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x0bb\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x85b\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 9000): 414,
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70000: 431,
    b"GET / HTTP/3.1\r\nHost: a\r\n\r\n": 505,
    b"\x15\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": 400,
}


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "second"])
@pytest.mark.parametrize("request_bytes", MALFORMED, ids=lambda data: repr(data[:40]))
async def test_malformed_requests_are_refused_without_a_traceback(
    request_bytes: bytes, before: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(before)
        if before:
            assert (await client.response())[0] == 200
        await client.send(request_bytes)
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (MALFORMED[request_bytes], "close")
        assert await client.rest() == b""
    assert records(caplog) == []


@pytest.mark.parametrize("options", [{}, {"http2": False}, {"http1_engine": "h11"}], ids=str)
async def test_tls_to_a_port_in_clear_text_is_told(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(echo, **options) as running:
        host, port = running.server.addresses[0]
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
    (line,) = records(caplog)  # once a minute
    assert line.startswith(f"A client speaks TLS to 127.0.0.1:{port}, which speaks clear text. ")


async def test_malformed_chunks_end_the_request(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") as (run, client, _):
        await client.send(b"nonsense\r\n")
        assert (await client.response())[0] == 400
        assert (await run.receive())["type"] == "http.disconnect"
    assert records(caplog) == []


async def test_a_head_that_drips_is_cut_off() -> None:
    async with serve(echo, head_timeout=0.3, keep_alive_timeout=None) as running:
        client = await running.connect()

        async def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await client.send(b"G")
                    await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        assert (await client.response())[0] == 408
        dripping.cancel()


async def test_a_body_that_stops_is_cut_off() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc", body_timeout=0.3) as (
        run,
        client,
        _,
    ):
        assert (await run.receive())["body"] == b"abc"
        assert (await client.response())[0] == 408
        assert (await run.receive())["type"] == "http.disconnect"


async def test_a_body_that_drips_is_cut_off() -> None:
    before = telemetry.counters["server.slow_sender"]
    async with serve(echo, body_timeout=0.5, body_min_rate=1000) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9000\r\n\r\n")

        async def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await client.send(b"x")
                    await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        assert (await client.response())[0] == 408
        dripping.cancel()
    assert telemetry.counters["server.slow_sender"] == before + 1


async def test_an_idle_connection_is_closed(clock: Clock) -> None:
    async with serve(echo, keep_alive_timeout=10) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200
        clock.advance(10)
        assert await client.rest() == b""


async def test_an_application_that_does_not_answer_in_time_is_answered_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with asked(b"GET /slow?q HTTP/1.1\r\nHost: test\r\n\r\n", http_timeout=0.3) as (run, client, _):
        assert (await client.response())[0] == 503
        assert (await run.receive())["type"] == "http.request"
        assert (await run.receive())["type"] == "http.disconnect"
    (line,) = records(caplog)
    assert "GET /slow" in line
    assert "?q" not in line
    assert "--http-timeout" in line


async def test_a_response_that_stops_half_way_is_visibly_broken() -> None:
    async with asked(http_timeout=0.3) as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({"type": "http.response.body", "body": b"half", "more_body": True})
        answer = await client.rest()
        assert answer.endswith(b"4\r\nhalf\r\n")


async def test_a_handshake_that_is_none_is_refused_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(UPGRADE.replace(b"Version: 13", b"Version: 12"))
        status, headers, _ = await client.response()
        assert (status, headers["sec-websocket-version"]) == (426, "13")
        assert await client.rest() == b""
    (line,) = records(caplog)
    assert "/ws/" in line


async def test_another_upgrade_is_ignored() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await client.response())[0] == 200


def test_curl_uploads_and_downloads(tmp_path: Any) -> None:
    assert shutil.which("curl"), "curl is needed: apt-get install curl"
    upload, download = tmp_path / "up", tmp_path / "down"
    upload.write_bytes(bytes(range(256)) * 10_000)
    with ServerThread(echo, "127.0.0.1") as server:
        command = ["curl", "-sS", "-T", upload, "-o", download, "-w", "%{http_code}", f"{server.url}/file"]
        done = subprocess.run(command, capture_output=True, timeout=LONG, check=True)
    assert done.stdout == b"200"
    assert download.read_bytes() == upload.read_bytes()


def test_a_socket_that_only_connects_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    with ServerThread(echo, "127.0.0.1") as server:
        for _ in range(50):
            socket.create_connection((server.host, server.port)).close()
        server.settle()
    assert records(caplog) == []
