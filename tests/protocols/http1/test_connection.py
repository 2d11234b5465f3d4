"""Both engines pass the very same tables.

Longer than other files: the tables are one for each rule of RFC 9112, and belong together.
"""

import pytest

from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http1.connection import HTTP1Connection, HTTP1Limits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
DEFAULTS = HTTP1Limits()
POST_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=["zttp", "h11"])
def engine(request):
    return request.param


@pytest.fixture
def connection(engine):
    return HTTP1Connection(engine=engine)


def events_of(connection, *pieces):
    events = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            events.append(event)
    return events


def both_ways(engine, data, limits=DEFAULTS, **options):
    """The events of some bytes, which are the same in one piece and byte by byte."""
    whole = events_of(HTTP1Connection(limits, engine=engine, **options), data)
    pieces = [data[i : i + 1] for i in range(len(data))]
    dripped = events_of(HTTP1Connection(limits, engine=engine, **options), *pieces)
    assert joined(dripped) == joined(whole)
    return whole


def joined(events):
    """Neighbouring parts of a body as one, and violations without their wording."""
    result = []
    for event in events:
        if isinstance(event, BodyReceived) and result and isinstance(result[-1], BodyReceived):
            result[-1] = BodyReceived(event.stream_id, result[-1].data + event.data)
        elif isinstance(event, ProtocolViolated):
            result.append(event.status)
        else:
            result.append(event)
    return result


def finish(connection, body=b""):
    """Answer the current request and go on."""
    connection.send_response(200, [(b"content-length", b"%d" % len(body))])
    connection.send_data(body)
    connection.end_message()
    output = connection.data_to_send()
    connection.start_next_cycle()
    return output


# Requests that are taken


def test_a_request_without_body(engine):
    data = b"GET /a?b=c HTTP/1.1\r\nHost: localhost:8000\r\nX-One: 1\r\nx-one:\t2 \r\nEmpty:\r\n\r\n"
    assert both_ways(engine, data) == [
        RequestReceived(
            stream_id=1,
            method="GET",
            target=b"/a?b=c",
            headers=[(b"host", b"localhost:8000"), (b"x-one", b"1"), (b"x-one", b"2"), (b"empty", b"")],
            http_version="1.1",
            ended=True,
        )
    ]


TAKEN: dict[str, tuple[bytes, dict[str, object]]] = {
    "no body": (GET + b"\r\n", {}),
    "an empty line before": (b"\r\n" + GET + b"\r\n", {}),
    "no Host in 1.0": (b"GET / HTTP/1.0\r\n\r\n", {"http_version": "1.0", "headers": []}),
    "a later minor version": (b"GET / HTTP/1.9\r\nHost: a\r\n\r\n", {"http_version": "1.1"}),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", {"method": "BREW"}),
    "a lowercase method": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", {"method": "get"}),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", {"headers": [(b"host", b"")]}),
    "an IPv6 Host": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {"headers": [(b"host", b"[::1]:80")]}),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"*"}),
    "absolute form": (b"GET http://A/x?y HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"/x?y"}),
    "absolute form, no path": (b"GET https://a HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"/"}),
    "absolute form, only a query": (b"GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"/?b"}),
    "absolute form of *": (b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"*"}),
    "absolute form without Host": (
        b"GET http://a/ HTTP/1.0\r\n\r\n",
        {"target": b"/", "http_version": "1.0"},
    ),
    "an UTF-8 value": (
        GET + b"X: \xc3\xa4\r\n\r\n",
        {"headers": [(b"host", b"a"), (b"x", b"\xc3\xa4")]},
    ),
    "Content-Length 0": (GET + b"Content-Length: 0\r\n\r\n", {"ended": True}),
    "Content-Length with zeros": (GET + b"Content-Length: 007\r\n\r\n", {"ended": False}),
    "chunks": (GET + b"Transfer-Encoding: Chunked\r\n\r\n", {"ended": False}),
    "an expectation": (
        GET + b"Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
        {"ended": False, "expects_continue": True},
    ),
    "an expectation without body": (GET + b"Expect: 100-continue\r\n\r\n", {"expects_continue": False}),
    "an expectation in 1.0": (
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
        {"ended": False, "expects_continue": False, "http_version": "1.0"},
    ),
    "an upgrade": (
        GET + b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        {"upgrade": b"websocket"},
    ),
    "upgrades in two fields": (
        GET + b"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: H2C\r\nUpgrade: websocket\r\n\r\n",
        {"upgrade": b"websocket"},
    ),
    "another upgrade": (GET + b"Connection: upgrade\r\nUpgrade: H2C/1 , x\r\n\r\n", {"upgrade": b"h2c/1"}),
    "an upgrade that is not asked for": (GET + b"Upgrade: websocket\r\n\r\n", {"upgrade": b""}),
    "an upgrade after a body": (
        GET + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n",
        {"ended": False, "upgrade": b""},
    ),
    "an upgrade in 1.0": (
        b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        {"http_version": "1.0", "upgrade": b""},
    ),
    "a WebSocket in 1.0, for its handshake to refuse": (
        b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        {"http_version": "1.0", "upgrade": b"websocket"},
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(engine, case):
    data, expected = TAKEN[case]
    (event,) = both_ways(engine, data)
    assert isinstance(event, RequestReceived)
    values: dict[str, object] = {
        "method": event.method,
        "ended": True,
        "upgrade": b"",
        "http_version": "1.1",
        **expected,
    }
    assert {name: getattr(event, name) for name in values} == values


# Requests that are refused

REFUSED = {
    "no version": (400, b"GET /\r\n\r\n"),
    "no target": (400, b"GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space before the method": (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a tab for a space": (400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space after the version": (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    "a method that is no token": (400, b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "non-ASCII in the method": (400, b"G\xe9T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "non-ASCII in the target": (400, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a control in the target": (400, b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "DEL in the target": (400, b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a fragment in the target": (400, b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a target of no form": (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an asterisk for GET": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "another scheme": (400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an absolute form without host": (400, b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an absolute form with another host": (400, b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an absolute form with a user": (400, b"GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "CONNECT": (501, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method without end": (501, b"A" * 33 + b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two empty lines before": (400, b"\r\n\r\n" + GET + b"\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\n"),
    "HTTP/2 in the request line": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    "a lowercase version": (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no Host in a later minor version": (400, b"GET / HTTP/1.9\r\n\r\n"),
    "two Hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "the same Host twice": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "two Hosts in 1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    "a space in Host": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "a path in Host": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "a list in Host": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "a port that is none": (400, b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    "a space before the colon": (400, GET + b"X : a\r\n\r\n"),
    "a name that is none": (400, GET + b"X@: a\r\n\r\n"),
    "no name": (400, GET + b": a\r\n\r\n"),
    "no colon": (400, GET + b"X\r\n\r\n"),
    "obs-fold": (400, GET + b"X: a\r\n b\r\n\r\n"),
    "obs-fold with a tab": (400, GET + b"X: a\r\n\tb\r\n\r\n"),
    "white space before the first field": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "bare LF": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "bare LF after a field": (400, GET + b"X: a\nY: b\r\n\r\n"),
    "bare CR in a value": (400, GET + b"X: a\rb\r\n\r\n"),
    "a control as the name": (400, GET + b"\x00: a\r\n\r\n"),
    "two lengths": (400, GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "two equal lengths": (400, GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    "a list of lengths": (400, GET + b"Content-Length: 1, 1\r\n\r\na"),
    "a signed length": (400, GET + b"Content-Length: +1\r\n\r\na"),
    "a negative length": (400, GET + b"Content-Length: -1\r\n\r\na"),
    "a hexadecimal length": (400, GET + b"Content-Length: 0x1\r\n\r\na"),
    "an empty length": (400, GET + b"Content-Length:\r\n\r\na"),
    "an endless length": (400, GET + b"Content-Length: 1000000000000000000\r\n\r\na"),
    "length and coding": (400, GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "coding and length": (400, GET + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    "a coding before chunked": (501, GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    "a coding after chunked": (400, GET + b"Transfer-Encoding: chunked, gzip\r\n\r\n"),
    "chunked twice": (400, GET + b"Transfer-Encoding: chunked, chunked\r\n\r\n"),
    "chunked in two fields": (
        400,
        GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    "codings in two fields": (400, GET + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "chunked and nothing": (400, GET + b"Transfer-Encoding: chunked,\r\n\r\n"),
    "nothing and chunked": (400, GET + b"Transfer-Encoding: ,chunked\r\n\r\n"),
    "no coding": (400, GET + b"Transfer-Encoding:\r\n\r\n"),
    "identity": (400, GET + b"Transfer-Encoding: identity\r\n\r\n"),
    "a coding that looks like chunked": (400, GET + b"Transfer-Encoding: xchunked\r\n\r\n"),
    "chunked in 1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "another expectation": (417, GET + b"Content-Length: 1\r\nExpect: tea\r\n\r\na"),
    "a bad field before many": (400, GET + b"X\r\n" * 99 + b"\r\n"),
    "too many fields": (431, GET + b"X: a\r\n" * 100 + b"\r\n"),
    "too many fields, one bad": (431, GET + b"X: a\r\n" * 100 + b"X\r\n\r\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(engine, case):
    status, data = REFUSED[case]
    (event,) = both_ways(engine, data)
    assert isinstance(event, ProtocolViolated)
    assert event.status == status
    assert event.reason.isprintable()


@pytest.mark.parametrize("character", [*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), 0x7F, 0x85])
def test_characters_no_value_may_hold(engine, character):
    (event,) = both_ways(engine, GET + b"X: a%cb\r\n\r\n" % character)
    assert event.status == 400


@pytest.mark.parametrize("case", ["CONNECT", "two equal lengths", "bare LF", "no Host"])
def test_after_a_violation_the_connection_ends(connection, case):
    (event,) = events_of(connection, REFUSED[case][1])
    assert not connection.keep_alive
    assert connection.buffered == 0
    assert events_of(connection, GET + b"\r\n", b"") == []
    connection.send_response(event.status, [(b"content-length", b"0")])
    connection.end_message()
    assert b"\r\nconnection: close\r\n" in connection.data_to_send()
    with pytest.raises(RuntimeError, match="keep-alive: False"):
        connection.start_next_cycle()


# Limits

LIMITS = HTTP1Limits(max_target=50, max_header_bytes=200, max_headers=5)


def test_a_target_at_its_limit(engine):
    (event,) = both_ways(engine, b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 49), LIMITS)
    assert isinstance(event, RequestReceived)


@pytest.mark.parametrize("size", [50, 92, 93, 500])
def test_a_target_over_its_limit(engine, size):
    (event,) = both_ways(engine, b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * size), LIMITS)
    assert (event.status, "50 bytes" in event.reason) == (414, True)


def test_a_head_at_its_limit(engine):
    padding = 200 - len(GET) - len(b"X: \r\n\r\n")
    (event,) = both_ways(engine, GET + b"X: " + b"a" * padding + b"\r\n\r\n", LIMITS)
    assert isinstance(event, RequestReceived)


@pytest.mark.parametrize("size", [171, 1000])
def test_a_head_over_its_limit(engine, size):
    (event,) = both_ways(engine, GET + b"X: " + b"a" * size + b"\r\n\r\n", LIMITS)
    assert (event.status, "200 bytes" in event.reason) == (431, True)


def test_a_header_that_never_ends_is_cut_off_at_the_limit(engine):
    connection = HTTP1Connection(LIMITS, engine=engine)
    assert events_of(connection, GET + b"X: ") == []
    dripped = 0
    while not events_of(connection, b"a"):
        dripped += 1
    assert len(GET) + 3 + dripped == 200


def test_forbidden_bytes_are_found_before_the_limit_and_not_after(engine):
    (before,) = both_ways(engine, GET + b"X: \0" + b"a" * 200 + b"\r\n\r\n", LIMITS)
    (after,) = both_ways(engine, GET + b"X: " + b"a" * 200 + b"\0\r\n\r\n", LIMITS)
    assert (before.status, after.status) == (400, 431)


def test_garbage_is_refused_without_waiting_for_its_end(connection):
    (event,) = events_of(connection, b"\x16\x03\x01")
    assert event.status == 400


def test_five_fields_and_six(engine):
    assert isinstance(both_ways(engine, GET + b"X: a\r\n" * 4 + b"\r\n", LIMITS)[0], RequestReceived)
    assert both_ways(engine, GET + b"X: a\r\n" * 5 + b"\r\n", LIMITS)[0].status == 431


@pytest.mark.parametrize("size", [16_300, 16_384, 16_385, 60_000])
def test_large_heads_mean_the_same_with_both_engines(engine, size):
    head = GET + b"Cookie: "
    head += b"a" * (size - len(head) - 4) + b"\r\n\r\n"
    (event,) = events_of(HTTP1Connection(engine=engine), head)
    assert len(event.headers[1][1]) == size - len(GET) - 12


@pytest.mark.parametrize("fields", [100, 101, 500])
def test_many_fields_mean_the_same_with_both_engines(engine, fields):
    head = GET + b"X: a\r\n" * (fields - 1) + b"\r\n"
    (event,) = events_of(HTTP1Connection(HTTP1Limits(max_headers=500), engine=engine), head)
    assert len(event.headers) == fields


# Host that is not required


def test_a_request_without_host_where_none_is_required(engine):
    (event,) = both_ways(engine, b"GET / HTTP/1.1\r\nX: y\r\n\r\n", require_host=False)
    assert event.headers == [(b"x", b"y")]


def test_a_request_with_host_where_none_is_required(engine):
    (event,) = both_ways(engine, b"GET / HTTP/1.1\r\nX: y\r\nHOST: b\r\n\r\n", require_host=False)
    assert event.headers == [(b"x", b"y"), (b"host", b"b")]


def test_a_bad_request_where_no_host_is_required(engine):
    (event,) = both_ways(engine, b"GET / HTTP/1.1\r\nX\r\n\r\n", require_host=False)
    assert event.status == 400


# Bodies


def test_a_body_with_a_length(engine):
    data = GET + b"Content-Length: 5\r\n\r\nhello"
    head, *body = both_ways(engine, data)
    assert not head.ended
    assert body == [BodyReceived(1, b"hello"), BodyEnded(1)]


def test_a_body_in_chunks(engine):
    chunks = b'3\r\nabc\r\n00A;name="value"\r\n\r\n\r\n\r\n0\r\n\r\r\n0\r\nX-End: Yes\r\n\r\n'
    _, *body = both_ways(engine, POST_CHUNKED + chunks)
    assert joined(body) == [BodyReceived(1, b"abc\r\n\r\n\r\n0\r\n\r"), BodyEnded(1, [(b"x-end", b"Yes")])]


def test_an_empty_body_in_chunks(engine):
    assert both_ways(engine, POST_CHUNKED + b"0\r\n\r\n")[1:] == [BodyEnded(1)]


def test_a_body_in_many_tiny_chunks_is_one_event(connection):
    _, *body = events_of(connection, POST_CHUNKED + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n")
    assert body == [BodyReceived(1, b"a" * 20_000), BodyEnded(1)]


BAD_CHUNKS = {
    "no size": (400, b"\r\n"),
    "a size that is none": (400, b"x\r\nabc\r\n"),
    "a signed size": (400, b"+3\r\nabc\r\n"),
    "a prefixed size": (400, b"0x3\r\nabc\r\n"),
    "more than the size": (400, b"3\r\nabcd\r\n"),
    "a line feed in an extension": (400, b"3;a\nb\r\nabc\r\n"),
    "a trailer that is none": (400, b"0\r\nbad\r\n\r\n"),
    "framing in a trailer": (400, b"0\r\nContent-Length: 3\r\n\r\n"),
    "a Host in a trailer": (400, b"0\r\nHost: b\r\n\r\n"),
    "a control in a trailer": (400, b"0\r\nX: a\x01b\r\n\r\n"),
    "0x85 in a trailer": (400, b"0\r\nX: a\x85b\r\n\r\n"),
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_chunks_that_are_refused(engine, case):
    status, chunks = BAD_CHUNKS[case]
    events = both_ways(engine, POST_CHUNKED + chunks)
    assert isinstance(events[-1], ProtocolViolated)
    assert events[-1].status == status


def test_what_came_before_a_bad_chunk_is_still_told(engine):
    _, *body = both_ways(engine, POST_CHUNKED + b"3\r\nabc\r\nx\r\n")
    assert joined(body) == [BodyReceived(1, b"abc"), 400]


def test_a_flood_of_chunk_extensions_is_cut_off(connection):
    flood = b"1;" + b"x" * 4000 + b"\r\na\r\n"
    events = events_of(connection, POST_CHUNKED, *[flood] * 10)
    assert events[-1].status == 400
    assert sum(isinstance(event, BodyReceived) for event in events) < 6


def test_a_flood_of_trailers_is_cut_off(connection):
    trailers = [b"X-%d: a\r\n" % number for number in range(10_000)]
    events = events_of(connection, POST_CHUNKED + b"0\r\n", *trailers)
    assert events[-1].status == 400


# One request after the other


def test_pipelined_requests_wait_for_their_turn(engine):
    data = (
        GET
        + b"\r\n"
        + b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        + POST_CHUNKED
        + b"3\r\nabc\r\n0\r\n\r\n"
        + b"\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    connection = HTTP1Connection(engine=engine)
    (first,) = events_of(connection, data)
    assert connection.buffered == len(data) - len(GET) - 2
    told = [first]
    for number in range(2, 5):
        assert connection.next_event() is None
        assert finish(connection, b"ok").startswith(b"HTTP/1.1 200 OK\r\n")
        while (event := connection.next_event()) is not None:
            told.append(event)
        assert told[-1].stream_id == number
    assert [event.target for event in told if isinstance(event, RequestReceived)] == [
        b"/",
        b"/2",
        b"/",
        b"/4",
    ]
    assert [event.data for event in told if isinstance(event, BodyReceived)] == [b"abc", b"abc"]
    assert connection.buffered == 0


def test_the_end_of_chunks_is_found_across_reads(engine):
    data = POST_CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + GET + b"\r\n"
    for cut in range(len(POST_CHUNKED), len(data)):
        connection = HTTP1Connection(engine=engine)
        events = events_of(connection, data[:cut], data[cut:])
        assert joined(events[1:]) == [BodyReceived(1, b"abc"), BodyEnded(1)]
        assert connection.buffered == len(GET) + 2
        finish(connection)
        assert isinstance(connection.next_event(), RequestReceived)


def test_no_next_request_before_this_one_is_complete(connection):
    events_of(connection, GET + b"Content-Length: 1\r\n\r\n")
    with pytest.raises(RuntimeError, match="request ended: False, response ended: False"):
        connection.start_next_cycle()


KEEP_ALIVE = {
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n": True,
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n": False,
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: y , close\r\n\r\n": False,
    b"GET / HTTP/1.0\r\n\r\n": False,
    b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n": True,
    b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n": False,
}


@pytest.mark.parametrize("head", KEEP_ALIVE)
def test_whether_the_peer_lets_the_connection_live_on(connection, head):
    events_of(connection, head)
    assert connection.keep_alive is KEEP_ALIVE[head]


def test_a_request_that_is_answered_before_its_body_is_read(connection):
    events_of(connection, GET + b"Content-Length: 3\r\n\r\n")
    connection.send_response(200, [(b"content-length", b"0")])
    connection.end_message()
    assert not connection.request_ended
    assert events_of(connection, b"abc") == [BodyReceived(1, b"abc"), BodyEnded(1)]
    assert connection.request_ended
    connection.start_next_cycle()


def test_what_follows_an_upgrade_is_kept(engine):
    connection = HTTP1Connection(engine=engine)
    (event,) = events_of(connection, GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80")
    assert event.upgrade == b"websocket"
    connection.receive_data(b"mask")
    connection.send_response(101, [(b"connection", b"upgrade"), (b"upgrade", b"websocket")])
    assert connection.data_to_send() == (
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert connection.trailing_data() == b"\x81\x80mask"
    assert connection.trailing_data() == b""
    assert not connection.keep_alive


# The end of the peer


@pytest.mark.parametrize("before", [b"", b"\r", b"\r\n"])
def test_a_peer_that_ends_between_requests(connection, before):
    assert events_of(connection, before, b"") == [ConnectionClosed()]
    assert connection.next_event() is None


def test_a_peer_that_ends_while_it_waits_for_its_answer(connection):
    events_of(connection, GET + b"\r\n")
    assert events_of(connection, b"") == [ConnectionClosed()]
    connection.send_response(200, [(b"content-length", b"0")])
    assert b"connection: close" in connection.data_to_send()


def test_a_peer_that_ends_behind_pipelined_requests(connection):
    events_of(connection, (GET + b"\r\n") * 2)
    assert events_of(connection, b"") == []
    finish(connection)
    assert [type(event) for event in events_of(connection, b"")] == [RequestReceived, ConnectionClosed]


def test_a_peer_that_ends_in_a_head(connection):
    (event,) = events_of(connection, GET, b"")
    assert event.status == 400


@pytest.mark.parametrize("head", [GET + b"Content-Length: 3\r\n\r\n", POST_CHUNKED + b"5\r\n"])
def test_a_peer_that_ends_in_a_body(connection, head):
    assert events_of(connection, head + b"ab", b"")[1:] == [BodyReceived(1, b"ab"), StreamClosed(1)]
    assert connection.next_event() is None


def test_has_more_tells_of_bytes_and_of_the_end(connection):
    assert not connection.has_more
    connection.receive_data(b"GET / HT")
    assert connection.has_more
    connection.receive_data(b"TP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    assert not connection.has_more
    connection.receive_data(b"")
    assert connection.has_more
