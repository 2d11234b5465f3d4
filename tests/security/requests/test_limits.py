"""Limits and time limits: who answers too much or too slow, and that it costs nobody else anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.http1_cases import BEHIND, chunked, get, post
from tests.security.requests.test_downgrade import HELLO, ended, outcome
from tests.security.requests.test_downgrade import post as post_http2
from tests.security.way import Way, way
from tests.support.certificates import Pair

PART = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
MANY = b"".join(get(line=b"GET /%d HTTP/1.1" % number) for number in range(30)) + BEHIND
#: What is sent, and what comes of it directly, behind nginx and behind HAProxy; a body may have 10,000 bytes.
LIMITS: dict[str, tuple[Any, ...]] = {
    "a body that fits": (
        post(b"Content-Length: 10000", body=bytes(10_000)) + BEHIND,
        *("served / /behind", "served / /behind", "served / /behind"),
    ),
    "a length beyond the limit": (
        post(b"Content-Length: 10001", b"Connection: close", body=bytes(10_001)),
        *("refused 413", "refused 413", "refused 413"),
    ),
    "chunks beyond the limit": (
        post(b"Transfer-Encoding: chunked", b"Connection: close", body=PART * 3 + b"0\r\n\r\n"),
        *("refused 413", "refused 413", "refused 413"),
    ),
    "many requests at once": (MANY, *["served " + " ".join(f"/{n}" for n in range(30)) + " /behind"] * 3),
    "a target beyond the limit": (
        get(b"Connection: close", line=b"GET /%b HTTP/1.1" % (b"a" * 8200)),
        *("refused 414", "stopped 414", "refused 414"),
    ),
    "a field beyond all limits": (
        get(b"X: " + b"y" * 70_000, b"Connection: close"),
        *("refused 431", "stopped 400", "stopped 400"),
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit(open_way: Way, name: str) -> None:
    request, *columns = LIMITS[name]
    found = str(open_way.send(request))
    if open_way.known_version:
        # While a body grows beyond its limit the application may have been called.
        found = found.replace("served / refused", "refused")
        assert found == columns[["direct", "nginx", "haproxy"].index(open_way.name)]


def test_a_body_of_http2_beyond_the_limit(open_way: Way) -> None:
    result = open_way.send(HELLO + post_http2(bytes(10_001), (b"content-length", b"10001")), "h2", ended)
    assert outcome(result).endswith("413")


# Slow peers

SLOW = {
    "direct": [],
    "nginx": [
        (
            "server_name example.org;",
            "server_name example.org; client_header_timeout 1s; client_body_timeout 1s;",
        )
    ],
    "haproxy": [("timeout http-request 30s", "timeout http-request 1s")],
}
#: An incomplete message, and who gives up after a second; nginx passes only whole bodies on.
STALLED: dict[str, tuple[bytes, str, str, str]] = {
    "half a request line": (b"GET / HT", "refused 408", "dropped", "stopped 408"),
    "half a head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", "refused 408", "dropped", "stopped 408"),
    "half a body": (
        post(b"Content-Length: 9", body=b"abc"),
        *("served / refused 408", "dropped", "served / refused 408"),
    ),
    "half a chunk": (chunked(b"9\r\nabc"), "served / refused 408", "dropped", "served / refused 408"),
    "half the trailers": (
        chunked(b"3\r\nabc\r\n0\r\nA: "),
        *("served / refused 408", "dropped", "served / refused 408"),
    ),
}


@pytest.fixture(scope="module", params=SLOW)
def impatient(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Way]:
    name = request.param
    with tempfile.TemporaryDirectory() as folder, way(name, Path(folder), pair, *SLOW[name]) as found:
        yield found


@pytest.mark.parametrize("name", STALLED)
def test_who_stalls_is_given_up(impatient: Way, name: str) -> None:
    request, *columns = STALLED[name]
    result = impatient.send(request, ended=lambda answer: b"\r\n\r\n" in answer)  # HAProxy waits on
    if impatient.known_version:
        assert str(result) == columns[["direct", "nginx", "haproxy"].index(impatient.name)]
    assert str(impatient.send(BEHIND)) == "served /behind"  # and the next one is served
