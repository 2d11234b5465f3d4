"""The configurations on the page about deployments do what they are there for."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.http1_cases import get
from tests.security.proxies import PROXIES
from tests.security.requests.test_upgrades import SOCKET
from tests.security.way import Way, way
from tests.server.helpers import close_frame, frame
from tests.support.certificates import Pair

HOST = b"Host: localhost"  # Caddy serves no other name


@pytest.fixture(scope="module", params=["direct", *PROXIES])
def open_way(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Way]:
    with tempfile.TemporaryDirectory() as folder, way(request.param, Path(folder), pair) as found:
        yield found


def test_events_arrive_as_they_are_sent(open_way: Way) -> None:
    """HAProxy would hold each for 0.2 s without ``option http-no-delay``."""
    delays = []
    open_way.clear()
    with open_way.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(get(b"Connection: close", line=b"GET /events HTTP/1.1", host=HOST))
        for line in file:
            if line.startswith(b"data: "):
                delays.append(time.monotonic() - float(line[6:]))
    assert len(delays) == 20
    assert statistics.median(delays) < 0.15


def test_a_websocket_carries_messages(open_way: Way) -> None:
    with open_way.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(get(*SOCKET, host=HOST))
        while file.readline() != b"\r\n":
            pass
        sock.sendall(frame(b"hello"))
        assert file.read(7) == b"\x81\x05hello"
        sock.sendall(close_frame(1000))
        assert file.read(4) == b"\x88\x02\x03\xe8"


def test_a_body_goes_through_whole(open_way: Way) -> None:
    body = bytes(range(256)) * 39
    head = get(b"Content-Length: %d" % len(body), b"Connection: close", line=b"POST / HTTP/1.1", host=HOST)
    result = open_way.send(head + body)
    assert [seen.body for seen in result.seen] == [body]


def test_the_client_and_its_scheme_are_known(open_way: Way) -> None:
    """Whatever it says of itself."""
    claims = [b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-Proto: http", b"X-Forwarded-Port: 7"]
    (seen,) = open_way.send(get(*claims, b"Connection: close", host=HOST)).seen
    through = open_way.tap is not None
    assert seen.scope["scheme"] == ("https" if through else "http")
    assert seen.client == "127.0.0.1"
    assert seen.scope["client"][1] != 7


def test_the_proxy_protocol(tmp_path: Path, pair: Pair) -> None:
    """HAProxy says who connects; what a client says in the same words is no request to HAProxy."""
    changes = [("server web unix@", "option http-keep-alive\n    server web unix@")]
    sends = [("tap.sock", "tap.sock send-proxy-v2")]
    with way(
        "haproxy", tmp_path, pair, *changes, *sends, proxy_protocol=True, proxy_address_header=None
    ) as found:
        (seen,) = found.send(get(b"Connection: close", b"X-Forwarded-For: 203.0.113.9")).seen
        assert seen.client == "127.0.0.1"
        spoofed = b"PROXY TCP4 203.0.113.9 203.0.113.8 1 2\r\n" + get(b"Connection: close")
        assert str(found.send(spoofed)) == "stopped 400"
