"""Lines of the log: whatever a client writes, one request is one line, and no line shows a secret."""

from __future__ import annotations

import io
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.server.reports.access_log import FORMATS, AccessLog
from tests.conformance.http1_cases import get
from tests.security.way import Way, way
from tests.support.certificates import Pair

CLOSE = b"Connection: close"
SECRET = b"s3cr3t"
#: What is sent, and whether an application answers it: nginx and HAProxy stop some, we refuse the rest.
LINES: dict[str, tuple[bytes, bool]] = {
    "a line break in the path": (get(CLOSE, line=b"GET /a%0d%0ab HTTP/1.1"), True),
    "quotation marks in the path": (get(CLOSE, line=b'GET /"%20200%205%20"x HTTP/1.1'), True),
    "a backslash at the end": (get(CLOSE, line=b"GET /\\ HTTP/1.1"), True),
    "quotation marks in a name": (get(CLOSE, b'User-Agent: x" 200 5 "y'), True),
    "a terminal's sequence in a name": (get(CLOSE, b"User-Agent: \x9b31m\x9d"), True),
    "a tab in a name": (get(CLOSE, b"User-Agent: a\tb"), True),
    "a reference with a secret": (get(CLOSE, b"Referer: https://a/?token=" + SECRET), True),
    "an address with quotation marks": (get(CLOSE, b'X-Forwarded-For: 203.0.113.9" 200 5 "'), True),
    "a secret in the query": (get(CLOSE, line=b"GET /?token=%b HTTP/1.1" % SECRET), True),
    "a secret under an encoded name": (get(CLOSE, line=b"GET /?%%74oken=%b HTTP/1.1" % SECRET), True),
    "a secret in a request that is refused": (
        get(CLOSE, line=b"GET /?token=%b HTTP/1.1" % SECRET, host=b"Host: a b"),
        False,
    ),
    "a secret in a target that is too long": (
        get(CLOSE, line=b"GET /?token=%b%b HTTP/1.1" % (SECRET, b"a" * 8200)),
        False,
    ),
    "a secret behind a line break": (get(CLOSE, line=b"GET /?token=\x0b%b HTTP/1.1" % SECRET), False),
    "an escape in a header": (get(CLOSE, b"User-Agent: \x1b[31m"), False),
}
SHAPES = {
    "daphne": re.compile(r'\S+ \S+ \S+ \[[^]]+\] "[^"]*" \d{3} \S+\n'),
    "combined": re.compile(r'\S+ - - \[[^]]+\] "[^"]*" \d{3} \S+ "[^"]*" "[^"]*"\n'),
}


class Logs:
    """The access log in all its formats at once."""

    def __init__(self) -> None:
        self.streams = {name: io.StringIO() for name in FORMATS}
        self.logs = [AccessLog(stream, name) for name, stream in self.streams.items()]

    def __call__(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        for log in self.logs:
            log(protocol, action, details)

    def take(self) -> dict[str, str]:
        """What was written since the last time."""
        texts = {name: stream.getvalue() for name, stream in self.streams.items()}
        for stream in self.streams.values():
            stream.seek(0)
            stream.truncate()
        return texts


@pytest.fixture(scope="module", params=["direct", "nginx", "haproxy"])
def logged(request: pytest.FixtureRequest, pair: Pair) -> Iterator[tuple[Way, Logs]]:
    logs, name = Logs(), request.param
    options: dict[str, Any] = {"action_logger": logs, "access_log_query": True}
    with tempfile.TemporaryDirectory() as folder, way(name, Path(folder), pair, **options) as found:
        yield found, logs


@pytest.mark.parametrize("name", LINES)
def test_lines(logged: tuple[Way, Logs], name: str, caplog: pytest.LogCaptureFixture) -> None:
    found, logs = logged
    request, answered = LINES[name]
    logs.take()
    with caplog.at_level(logging.DEBUG, "channels.server"):
        result = found.send(request)
    assert len(result.seen) == answered
    texts = logs.take()
    if answered:
        assert SHAPES["daphne"].fullmatch(texts["daphne"])
        assert SHAPES["combined"].fullmatch(texts["combined"])
        assert json.loads(texts["json"])["status"] == 200
    messages = [record.getMessage() for record in caplog.records if record.name == "channels.server"]
    for line in [*texts.values(), *messages]:
        assert SECRET.decode() not in line
        assert line.removesuffix("\n").isprintable(), line
