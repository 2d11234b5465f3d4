"""The lines of the access log."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import logging
import re
from typing import Any

import pytest

from channels import telemetry
from channels.server.reports.access_log import FORMATS, AccessLog
from tests.server.helpers import GET, LONG, UPGRADE, Recorder, close_frame, echo, frame, records, serve

HTTP = {"client": "1.2.3.4:5", "path": "/a?b", "method": "GET", "status": 200, "size": 12, "time_taken": 0.5}
WEBSOCKET = {"client": "1.2.3.4:5", "path": "/ws"}


@pytest.mark.parametrize(
    ("protocol", "action", "details", "end"),
    [
        ("http", "complete", HTTP, '"GET /a?b" 200 12\n'),
        ("http", "complete", {**HTTP, "size": 0}, '"GET /a?b" 200 -\n'),
        ("websocket", "connecting", WEBSOCKET, '"WSCONNECTING /ws" - -\n'),
        ("websocket", "connected", WEBSOCKET, '"WSCONNECT /ws" - -\n'),
        ("websocket", "rejected", WEBSOCKET, '"WSREJECT /ws" - -\n'),
        ("websocket", "disconnected", WEBSOCKET, '"WSDISCONNECT /ws" - -\n'),
    ],
)
def test_lines(protocol: str, action: str, details: dict[str, Any], end: str) -> None:
    stream = io.StringIO()
    AccessLog(stream)(protocol, action, details)
    assert stream.getvalue().startswith("1.2.3.4:5 - - [")
    assert stream.getvalue().endswith(end)


@pytest.mark.parametrize(
    ("protocol", "action"), [("websocket", "other"), ("http", "other"), ("x", "complete")]
)
def test_what_has_no_line(protocol: str, action: str) -> None:
    stream = io.StringIO()
    AccessLog(stream)(protocol, action, HTTP)
    assert stream.getvalue() == ""


def test_entries_may_say_more() -> None:
    stream = io.StringIO()
    when = datetime.datetime(2020, 1, 2, 3, 4, 5)
    AccessLog(stream).write_entry(None, when, "request", 200, 5, "ident", "user")
    assert stream.getvalue() == '- ident user [02/Jan/2020:03:04:05] "request" 200 5\n'


def test_a_peer_cannot_end_the_quotes_or_the_line() -> None:
    evil = 'x" 200 1\n1.1.1.1 - - "GET /\x1b[31m\u2028\u202e'
    stream = io.StringIO()
    for format in FORMATS:
        AccessLog(stream, format)("http", "complete", {**HTTP, "client": evil + ":1", "path": "/" + evil})
        AccessLog(stream, format)("websocket", "connected", {**WEBSOCKET, "client": evil, "path": "/" + evil})
    AccessLog(stream).write_entry(evil, datetime.datetime.now(), evil, 200, 5, evil, evil)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 * len(FORMATS) + 1
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert all(line.count('"') == 2 for line in lines[:2])


MORE = {**HTTP, "http_version": "1.1", "referer": 'http://x/"', "user_agent": "cu\\rl\n\x85"}


def test_combined() -> None:
    stream = io.StringIO()
    AccessLog(stream, "combined")("http", "complete", MORE)
    AccessLog(stream, "combined")("websocket", "connected", {**WEBSOCKET, "client": None})
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(
        r'1\.2\.3\.4 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\?b HTTP/1\.1" 200 12 '
        r'"http://x/\\x22" "cu\\x5crl\\x0a\\x85"',
        first,
    )
    assert first.isascii()
    assert second.startswith("- - - [")
    assert second.endswith('"WSCONNECT /ws HTTP/-" - - "-" "-"')


def test_json() -> None:
    stream = io.StringIO()
    AccessLog(stream, "json")("http", "complete", MORE)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert datetime.datetime.fromisoformat(entry.pop("time")).tzinfo is not None
    assert entry == {"protocol": "http", "action": "complete", **MORE}


async def test_the_server_says_what_the_formats_need() -> None:
    stream = io.StringIO()
    async with serve(echo, action_logger=AccessLog(stream, "json")) as running:
        client = await running.connect()
        more = b"Referer: http://x/\r\nUser-Agent: test\r\n\r\n"
        await client.send(GET[:-2] + more)
        assert (await client.response())[0] == 200
        await client.upgrade(UPGRADE[:-2] + more)
        await client.send(close_frame())
        await client.rest()
    request, connecting, connected, disconnected = map(json.loads, stream.getvalue().splitlines())
    assert (request["path"], request["http_version"], request["status"]) == ("/", "1.1", 200)
    for entry in (request, connecting, connected, disconnected):
        assert (entry["referer"], entry["user_agent"]) == ("http://x/", "test")
    assert disconnected["action"] == "disconnected"


SECRETS = b"GET /x?a=1&Token=s3cret&%6bey=s3cret;password[]=s3cret&signature&b=2 HTTP/1.1\r\n"
REFERER = b"Referer: http://x/y?access_token=s3cret&c=3\r\n"


@pytest.mark.parametrize("opening", [GET, UPGRADE])
@pytest.mark.parametrize(
    ("options", "path", "referer"),
    [
        ({}, "/x", "http://x/y"),
        (
            {"access_log_query": True},
            "/x?a=1&Token=***&%6bey=***;password[]=***&signature&b=2",
            "http://x/y?access_token=***&c=3",
        ),
        (
            {"access_log_query": True, "access_log_mask": ("A", "b", "c")},
            "/x?a=***&Token=s3cret&%6bey=s3cret;password[]=s3cret&signature&b=***",
            "http://x/y?access_token=s3cret&c=***",
        ),
    ],
)
async def test_query_strings_are_shown_where_asked_for_and_masked(
    options: Any, path: str, referer: str, opening: bytes
) -> None:
    stream = io.StringIO()
    async with serve(echo, action_logger=AccessLog(stream, "json"), **options) as running:
        client = await running.connect()
        await client.send(SECRETS + REFERER + opening.partition(b"\r\n")[2])
        await client.until(b"\r\n\r\n")
    for entry in map(json.loads, stream.getvalue().splitlines()):
        assert (entry["path"], entry["referer"]) == (path, referer)


async def test_other_lines_hold_no_query_strings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    app, facts = Recorder(), list[Any]()
    detach = telemetry.attach(lambda event, told: facts.append(told))
    target = SECRETS.replace(b"/x?", b'/"x?')

    def of(opening: bytes) -> bytes:
        return target + opening.partition(b"\r\n")[2]

    async with serve(
        app, http_timeout=0.2, websocket_connect_timeout=0.2, application_close_timeout=0.1
    ) as running:
        for opening, ends in [
            (GET, "fail"),
            (GET, "end"),
            (GET, ""),
            (UPGRADE, "fail"),
            (UPGRADE, "end"),
            (UPGRADE, ""),
        ]:
            client = await running.connect()
            await client.send(of(opening))
            run = await app.next()
            if ends == "fail":
                run.fail(RuntimeError("broken"))
            elif ends:
                run.end()
            assert (await client.response())[0] >= 500
            await asyncio.wait_for(run.finished.wait(), LONG)
        client = await running.connect()
        await client.send(of(UPGRADE.replace(b"Version: 13", b"Version: 8")))
        assert (await client.response())[0] == 426
        refused = await running.connect()
        await refused.send(of(UPGRADE))
        run = await app.next()
        await run.receive()
        await run.send({"type": "websocket.close"})
        assert (await refused.response())[0] == 403
        run.end()
    detach()
    assert "GET /%22x" in caplog.text
    assert "WebSocket /%22x was refused with 403" in caplog.text
    assert "WebSocket handshake refused: /%22x: " in caplog.text
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(facts)


class _Broken(io.StringIO):
    """A file that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "traced"), [(OSError(28, "No space left on device"), False), (KeyError("user"), True)]
)
async def test_lines_that_cannot_be_written_are_counted_and_cost_no_request(
    error: Exception, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before = telemetry.counters["server.access_log_failed"]
    async with serve(echo, action_logger=AccessLog(_Broken(error))) as running:
        client = await running.connect()
        await client.send(GET)
        assert (await client.response())[0] == 200
        await client.upgrade()
        await client.send(frame(b"hello"))
        assert await client.message() == (1, b"hello")
        await client.send(close_frame())
        await client.rest()
    assert telemetry.counters["server.access_log_failed"] == before + 4
    (text,) = records(caplog)
    assert "Lines of the access log are lost" in text
    assert ("Traceback" in caplog.text) == traced
