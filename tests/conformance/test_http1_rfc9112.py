"""HTTP/1.1 on the wire, case by case: what RFC 9112 and 9110 say of framing, and the strict answer to each.

Behind each request comes another one, for ``/behind``. Where the first is refused nothing of what follows may
reach the application: that is how requests are smuggled past a proxy that read the first one otherwise. Where
it is served the second one must be served too, neither eaten nor cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.protocols.http1.engines import HTTP1_ENGINES
from channels.server.in_thread import ServerThread
from tests.conformance.http1_cases import BEHIND, REFUSED, SERVED, chunked, get, post
from tests.conformance.wire import Listening, Wire, listening


@pytest.fixture(scope="module", params=HTTP1_ENGINES)
def serving(request: pytest.FixtureRequest) -> Iterator[tuple[ServerThread, Listening]]:
    with listening(http1_engine=request.param) as pair:
        yield pair


@pytest.mark.parametrize("case", REFUSED)
def test_refused(serving: tuple[ServerThread, Listening], case: str) -> None:
    server, app = serving
    status, request = REFUSED[case]
    app.paths.clear()
    with Wire(server) as wire:
        wire.send(request + BEHIND)
        answer = wire.answer()
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert wire.rest() == b""
    server.settle()
    assert "/behind" not in app.paths
    begun = case.startswith(("7.1", "6.5.1"))  # the head was good: the application may have been called
    assert app.paths == (["/"] if begun and app.paths else [])


@pytest.mark.parametrize("case", SERVED)
def test_served(serving: tuple[ServerThread, Listening], case: str) -> None:
    server, app = serving
    body, request = SERVED[case]
    app.paths.clear()
    with Wire(server) as wire:
        wire.send(request + BEHIND)
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, body)
        behind = wire.answer()
        assert (behind.status, behind.headers["x-path"], behind.body) == (200, "/behind", b"")
        assert wire.rest() == b""
    assert len(app.paths) == 2


def test_a_hundred_requests_at_once(serving: tuple[ServerThread, Listening]) -> None:
    """RFC 9112 9.3.2: answered in the order in which they came."""
    bodies = [b"x" * (number * 7 % 50) for number in range(100)]
    with Wire(serving[0]) as wire:
        wire.send(
            b"".join(
                post(b"Content-Length: %d" % len(body), body=body, line=b"POST /%d HTTP/1.1" % number)
                if number % 2
                else post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
                if body
                else get()
                for number, body in enumerate(bodies)
            )
        )
        for number, body in enumerate(bodies):
            answer = wire.answer()
            assert answer.body == body
            assert answer.headers["x-path"] == (f"/{number}" if number % 2 else "/")


@pytest.mark.parametrize(
    ("request_bytes", "closes"),
    [
        (get(), False),
        (get(b"Connection: close"), True),
        (get(b"Connection: x, Close"), True),
        (get(line=b"GET / HTTP/1.0"), True),
        (get(line=b"GET / HTTP/1.0", host=b""), True),
        (get(b"Connection: Keep-Alive", line=b"GET / HTTP/1.0"), False),
        (get(b"Connection: keep-alive, close", line=b"GET / HTTP/1.0"), True),
    ],
)
def test_which_connections_live_on(
    serving: tuple[ServerThread, Listening], request_bytes: bytes, closes: bool
) -> None:
    """RFC 9112 9.3."""
    with Wire(serving[0]) as wire:
        wire.send(request_bytes)
        assert wire.answer().status == 200
        if closes:
            assert wire.rest() == b""
        else:
            wire.send(BEHIND)
            assert wire.answer().headers["x-path"] == "/behind"


def test_100_continue(serving: tuple[ServerThread, Listening]) -> None:
    """RFC 9110 10.1.1: not to HTTP/1.0, and not to who does not ask."""
    waiting = post(b"Content-Length: 3", b"Expect: 100-Continue")
    with Wire(serving[0]) as wire:
        wire.send(waiting)
        assert wire.answer().status == 100
        wire.send(b"abc")
        assert wire.answer().body == b"abc"
        wire.send(waiting.replace(b"HTTP/1.1", b"HTTP/1.0") + b"abc")
        assert wire.answer().status == 200


def test_a_request_that_ends_early_is_answered_or_dropped(serving: tuple[ServerThread, Listening]) -> None:
    """RFC 9112 section 8: an incomplete head is an error, an incomplete body is no request."""
    for request, status in (
        (b"GET / HT", b"HTTP/1.1 400 "),
        (post(b"Content-Length: 9", body=b"abc"), b""),
        (chunked(b"3\r\nab"), b""),
    ):
        with Wire(serving[0]) as wire:
            wire.send(request)
            wire.socket.shutdown(1)
            assert wire.rest()[:13] == status


def test_byte_by_byte(serving: tuple[ServerThread, Listening]) -> None:
    """However it is cut, it is the same request."""
    with Wire(serving[0]) as wire:
        for byte in chunked(b"3\r\nabc\r\n0\r\nA: b\r\n\r\n") + BEHIND:
            wire.send(bytes((byte,)))
        assert wire.answer().body == b"abc"
        assert wire.answer().headers["x-path"] == "/behind"
