"""The configurations on the page about deployments do what they are there for."""

from __future__ import annotations

import statistics
import time

from tests.conformance.http1_cases import get, post
from tests.security.test_upgrades import SOCKET
from tests.security.way import Way
from tests.server.helpers import close_frame, frame


def test_events_arrive_as_they_are_sent(open_way: Way) -> None:
    """HAProxy would hold each for 0.2 s without ``option http-no-delay``."""
    delays = []
    open_way.clear()
    with open_way.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(get(b"Connection: close", line=b"GET /events HTTP/1.1"))
        for line in file:
            if line.startswith(b"data: "):
                delays.append(time.monotonic() - float(line[6:]))
    assert len(delays) == 20
    assert statistics.median(delays) < 0.15


def test_a_websocket_carries_messages(open_way: Way) -> None:
    with open_way.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(get(*SOCKET) + frame(b"hello"))
        while file.readline() != b"\r\n":
            pass
        assert file.read(7) == b"\x81\x05hello"
        sock.sendall(close_frame(1000))
        assert file.read(4) == b"\x88\x02\x03\xe8"


def test_a_body_goes_through_whole(open_way: Way) -> None:
    body = bytes(range(256)) * 39
    result = open_way.send(post(b"Content-Length: %d" % len(body), b"Connection: close", body=body))
    assert [seen.body for seen in result.seen] == [body]
