"""HTTP/2 on the wire, case by case: what RFC 9113, RFC 8441 and RFC 7541 say, and the answer to each.

A fault of one stream must concern nobody else: behind it the connection still answers. A fault of the
connection ends it, with a GOAWAY that says why. Both engines.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from channels.protocols.http2.engines import HTTP2_ENGINES
from channels.server.in_thread import ServerThread
from tests.conformance.http2_cases import (
    BEGINNINGS,
    COARSE,
    CONNECTION_ERRORS,
    HALF_CLOSED,
    OPEN,
    RESET,
    STATUSES,
    STREAM_ERRORS,
)
from tests.conformance.http2_wire import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    GOAWAY,
    HEADERS,
    HOLD,
    NO_ERROR,
    NONE,
    PING,
    POST,
    PREFACE,
    PROTOCOL,
    REFUSED,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Holding,
    HTTP2Wire,
    fields,
    frame,
    holding,
    number,
    request,
    setting,
)
from tests.server.helpers import LONG
from tests.support.programs import require

LAST = 2**31 - 3  # higher than any stream of the cases


@pytest.fixture(scope="module", params=HTTP2_ENGINES)
def serving(request: pytest.FixtureRequest) -> Iterator[tuple[ServerThread, Holding]]:
    with holding(http2_engine=request.param) as pair:
        yield pair


@pytest.fixture
def wire(serving: tuple[ServerThread, Holding]) -> Iterator[HTTP2Wire]:
    with HTTP2Wire(serving[0]) as connected:
        yield connected


def still_serves(wire: HTTP2Wire) -> bool:
    wire.send(request(LAST))
    return wire.status(LAST) == 200


@pytest.mark.parametrize("case", BEGINNINGS)
def test_what_is_no_beginning(serving: tuple[ServerThread, Holding], case: str) -> None:
    with HTTP2Wire(serving[0], BEGINNINGS[case]) as wire:
        if case == "3.4 another preface":
            assert b"\r\nconnection: close\r\n" in wire.rest() or not wire.rest()
            return
        while wire.next() is not None:
            pass
        assert wire.goaway() == PROTOCOL


@pytest.mark.parametrize("case", CONNECTION_ERRORS)
def test_the_connection_ends(wire: HTTP2Wire, case: str) -> None:
    code, frames = CONNECTION_ERRORS[case]
    wire.send(frames)
    wire.settle()
    assert wire.closed
    assert wire.goaway() == code


@pytest.mark.parametrize("case", STREAM_ERRORS)
def test_one_stream_ends(serving: tuple[ServerThread, Holding], wire: HTTP2Wire, case: str) -> None:
    codes, frames = STREAM_ERRORS[case]
    engine = serving[0].config.http2_engine
    wire.send(frames)
    wire.settle()
    if case in COARSE[engine]:
        assert wire.closed
        assert wire.goaway() in codes
        return
    assert wire.goaway() is None
    assert wire.resets().get(1) in codes
    assert still_serves(wire)


@pytest.mark.parametrize("case", STATUSES)
def test_answered(wire: HTTP2Wire, case: str) -> None:
    status, frames = STATUSES[case]
    wire.send(frames)
    stream_id = 101 if "left out" in case else 1
    assert wire.status(stream_id) == status
    wire.settle()
    assert wire.goaway() is None
    assert wire.resets().get(1, NO_ERROR) == NO_ERROR
    assert still_serves(wire)


def test_settings_and_pings_are_acknowledged(wire: HTTP2Wire) -> None:
    """6.5.3, 6.7."""
    wire.send(setting(3, 50))
    assert wire.until(SETTINGS, 0, ACK).payload == b""
    wire.send(frame(PING, NONE, 0, b"12345678") + frame(PING, ACK, 0, b"not asked"[:8]))
    assert wire.until(PING, 0, ACK).payload == b"12345678"
    wire.settle()
    assert [found.payload for found in wire.frames if found.kind == PING].count(b"not aske") == 0


def test_a_lower_stream_than_before(wire: HTTP2Wire) -> None:
    """5.1.1: such a stream is closed, and was never meant; either is a reason to end the connection."""
    wire.send(request(5, HOLD) + request(3))
    wire.settle()
    assert wire.goaway() in {PROTOCOL, STREAM_CLOSED}


@pytest.mark.parametrize(
    "behind", [frame(DATA, END_STREAM, 1, b"x"), request(1), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")]
)
def test_a_stream_that_the_peer_has_reset(wire: HTTP2Wire, behind: bytes) -> None:
    """5.1: an error of the stream or of the connection, STREAM_CLOSED; nothing for WINDOW_UPDATE."""
    wire.send(RESET + behind)
    wire.settle()
    told = {wire.goaway(), wire.resets().get(1)}
    assert told <= {None, STREAM_CLOSED, PROTOCOL}
    assert (told == {None}) == (behind[3] == WINDOW_UPDATE)


def test_more_streams_than_may_be(wire: HTTP2Wire) -> None:
    """5.1.2."""
    wire.send(b"".join(request(n, HOLD) for n in range(1, 203, 2)))
    wire.settle()
    assert wire.resets() == {201: REFUSED}
    assert wire.goaway() is None


def test_a_window_of_one_byte(wire: HTTP2Wire) -> None:
    """6.9.1 and 6.9.2."""
    wire.send(setting(4, 1) + request(1, POST, END_HEADERS) + frame(DATA, END_STREAM, 1, b"abc"))
    assert wire.until(DATA, 1).payload == b"a"
    wire.send(frame(WINDOW_UPDATE, NONE, 1, number(1)))
    assert wire.until(DATA, 1).payload == b"b"
    wire.send(setting(4, 10))
    last = wire.until(DATA, 1)
    assert (last.payload, last.flags) == (b"c", END_STREAM)


def test_a_window_below_zero(wire: HTTP2Wire) -> None:
    """6.9.2: what was sent already counts against the new window."""
    wire.send(setting(4, 3) + request(1, POST, END_HEADERS) + frame(DATA, END_STREAM, 1, b"abcdef"))
    assert wire.until(DATA, 1).payload == b"abc"
    wire.send(setting(4, 1) + frame(WINDOW_UPDATE, NONE, 1, number(2)))
    wire.settle()
    assert [found.payload for found in wire.frames if found.kind == DATA] == [b"abc"]
    wire.send(frame(WINDOW_UPDATE, NONE, 1, number(1)))
    assert wire.until(DATA, 1).payload == b"d"


def test_the_window_of_the_connection(wire: HTTP2Wire) -> None:
    """6.9.1: the stream has room, the connection has not."""
    body = bytes(70_000)
    wire.send(setting(4, 2**31 - 1) + request(1, POST, END_HEADERS))
    for at in range(0, len(body), 10_000):
        wire.send(frame(DATA, END_STREAM if at == 60_000 else NONE, 1, body[at : at + 10_000]))
    received = 0
    while received < 65_535:
        received += len(wire.until(DATA, 1).payload)
    assert received == 65_535
    wire.settle()
    wire.send(frame(WINDOW_UPDATE, NONE, 0, number(10_000)))
    assert wire.body(1) == body


def test_frames_are_as_large_as_the_peer_takes(wire: HTTP2Wire) -> None:
    """4.2."""
    wire.send(request(1, POST, END_HEADERS))
    for _ in range(3):
        wire.send(frame(DATA, NONE, 1, bytes(16_384)))
    wire.send(frame(DATA, END_STREAM, 1))
    assert wire.body(1) == bytes(3 * 16_384)
    assert max(len(found.payload) for found in wire.frames) <= 16_384


def test_a_peer_that_leaves_gets_its_answers(wire: HTTP2Wire) -> None:
    """6.8: no more streams of ours would come, and there are none; those of the peer are completed."""
    wire.send(request(1, POST, END_HEADERS) + frame(GOAWAY, NONE, 0, bytes(8)))
    wire.send(frame(DATA, END_STREAM, 1, b"abc"))
    assert wire.status(1) == 200
    assert wire.body(1) == b"abc"
    assert wire.next() is None


def test_a_reset_behind_the_answer_is_nothing(wire: HTTP2Wire) -> None:
    """5.1: it may have been on its way."""
    wire.send(request(1, POST, END_HEADERS) + frame(DATA, END_STREAM, 1, b"abc"))
    assert wire.body(1) == b"abc"
    wire.send(frame(RST_STREAM, NONE, 1, number(8)))
    assert still_serves(wire)


def test_requests_on_other_streams_outlive_a_reset(wire: HTTP2Wire) -> None:
    """5.4.2."""
    wire.send(request(1, POST, END_HEADERS) + request(3, GET + fields((b"A", b"b"))))
    assert wire.until(RST_STREAM, 3).code == PROTOCOL
    wire.send(frame(DATA, END_STREAM, 1, b"abc"))
    assert wire.body(1) == b"abc"


def test_cookies_and_hosts_are_what_http1_knows(serving: tuple[ServerThread, Holding]) -> None:
    """8.2.3 and 8.3.1."""
    with HTTP2Wire(serving[0]) as wire:
        wire.send(request(1, GET + fields((b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d"))))
        assert wire.status(1) == 200
    assert serving[1].fields == [(b"host", b"a"), (b"cookie", b"a=b; c=d"), (b"x", b"y")]


def test_a_goaway_names_the_last_stream_that_was_served(wire: HTTP2Wire) -> None:
    """5.4.1 and 6.8."""
    wire.send(request(1) + request(3, HOLD) + frame(DATA, NONE, 0, b"x"))
    wire.settle()
    (goodbye,) = [found for found in wire.frames if found.kind == GOAWAY]
    assert int.from_bytes(goodbye.payload[:4]) == 3


def test_a_preface_and_a_request_in_one_write(serving: tuple[ServerThread, Holding]) -> None:
    """3.4: nobody has to wait for the server's SETTINGS."""
    with HTTP2Wire(serving[0], PREFACE + frame(SETTINGS) + request()) as wire:
        assert wire.until(HEADERS, 1).flags & END_HEADERS
        assert wire.frames[0].kind == SETTINGS


def test_byte_by_byte(serving: tuple[ServerThread, Holding]) -> None:
    with HTTP2Wire(serving[0], b"") as wire:
        for byte in PREFACE + frame(SETTINGS) + request(1, POST, 4) + frame(DATA, 1, 1, b"abc"):
            wire.send(bytes((byte,)))
        assert wire.body(1) == b"abc"


@pytest.mark.parametrize("states", [OPEN, HALF_CLOSED])
def test_a_peer_that_vanishes_harms_nobody(serving: tuple[ServerThread, Holding], states: bytes) -> None:
    with HTTP2Wire(serving[0]) as wire:
        wire.send(states)
        wire.settle()
    with HTTP2Wire(serving[0]) as other:
        assert still_serves(other)


def test_h2load(serving: tuple[ServerThread, Holding]) -> None:
    """nghttp2's load tool, as strict a client as there is: 1,000 requests, 100 streams on each connection."""
    command = [require("h2load"), "-n1000", "-c4", "-m100", f"{serving[0].url}/"]
    done = subprocess.run(command, capture_output=True, timeout=LONG, check=True, text=True)
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout
