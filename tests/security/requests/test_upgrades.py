"""Upgrades: a WebSocket is opened where one was asked for, and nothing else turns a proxy into a tunnel."""

from __future__ import annotations

import pytest

from tests.conformance.http1_cases import BEHIND, get, post
from tests.security.way import Way

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
SOCKET = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", KEY]
HTTP2 = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"]
BYE = b"\x88\x80\0\0\0\0"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
BOTH = "served / /behind"

#: What is sent, and what comes of it directly, behind nginx and behind HAProxy.
UPGRADES: dict[str, tuple[bytes, str, str, str]] = {
    "a WebSocket": (get(*SOCKET) + BYE, "served ws:/", "served ws:/", "served ws:/"),
    "a WebSocket in other letters": (
        get(SOCKET[0], b"Upgrade: WebSocket", *SOCKET[2:]) + BYE,
        *("served ws:/", "served ws:/", "served ws:/"),
    ),
    # What follows a handshake that was refused is a request to the proxy: it must be one to us, or nothing.
    "a WebSocket of another version": (
        get(*SOCKET[:2], b"Sec-WebSocket-Version: 8", KEY) + BEHIND,
        *("refused 426", "served /behind refused 426", "served /behind refused 426"),
    ),
    "a WebSocket without a version": (
        get(*SOCKET[:2], KEY) + BEHIND,
        *("refused 426", "served /behind refused 426", "served /behind refused 426"),
    ),
    "a WebSocket without a key": (
        get(*SOCKET[:3]) + BEHIND,
        *("refused 400", "served /behind refused 400", "stopped 400"),
    ),
    "a WebSocket with a key that is none": (
        get(*SOCKET[:3], b"Sec-WebSocket-Key: x") + BEHIND,
        *("refused 400", "served /behind refused 400", "stopped 400"),
    ),
    "a WebSocket by POST": (
        post(*SOCKET, b"Content-Length: 0") + BEHIND,
        *("refused 405", "served /behind refused 405", "served /behind refused 405"),
    ),
    "a WebSocket with a body": (get(*SOCKET, b"Content-Length: 3") + b"abc" + BEHIND, BOTH, BOTH, BOTH),
    "a WebSocket in HTTP/1.0": (  # nginx makes it one of HTTP/1.1
        get(*SOCKET, line=b"GET / HTTP/1.0") + BYE,
        *("refused 400", "served ws:/", "refused 400"),
    ),
    "HTTP/2": (get(*HTTP2) + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2, and speaking it at once": (
        get(*HTTP2) + PREFACE,
        *("served / refused 505", "served / stopped 400", "served / stopped 400"),
    ),
    "HTTP/2 without settings": (get(HTTP2[0], HTTP2[1]) + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2 with Connection: Upgrade alone": (get(SOCKET[0], *HTTP2[1:]) + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2 with a body": (post(*HTTP2, b"Content-Length: 3", body=b"abc") + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2 with an expectation": (
        post(*HTTP2, b"Content-Length: 3", b"Expect: 100-continue", body=b"abc") + BEHIND,
        *(BOTH, BOTH, BOTH),
    ),
    "HTTP/2 by its other name": (get(SOCKET[0], b"Upgrade: h2") + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2 or a WebSocket": (
        get(HTTP2[0], b"Upgrade: h2c, websocket", HTTP2[2], *SOCKET[2:]) + BYE + BEHIND,
        *("served ws:/", "served / stopped 400", "served ws:/"),
    ),
    "TLS": (get(SOCKET[0], b"Upgrade: TLS/1.0, HTTP/1.1") + BEHIND, BOTH, BOTH, BOTH),
    "a protocol nobody knows": (get(SOCKET[0], b"Upgrade: x/1") + BEHIND, BOTH, BOTH, BOTH),
    "HTTP/2 behind a request": (
        get() + PREFACE,
        *("served / refused 505", "served / stopped 400", "served / stopped 400"),
    ),
}


@pytest.mark.parametrize("name", UPGRADES)
def test_upgrade(open_way: Way, name: str) -> None:
    request, *columns = UPGRADES[name]
    result = open_way.send(request)
    if open_way.known_version:
        assert str(result) == columns[["direct", "nginx", "haproxy"].index(open_way.name)]
    sockets = [seen for seen in result.seen if seen.scope["type"] == "websocket"]
    assert [status for status, _ in result.answers].count(101) == len(sockets)
    assert b"h2c" not in result.passed.lower().replace(b"h2c, websocket", b"")  # the proxy took it out
