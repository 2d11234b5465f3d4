"""The HTTP stream between the protocol and the application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.server.asgi.response import checked_headers
from channels.typing import PUSH_EXTENSION
from tests.server.conftest import Clock
from tests.server.helpers import LONG, Recorder, asked, echo, eventually, records, serve
from tests.support.http2_client import POST, h2_client


async def test_the_push_source_of_a_request() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\n") as (run, client, _):
        source = run.scope["extensions"][PUSH_EXTENSION]
        assert source.receive == run._receive
        assert source.receive_nowait() is None
        woken = asyncio.Event()
        source.set_wakeup(woken.set)
        await client.send(b"abcdef")
        await asyncio.wait_for(woken.wait(), LONG)
        assert source.receive_nowait() == {"type": "http.request", "body": b"abcdef", "more_body": False}
        assert source.receive_nowait() is None
        await run.respond()
        assert source.receive_nowait() == {"type": "http.disconnect"}


async def test_the_body_comes_in_parts_of_the_wanted_size() -> None:
    async with asked(
        b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nabcdefghijk", request_buffer_size=4
    ) as (run, _, _):
        parts = [await run.receive() for _ in range(3)]
        assert [part["body"] for part in parts] == [b"abcd", b"efgh", b"ijk"]
        assert [part["more_body"] for part in parts] == [True, True, False]
        await run.respond()


async def test_small_chunks_are_joined() -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500
        )
        run = await app.next()
        source = run.scope["extensions"][PUSH_EXTENSION]
        await eventually(lambda: source._waiting == 500)
        await client.send(b"0\r\n\r\n")
        await eventually(lambda: source._body_ended)
        assert await run.receive() == {"type": "http.request", "body": b"x" * 500, "more_body": False}
        await run.respond()
        run.end()


async def test_a_body_that_ends_after_its_last_part_was_taken() -> None:
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n") as (
        run,
        client,
        _,
    ):
        assert (await run.receive())["more_body"] is True
        await client.send(b"0\r\n\r\n")
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        await run.respond()
        assert await run.receive() == {"type": "http.disconnect"}


#: In Daphne's words.
NO_NAME = "^Header name 'a' expected to be `bytes`, but got `<class 'str'>`$"
NO_VALUE = "^Header value 'b' expected to be `bytes`, but got `<class 'str'>`$"
MISTAKES: list[tuple[list[dict[str, Any]], type[Exception], str]] = [
    ([{"type": "http.response.body", "body": b"x"}], ValueError, "has not been started"),
    ([{"type": "http.response.start"}], ValueError, "needs a status"),
    ([{"type": "http.response.start", "status": 42}], ValueError, "from 200 to 999"),
    ([{"type": "http.response.start", "status": "200"}], ValueError, "from 200 to 999"),
    ([{"type": "http.response.start", "status": 200}] * 2, ValueError, "already"),
    ([{"type": "http.response.start", "status": 200, "headers": [("a", b"b")]}], TypeError, NO_NAME),
    ([{"type": "http.response.start", "status": 200, "headers": [(b"a", "b")]}], ValueError, NO_VALUE),
    ([{"type": "http.response.start", "status": 200, "headers": [b"a"]}], TypeError, "pairs"),
    (
        [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": "text"}],
        TypeError,
        "got str",
    ),
    ([{"type": "websocket.accept"}], ValueError, "Cannot handle message type websocket.accept!"),
    (
        [
            {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]},
            {"type": "http.response.body"},
        ],
        ValueError,
        "header",
    ),
]


@pytest.mark.parametrize("error", [ValueError, TypeError])
@pytest.mark.parametrize(
    ("header", "text"),
    [
        (("a", b"b"), NO_NAME),
        ((b"a", "b"), NO_VALUE),
        ((b"a", True), "^Header value 'True' expected to be `bytes`, but got `<class 'bool'>`$"),
        ((b"set-cookie", "a=secret"), "^Header value '…' expected to be `bytes`, but got `<class 'str'>`$"),
        ((b"a", b"b", b"c"), "pairs"),
    ],
)
def test_headers_that_are_no_bytes_are_both_kinds_of_error(
    header: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        checked_headers([(b"x", b"y"), header])


@pytest.mark.parametrize(("messages", "error", "text"), MISTAKES)
async def test_mistakes_of_the_application_are_told_to_it_and_answered_with_500(
    messages: list[dict[str, Any]], error: type[Exception], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked() as (run, client, _):
        for message in messages[:-1]:
            await run.send(message)
        with pytest.raises(error, match=text) as caught:
            await run.send(messages[-1])
        run.fail(caught.value)
        assert (await client.response())[0] == 500
        assert await client.rest() == b""
    assert len(records(caplog)) == 1
    assert "Traceback" in caplog.text


async def test_a_body_after_the_end_is_a_mistake() -> None:
    async with asked() as (run, client, _):
        await run.respond(b"whole")
        with pytest.raises(ValueError, match="complete"):
            await run.send({"type": "http.response.body", "body": b"more"})
        run.end()
        assert (await client.response())[2] == b"whole"


async def test_what_is_beyond_the_length_is_left_out_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with asked() as (run, client, _):
        headers = [(b"content-length", b"5")]
        await run.send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in (b"too", b" long", b" by far"):
            await run.send({"type": "http.response.body", "body": part, "more_body": True})
        await run.send({"type": "http.response.body", "body": b"!"})
        run.end()
        assert (await client.response())[2] == b"too l"
    (record,) = records(caplog)
    assert "longer than its Content-Length" in record
    assert "GET /" in record


async def test_a_whole_body_beyond_its_length_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with asked() as (run, client, _):
        await run.respond(b"too long", headers=[(b"content-length", b"3")])
        run.end()
        assert (await client.response())[2] == b"too"
    assert len(records(caplog)) == 1


async def test_a_body_short_of_its_length_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with asked() as (run, client, _):
        with pytest.raises(ValueError, match="short of its Content-Length") as caught:
            await run.respond(b"half", headers=[(b"content-length", b"8")])
        run.fail(caught.value)
        assert (await client.rest()).endswith(b"\r\n\r\nhalf")
    assert len(records(caplog)) == 1


async def test_an_exception_is_logged_once_with_its_notes(caplog: pytest.LogCaptureFixture) -> None:
    app = Recorder()
    async with serve(app) as running:
        client = await running.connect()
        await client.send(b"GET /broken?x HTTP/1.1\r\nHost: test\r\n\r\n")
        error = RuntimeError("broken view")
        error.add_note("user: anna")
        (await app.next()).fail(error)
        assert (await client.response())[0] == 500
    assert records(caplog) == ["The application failed: GET /broken"]
    assert "user: anna" in caplog.text


async def test_an_exception_in_the_middle_breaks_the_response_off(caplog: pytest.LogCaptureFixture) -> None:
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({"type": "http.response.body", "body": b"half", "more_body": True})
        run.fail(RuntimeError("broken view"))
        assert (await client.rest()).endswith(b"4\r\nhalf\r\n")
    assert len(records(caplog)) == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_returning_without_a_whole_response_is_a_mistake(
    begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200})
        if begun:
            await run.send({"type": "http.response.body", "body": b"half", "more_body": True})
        run.end()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 " if begun else b"HTTP/1.1 500 ")
    (line,) = records(caplog)
    assert ("in the middle" if begun else "without a response") in line


async def test_work_after_the_response_is_not_disturbed(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(application_close_timeout=10) as (run, client, running):
        await run.respond(b"done")
        assert (await client.response())[2] == b"done"
        await client.close()
        await eventually(lambda: not running.runtime.connections)
        clock.advance(20)
        await asyncio.sleep(0)
        assert not run.finished.is_set()
    assert records(caplog) == []


async def test_an_application_that_goes_on_for_nobody_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(application_close_timeout=0.2) as (run, client, running):
        client.reset()
        await asyncio.wait_for(run.finished.wait(), LONG)
        await eventually(lambda: not running.runtime.streams)
    (line,) = records(caplog)
    assert "GET /" in line
    assert "Recorder.__call__" in line


async def test_send_waits_while_the_peer_does_not_read() -> None:
    async with asked(write_buffer_size=10_000) as (run, client, running):
        await run.send({"type": "http.response.start", "status": 200})
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < 300:
                sent += 1
                await run.send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await run.send({"type": "http.response.body"})

        flooding = asyncio.ensure_future(flood())
        await eventually(lambda: next(iter(running.runtime.connections)).congested)
        assert sent < 300
        _, _, body = await client.response()
        assert len(body) == 30_000_000
        await flooding


async def test_the_access_log_line() -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    async with asked(
        b"GET /path?query HTTP/1.1\r\nHost: test\r\n\r\n",
        action_logger=lambda *line: lines.append(line),
        access_log_query=True,
    ) as (run, client, _):
        await run.respond(b"12345", status=201)
        run.end()
        await client.response()
    ((protocol, action, details),) = lines
    assert (protocol, action) == ("http", "complete")
    assert details.pop("time_taken") >= 0
    assert details.pop("client").startswith("127.0.0.1:")
    told = {"http_version": "1.1", "referer": None, "user_agent": None}
    assert details == {"path": "/path?query", "method": "GET", "status": 201, "size": 5, **told}


@pytest.mark.parametrize(
    "sent", [b"", b"x" * 11, b"x" * 100_000], ids=["nothing", "all of it", "more than is read at once"]
)
@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"], ids=["", "expect"])
@pytest.mark.parametrize("engine", ["zttp", "h11"])
async def test_a_length_beyond_the_limit_is_refused_with_its_head(
    engine: Any, expects: bytes, sent: bytes
) -> None:
    app, before = Recorder(), telemetry.counters["server.bad_request"]
    lines: list[tuple[str, str, dict[str, Any]]] = []
    options = {"max_body_size": 10, "http1_engine": engine, "action_logger": lambda *line: lines.append(line)}
    async with serve(app, **options) as running:
        client = await running.connect()
        head = b"POST /up HTTP/1.1\r\nHost: test\r\n%bContent-Length: %d\r\n\r\n"
        await client.send(head % (expects, max(11, len(sent))) + sent)
        status, headers, text = await client.response()
        assert (status, headers["connection"], b"may have 10 bytes" in text) == (413, "close", True)
        assert await client.rest() == b""
        await client.close()
        await eventually(lambda: not running.runtime.connections)
        assert (app.runs, running.runtime.requests) == ([], 0)
    ((_, _, details),) = lines
    assert (details["path"], details["status"], details["size"]) == ("/up", 413, len(text))
    assert telemetry.counters["server.bad_request"] == before + 1


@pytest.mark.usefixtures("both_engines")
@pytest.mark.parametrize("expects", [[], [("expect", "100-continue")]], ids=["", "expect"])
async def test_a_length_beyond_the_limit_is_refused_with_its_head_over_http2(expects: Any) -> None:
    app = Recorder()
    async with serve(app, max_body_size=10) as running, h2_client(running) as client:
        stream_id = await client.request([*POST, ("content-length", "11"), *expects], end=False)
        await client.send(stream_id, b"x" * 11)
        assert (await client.head(stream_id))[":status"] == "413"
        fits = await client.request([*POST, ("content-length", "10")], end=False)
        await client.send(fits, b"x" * 10, end=True)
        run = await app.next()  # the other streams of the connection go on
        assert (await run.receive())["body"] == b"x" * 10
        await run.respond(b"fits")
        run.end()
        assert (await client.response(fits))[2] == b"fits"
        assert len(app.runs) == 1


@pytest.mark.parametrize("body", [b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nxxxxx\r\n" * 3])
async def test_a_body_that_is_too_large_is_413(body: bytes) -> None:
    before = telemetry.counters["server.bad_request"]
    async with asked(b"POST / HTTP/1.1\r\nHost: test\r\n" + body, max_body_size=10) as (run, client, _):
        status, headers, text = await client.response()
        assert (status, headers["connection"], b"may have 10 bytes" in text) == (413, "close", True)
        assert await run.receive() == {"type": "http.disconnect"}
    assert telemetry.counters["server.bad_request"] == before + 1


async def test_a_body_that_is_too_large_over_http2() -> None:
    app = Recorder()
    async with serve(app, max_body_size=10) as running, h2_client(running) as client:
        stream_id = await client.request(POST, end=False)
        run = await app.next()
        await client.send(stream_id, b"x" * 10)
        assert (await run.receive())["body"] == b"x" * 10
        await client.send(stream_id, b"x")
        assert (await client.head(stream_id))[":status"] == "413"
        assert await run.receive() == {"type": "http.disconnect"}
        run.end()


async def test_a_body_of_the_largest_size() -> None:
    async with serve(echo, max_body_size=10) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n0123456789")
        assert (await client.response())[2] == b"0123456789"


@pytest.mark.parametrize("begun", [True, False])
async def test_who_returns_because_its_client_left_made_no_mistake(
    begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked() as (run, client, _):
        await run.receive()
        if begun:
            await run.send({"type": "http.response.start", "status": 200})
            await run.send({"type": "http.response.body", "body": b"x", "more_body": True})
        client.writer.write_eof()
        assert await run.receive() == {"type": "http.disconnect"}
        run.end()
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
    assert records(caplog) == []


async def test_over_http2_too_it_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"too", "more_body": True})
        await send({"type": "http.response.body", "body": b" long"})

    async with serve(app) as running, h2_client(running) as client:
        _, headers, body = await client.response(await client.request())
    assert (headers["content-length"], body) == ("5", b"too l")
    assert len(records(caplog)) == 1
