"""The lines of the access log."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest

from channels.server.access import AccessLog

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
