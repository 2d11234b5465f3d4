"""Common mistakes in the proxy's configuration: what holds all the same, and what does not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels import telemetry
from tests.conformance.http1_cases import BEHIND, get
from tests.security.requests.test_upgrades import HTTP2, PREFACE
from tests.security.way import Way, way
from tests.support.certificates import Pair

CLOSE = b"Connection: close"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
Changes = list[tuple[str, str]]

MISTAKES: dict[str, tuple[str, Changes]] = {
    "nginx passes every upgrade on": (
        "nginx",
        [
            ("proxy_set_header Upgrade $upgrade;", "proxy_set_header Upgrade $http_upgrade;"),
            ("Connection $connection_upgrade;", "Connection $http_connection;"),
            (
                "proxy_set_header Daphne",
                "proxy_set_header HTTP2-Settings $http_http2_settings;\nproxy_set_header Daphne",
            ),
        ],
    ),
    "HAProxy passes every upgrade on": (
        "haproxy",
        [("http-request del-header Upgrade unless { req.hdr(Upgrade) -m str -i websocket }", "")],
    ),
    "nginx believes the client's address": (
        "nginx",
        [("X-Forwarded-For $proxy_add_x_forwarded_for;", "X-Forwarded-For $http_x_forwarded_for;")],
    ),
    "nginx sets no address": (
        "nginx",
        [("        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n", "")],
    ),
    "HAProxy appends nothing": ("haproxy", [("http-request set-header X-Forwarded-For %[src]", "")]),
    "nginx keeps underscores": (
        "nginx",
        [("server_name example.org;", "server_name example.org; underscores_in_headers on;")],
    ),
    "nginx resolves the path": ("nginx", [("proxy_pass http://myproject;", "proxy_pass http://myproject/;")]),
    "nginx decodes the path": (
        "nginx",
        [("proxy_pass http://myproject;", "proxy_pass http://myproject$uri;")],
    ),
    "nginx names no host": ("nginx", [("        proxy_set_header Host $host;\n", "")]),
    "nginx hands the client's Host on": ("nginx", [("Host $host;", "Host $http_host;")]),
    "nginx passes the root path on": ("nginx", [('        proxy_set_header Daphne-Root-Path "";\n', "")]),
    "nginx takes Upgrade away": ("nginx", [("        proxy_set_header Upgrade $upgrade;\n", "")]),
    "HAProxy passes the root path on": ("haproxy", [("http-request del-header Daphne-Root-Path", "")]),
}


@dataclass(frozen=True)
class Row:
    """What is sent through which mistake, and what the application then sees."""

    mistake: str
    request: bytes
    outcome: str
    client: str = "127.0.0.1"
    path: str = "/"
    host: str = "a"


def row(
    mistake: str, *fields: bytes, outcome: str = "served /", line: bytes = b"GET / HTTP/1.1", **more: str
) -> Row:
    return Row(mistake, get(*fields, CLOSE, line=line), outcome, **more)


ADDRESS = b"X-Forwarded-For: "
ROWS: dict[str, Row] = {
    # No tunnel, though the proxy would make one.
    "nginx, HTTP/2": Row("nginx passes every upgrade on", get(*HTTP2) + BEHIND, "served / /behind"),
    "nginx, HTTP/2 at once": Row(
        "nginx passes every upgrade on", get(*HTTP2) + PREFACE, "served / stopped 400"
    ),
    "HAProxy, HTTP/2": Row("HAProxy passes every upgrade on", get(*HTTP2) + BEHIND, "served / /behind"),
    "HAProxy, HTTP/2 at once": Row(
        "HAProxy passes every upgrade on", get(*HTTP2) + PREFACE, "served / stopped 400"
    ),
    # What the client says is all that we have: only the proxy can mend that.
    "an address of its own": row(
        "nginx believes the client's address", ADDRESS + b"203.0.113.9", client="203.0.113.9"
    ),
    # But it never counts as somebody who is trusted, or as a word.
    "no address": row("nginx sets no address", client="the socket"),
    "no address from HAProxy": row("HAProxy appends nothing", client="the socket"),
    "the word for the proxy": row(
        "nginx believes the client's address", ADDRESS + b"unix", client="the socket"
    ),
    "a word": row("nginx believes the client's address", ADDRESS + b"<script>", client="the socket"),
    "nothing": row("nginx believes the client's address", ADDRESS, client="the socket"),
    "a name": row("HAProxy appends nothing", ADDRESS + b"localhost", client="the socket"),
    # A name with underscores never becomes the proxy's own header.
    "an address with underscores": row("nginx keeps underscores", b"X_Forwarded_For: 203.0.113.9"),
    "a scheme with underscores": row("nginx keeps underscores", b"X_Forwarded_Proto: http"),
    "a root path with underscores": row("nginx keeps underscores", b"Daphne_Root_Path: /x"),
    # The root path is nobody's to say unless it was asked for.
    "a root path": row("nginx passes the root path on", b"Daphne-Root-Path: /x"),
    "a root path through HAProxy": row("HAProxy passes the root path on", b"Daphne-Root-Path: /x"),
    # The path that arrives is the one that is served, with what it holds.
    "dots": row("nginx resolves the path", line=b"GET /a/../b HTTP/1.1", outcome="served /b", path="/b"),
    "slashes": row(
        "nginx resolves the path", line=b"GET //a///b HTTP/1.1", outcome="served /a/b", path="/a/b"
    ),
    "an encoded slash": row(
        "nginx resolves the path", line=b"GET /a%2fb HTTP/1.1", outcome="served /a/b", path="/a/b"
    ),
    "a space": row("nginx decodes the path", line=b"GET /a%20b HTTP/1.1", outcome="refused 400"),
    # nginx writes what was encoded as a line of its own: nothing behind it can tell. deploy.md warns of $uri.
    "a line of its own": row(
        "nginx decodes the path", line=b"GET /%20HTTP/1.1%0d%0aX-Own:%20x%0d%0aY: HTTP/1.1"
    ),
    # Another host than the one that was asked for: Django's ALLOWED_HOSTS has the last word.
    "the upstream's name": row("nginx names no host", host="myproject"),
    "two hosts": row(
        "nginx hands the client's Host on", line=b"GET http://b/ HTTP/1.1", outcome="served /", host="a"
    ),
}


class Ways(dict[str, Way]):
    """The proxies with their mistakes, each started when it is first asked for."""

    def __init__(self, pair: Pair, stack: ExitStack) -> None:
        self._pair, self._stack = pair, stack

    def __missing__(self, mistake: str) -> Way:
        proxy, changes = MISTAKES[mistake]
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self[mistake] = self._stack.enter_context(way(proxy, folder, self._pair, *changes))
        return self[mistake]


@pytest.fixture(scope="module")
def ways(pair: Pair) -> Iterator[Ways]:
    with ExitStack() as stack:
        yield Ways(pair, stack)


@pytest.mark.parametrize("name", ROWS)
def test_mistake(ways: Ways, name: str) -> None:
    row = ROWS[name]
    found = ways[row.mistake]
    result = found.send(row.request)
    if found.known_version:
        assert str(result) == row.outcome
    for seen in result.seen[:1]:
        assert seen.client == row.client
        assert seen.scope["path"] == row.path
        assert seen.headers["host"] == row.host
        assert seen.scope["root_path"] == ""
        assert seen.scope["scheme"] == "https"
    assert 101 not in [status for status, _ in result.answers]


def test_a_proxy_that_takes_upgrade_away_is_named_with_the_remedy_once(
    ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    found, counted = ways["nginx takes Upgrade away"], telemetry.counters["server.upgrade_missing"]
    fields = (b"Upgrade: websocket", b"Connection: Upgrade, close", b"Sec-WebSocket-Version: 13", KEY)
    for _ in range(2):
        found.clear()
        assert str(found.send(get(*fields, line=b"GET /ws/ HTTP/1.1"))).startswith("served")
    assert telemetry.counters["server.upgrade_missing"] == counted + 2
    told = [message for message in caplog.messages if message.startswith("A WebSocket handshake for /ws/")]
    assert len(told) == 1
    assert "proxy_set_header Upgrade $http_upgrade;" in told[0]
