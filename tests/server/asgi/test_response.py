"""Headers that the server adds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h2.events
import pytest

from channels import telemetry
from tests.server.helpers import GET, Client, Recorder, Run, asked, records, serve
from tests.support.http2_client import GET as GET2
from tests.support.http2_client import h2_client

TE = GET[:-2] + b"TE: trailers\r\n\r\n"
TRAILERS = "http.response.trailers"
HINT: dict[str, Any] = {
    "type": "http.response.early_hint",
    "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"],
}


async def answer(headers: Any, body: bytes = b"x", status: int = 200, **options: Any) -> dict[str, str]:
    async with asked(**options) as (run, client, _):
        await run.respond(body, status=status, headers=headers)
        run.end()
        head = (await client.until(b"\r\n\r\n")).decode()
        return dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])


async def test_own_headers_stand_back_for_the_applications() -> None:
    found = await answer([(b"Date", b"never"), (b"Server", b"mine"), (b"Content-Length", b"1")])
    assert found == {"Date": "never", "Server": "mine", "Content-Length": "1"}


@pytest.mark.parametrize(("name", "expected"), [("", None), ("other", "other")])
async def test_server_name(name: str, expected: str | None) -> None:
    assert (await answer([], server_name=name)).get("server") == expected


async def test_the_length_is_known_when_the_body_is_whole() -> None:
    assert (await answer([], b"12345"))["content-length"] == "5"


async def test_transfer_encoding_is_left_to_the_server() -> None:
    found = await answer([(b"transfer-encoding", b"chunked")])
    assert found["transfer-encoding"] == "chunked"
    assert "content-length" not in found


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(status: int) -> None:
    found = await answer([], b"", status)
    assert "content-length" not in found
    assert "transfer-encoding" not in found


@pytest.mark.parametrize("body", [None, bytearray(b"abc"), memoryview(b"abc")])
async def test_bodies_that_are_nearly_bytes(body: Any) -> None:
    assert (await answer([], body))["content-length"] == ("0" if body is None else "3")


async def test_headers_may_be_lists_and_may_be_none() -> None:
    assert (await answer([[b"x-one", b"1"]]))["x-one"] == "1"
    assert "date" in await answer(None)


async def begin(run: Run, headers: Any = (), body: bytes = b"body", status: int = 200) -> None:
    """A whole body, with trailers to come."""
    await run.send({"type": "http.response.start", "status": status, "headers": headers, "trailers": True})
    await run.send({"type": "http.response.body", "body": body})


async def trail(run: Run, *headers: tuple[bytes, bytes], **more: Any) -> None:
    await run.send({"type": TRAILERS, "headers": headers, **more})


async def chunked(client: Client) -> bytes:
    """What stands behind the head of a response in chunks."""
    assert b"transfer-encoding: chunked\r\n" in await client.until(b"\r\n\r\n")
    return await client.until(b"\r\n\r\n")


async def test_trailers_over_http1() -> None:
    async with asked(TE) as (run, client, _):
        assert run.scope["extensions"][TRAILERS] == {}
        await begin(run, [(b"trailer", b"x-sum")])
        await trail(run, (b"x-sum", b"1"), more_trailers=True)
        await trail(run, (b"x-other", b"2"))
        assert await chunked(client) == b"4\r\nbody\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n"
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        assert await run.receive() == {"type": "http.disconnect"}
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.response())[0] == 400  # the connection went on


async def test_trailers_over_http2() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream_id = await client.request([*GET2, ("te", "trailers")])
        run = await app.next()
        await begin(run, [(b"content-length", b"4")])
        await trail(run, (b"grpc-status", b"0"))
        assert (await client.response(stream_id))[2] == b"body"
        event = await client.event(h2.events.TrailersReceived, stream_id)
        assert dict(event.headers) == {"grpc-status": "0"}
        run.end()


@pytest.mark.parametrize(
    ("request_head", "told"),
    [
        (GET, False),
        (GET[:-2] + b"TE: deflate\r\n\r\n", False),
        (GET[:-2] + b"TE: deflate;q=0.5, Trailers\r\n\r\n", True),
        (TE.replace(b"1.1", b"1.0"), False),
    ],
)
async def test_trailers_are_for_who_wants_them(request_head: bytes, told: bool) -> None:
    before = telemetry.counters["server.trailers_dropped"]
    async with asked(request_head) as (run, client, _):
        assert (TRAILERS in run.scope["extensions"]) is told
        await begin(run)
        await trail(run, (b"x-sum", b"1"))
        await client.until(b"body")
        if b"1.1" in request_head:
            end = b"x-sum: 1\r\n\r\n" if told else b"0\r\n\r\n"
            assert (await client.until(b"\r\n\r\n")).endswith(end)
    assert telemetry.counters["server.trailers_dropped"] == before + (not told)


async def test_trailers_where_nothing_can_carry_them() -> None:
    before = telemetry.counters["protocols.trailers_dropped"]
    async with asked(TE) as (run, client, _):
        await begin(run, [(b"content-length", b"4")])
        await trail(run, (b"x-sum", b"1"))
        assert (await client.response())[2] == b"body"
    assert telemetry.counters["protocols.trailers_dropped"] == before + 1


@pytest.mark.parametrize(
    ("headers", "error", "text"),
    [
        ([(b"Content-Length", b"1")], ValueError, "cannot be a trailer"),
        ([(b"set-cookie", b"a=b")], ValueError, "cannot be a trailer"),
        ([("x-sum", b"1")], TypeError, "bytes"),
        ([(b"x-sum", b"1\r\nx: y")], ValueError, "CR, LF or NUL"),
    ],
)
async def test_what_cannot_be_a_trailer(headers: Any, error: type[Exception], text: str) -> None:
    async with asked(TE) as (run, client, _):
        await begin(run)
        with pytest.raises(error, match=text) as caught:
            await trail(run, *headers)
        run.fail(caught.value)
        assert not (await client.rest()).endswith(b"0\r\n\r\n")


async def test_what_cannot_be_a_trailer_of_http2() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream_id = await client.request([*GET2, ("te", "trailers")])
        run = await app.next()
        await begin(run)
        with pytest.raises(ValueError, match="header") as caught:
            await trail(run, (b"x-sum", b"1\r\nx: y"))
        run.fail(caught.value)
        await client.event(h2.events.StreamReset, stream_id)


async def test_trailers_out_of_turn() -> None:
    async with asked(TE) as (run, client, _):
        with pytest.raises(ValueError, match="out of turn"):
            await trail(run)
        await begin(run)
        with pytest.raises(ValueError, match="only trailers may follow"):
            await run.send({"type": "http.response.body"})
        await trail(run)
        with pytest.raises(ValueError, match="out of turn"):
            await trail(run)
        assert await chunked(client) == b"4\r\nbody\r\n0\r\n\r\n"


async def test_trailers_that_do_not_come_break_the_response_off(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(TE) as (run, client, _):
        await begin(run)
        run.end()
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
    assert "in the middle of its response" in records(caplog)[0]


async def test_an_application_that_fails_before_its_body_owes_no_trailers() -> None:
    async with asked(TE) as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200, "trailers": True})
        run.fail(RuntimeError("oh"))
        assert (await client.response())[0] == 500


async def test_early_hints_over_http1() -> None:
    async with asked() as (run, client, _):
        await run.send(HINT)
        hints = await client.until(b"\r\n\r\n")
        assert hints == (
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n"
        )
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({**HINT, "links": [b"</c.css>"]})
        await run.send({**HINT, "links": []})
        await run.send({"type": "http.response.body", "body": b"x"})
        assert b"link: </c.css>" in await client.until(b"\r\n\r\n")
        assert (await client.response())[2] == b"x"


async def test_early_hints_over_http2() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream_id = await client.request()
        run = await app.next()
        await run.send(HINT)
        event = await client.event(h2.events.InformationalResponseReceived, stream_id)
        assert event.headers[0] == (":status", "103")
        assert [value for name, value in event.headers if name == "link"] == [
            link.decode() for link in HINT["links"]
        ]
        await run.respond(b"x")
        assert (await client.response(stream_id))[2] == b"x"
        run.end()


async def test_early_hints_behind_the_head_are_too_late() -> None:
    before = telemetry.counters["server.late_hint"]
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200})
        await run.send({"type": "http.response.body", "body": b"x", "more_body": True})
        await run.send(HINT)
        await run.send({"type": "http.response.body"})
        assert (await client.response())[2] == b"x"
    assert telemetry.counters["server.late_hint"] == before + 1


async def test_http_1_0_knows_no_early_hints() -> None:
    async with asked(GET.replace(b"1.1", b"1.0")) as (run, client, _):
        assert "http.response.early_hint" not in run.scope["extensions"]
        await run.send(HINT)
        await run.respond(b"x")
        assert (await client.rest()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("link", "error"), [("</a.css>", TypeError), (b"a\r\nb: c", ValueError)])
async def test_what_cannot_be_a_link(link: Any, error: type[Exception]) -> None:
    async with asked() as (run, client, _):
        with pytest.raises(error):
            await run.send({**HINT, "links": [link]})
        await run.respond(b"x")
        assert (await client.response())[2] == b"x"


# What is wrong, and what is left out

START: dict[str, Any] = {"type": "http.response.start", "status": 200}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"abc"}
LENGTH_2 = [(b"content-length", b"2")]


@pytest.mark.parametrize(
    ("messages", "error", "text"),
    [
        ([START, START], ValueError, "started already"),
        ([{"type": "http.response.start"}], ValueError, "it has none"),
        ([{**START, "status": 101}], ValueError, "got 101"),
        ([{**START, "status": "200"}], ValueError, "got '200'"),
        ([BODY], ValueError, "body came, but"),
        ([START, BODY, BODY], ValueError, "body came, but"),
        ([START, {**BODY, "body": "text"}], TypeError, "got str"),
        ([{**START, "headers": [b"abc"]}], ValueError, "Headers are pairs"),
        ([{**START, "headers": [("a", b"b")]}], ValueError, "Header name 'a' expected to be `bytes`"),
    ],
)
async def test_messages_that_are_none(
    messages: list[dict[str, Any]], error: type[Exception], text: str
) -> None:
    async with asked() as (run, _, _):
        for message in messages[:-1]:
            await run.send(message)
        with pytest.raises(error, match=text):
            await run.send(messages[-1])


@pytest.mark.parametrize("parts", [[b"abc"], [b"a", b"bc", b"d"]])
async def test_what_goes_beyond_the_length_is_left_out_counted_and_logged_once(
    parts: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    detach = telemetry.attach(lambda event, facts: told.append(event))
    async with asked() as (run, client, _):
        await run.send({**START, "headers": LENGTH_2})
        for part in parts[:-1]:
            await run.send({**BODY, "body": part, "more_body": True})
        await run.send({**BODY, "body": parts[-1]})
        assert (await client.response())[2] == b"".join(parts)[:2]
    detach()
    assert told.count("server.body_cut") == 1
    assert "longer than its Content-Length" in records(caplog)[0]


async def test_a_server_that_stops_says_that_it_closes() -> None:
    async with asked() as (run, client, running):
        running.runtime.stopping = True
        await run.respond(b"abc")
        assert (await client.response())[1]["connection"] == "close"
        running.runtime.stopping = False


async def test_what_has_begun_to_answer_cannot_be_refused_and_is_broken_off() -> None:
    async with asked() as (run, client, _):
        await run.send(START)
        await run.send({**BODY, "more_body": True})
        run.fail(ValueError("on purpose"))
        assert b"0\r\n\r\n" not in await client.rest()


# Files


@pytest.mark.parametrize(
    ("method", "headers", "length", "body"),
    [
        (b"GET", [], "10", b"0123456789"),
        (b"GET", LENGTH_2, "2", b"01"),
        (b"HEAD", [], "10", b""),
    ],
)
async def test_a_file_has_its_length_and_no_more_than_was_promised(
    tmp_path: Path, method: bytes, headers: Any, length: str, body: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    request = GET.replace(b"GET", method).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with asked(request) as (run, client, _):
        await run.send({**START, "headers": headers})
        await run.send({"type": "http.response.pathsend", "path": str(path)})
        head, _, rest = (await client.rest()).partition(b"\r\n\r\n")
    assert f"content-length: {length}".encode() in head.lower()
    assert rest == body


async def test_a_file_that_is_shorter_than_was_promised_is_an_error_while_it_can_be_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0")
    async with asked() as (run, client, _):
        await run.send({**START, "headers": LENGTH_2})
        with pytest.raises(ValueError, match="the file has 1 bytes"):
            await run.send({"type": "http.response.pathsend", "path": str(path)})
        run.fail(ValueError("on purpose"))
        assert (await client.response())[0] == 500


async def test_files_are_parts_of_a_body(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    async with asked() as (run, client, _):
        await run.send(START)
        with path.open("rb") as file:
            part = {"type": "http.response.zerocopysend", "file": file.fileno(), "count": 4}
            await run.send({**part, "more_body": True})
            await run.send({**part, "more_body": False})
        assert (await client.response())[2] == b"01234567"
        with pytest.raises(ValueError, match="pathsend came, but"):
            await run.send({"type": "http.response.pathsend", "path": str(path)})
