"""The HTTP/2 room with both engines: requests, responses, windows, faults.

Longer than other files: it is the test of one module, and each engine has to pass all of it.
"""

import base64
from dataclasses import replace

import pytest
from h2 import events as h2
from h2.errors import ErrorCodes

from channels.protocols.events import (
    BodyEnded,
    BodyReceived,
    ConnectionClosed,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http.upgrade import accept_handshake
from channels.protocols.http1.connection import HTTP1Connection
from channels.protocols.http2 import connection as http2
from channels.protocols.http2 import engines
from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits, upgrade_to_http2
from channels.protocols.http2.semantics import judge_request
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.frames import encode_message
from channels.protocols.websocket.handshake import accept_headers
from tests.protocols.facts import amount_of
from tests.protocols.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    GOAWAY,
    HEADERS,
    HELLO,
    PADDED,
    PING,
    POST,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WEBSOCKET,
    WINDOW_UPDATE,
    Peer,
    events_of,
    frame,
    frames_of,
    headers,
    started,
)


@pytest.fixture(autouse=True, params=["native", "h2"])
def engine(request, monkeypatch):
    """Both engines pass the very same tests."""
    monkeypatch.setattr(engines, "DEFAULT_HTTP2_ENGINE", request.param)
    return request.param


REQUEST = RequestReceived(1, "GET", b"/", [(b"host", b"a")], "2", True, scheme=b"https")


def kinds(output):
    return [(kind, stream_id) for kind, _, stream_id, _ in frames_of(output)]


def goaway(connection):
    """The last thing we said: code of a GOAWAY, and the last stream that it names."""
    kind, _, stream_id, payload = frames_of(connection.data_to_send())[-1]
    assert (kind, stream_id) == (GOAWAY, 0)
    return int.from_bytes(payload[4:8], "big"), int.from_bytes(payload[:4], "big")


def reset_codes(connection):
    return [
        (stream_id, int.from_bytes(payload, "big"))
        for kind, _, stream_id, payload in frames_of(connection.data_to_send())
        if kind == RST_STREAM
    ]


# Requests


def test_a_request_and_its_response():
    peer = Peer()
    assert peer.request(1) == [REQUEST]
    assert peer.server.open_streams == 1
    peer.server.send_response(1, 200, [(b"Content-Type", b"text/plain"), (b"content-length", b"5")])
    peer.server.send_data(1, b"hello", end=True)
    _, heard = peer.exchange()
    response, data, _ = [event for event in heard if not isinstance(event, h2.WindowUpdated)]
    assert response.headers == [
        (b":status", b"200"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"5"),
    ]
    assert (data.data, data.stream_ended is not None) == (b"hello", True)
    assert peer.server.open_streams == 0


def test_byte_by_byte_is_the_same():
    data = (
        HELLO
        + headers(1, POST, END_HEADERS)
        + frame(DATA, END_STREAM, 1, b"body")
        + frame(PING, 0, 0, b"8 bytes!")
    )
    connection = HTTP2Connection()
    events = events_of(connection, *[data[i : i + 1] for i in range(len(data))])
    assert events == [
        RequestReceived(1, "POST", b"/", [(b"host", b"a")], "2", scheme=b"https"),
        BodyReceived(1, b"body"),
        BodyEnded(1),
    ]
    assert (PING, 0) in kinds(connection.data_to_send())
    assert connection.buffered == 0


def test_requests_at_the_same_time():
    peer = Peer()
    assert [event.stream_id for event in peer.request(1) + peer.request(3) + peer.request(5)] == [1, 3, 5]
    for stream_id in (5, 1, 3):
        peer.server.send_response(stream_id, 204, [], end=True)
    _, heard = peer.exchange()
    assert [event.stream_id for event in heard if isinstance(event, h2.ResponseReceived)] == [5, 1, 3]


def test_a_body_and_trailers():
    peer = Peer()
    peer.client.send_headers(1, POST)
    peer.client.send_data(1, b"one", pad_length=7)
    peer.client.send_headers(1, [(b"checksum", b"x")], end_stream=True)
    told, _ = peer.exchange()
    assert told[1:] == [BodyReceived(1, b"one"), BodyEnded(1, [(b"checksum", b"x")])]
    assert not told[0].ended


@pytest.mark.parametrize("trailer", [(b":path", b"/"), (b"content-length", b"1"), (b"Upper", b"x")])
def test_trailers_that_are_none(trailer):
    connection = started()
    data = headers(1, POST, END_HEADERS) + headers(1, [trailer])
    assert events_of(connection, data)[1:] == [StreamClosed(1)]
    assert reset_codes(connection) == [(1, ErrorCodes.PROTOCOL_ERROR)]
    assert connection.open_streams == 0


def test_the_peer_gives_up():
    connection = started()
    events = events_of(connection, headers(1, POST, END_HEADERS) + frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
    assert events[1:] == [StreamClosed(1)]
    late = amount_of(connection, "protocols.late_frame")
    connection.send_informational(1, 103)
    connection.send_response(1, 200, [])
    connection.send_data(1, b"x")
    connection.end_stream(1)
    connection.reset(1)
    connection.acknowledge(1, 5)
    assert (connection.writable(1), connection.pending(1)) == (0, 0)
    assert amount_of(connection, "protocols.late_frame") == late + 5
    assert connection.data_to_send() == b""


def test_the_connection_ends_under_requests():
    connection = started()
    events = events_of(connection, headers(1, POST, END_HEADERS) + headers(3, GET) + b"\0", b"")
    assert events[2:] == [StreamClosed(1), StreamClosed(3), ConnectionClosed()]
    assert events_of(connection, headers(5, GET)) == []


def test_the_connection_ends():
    assert events_of(started(), b"") == [ConnectionClosed()]
    assert events_of(HTTP2Connection(), b"") == [ConnectionClosed()]


def test_priorities_are_accepted_and_ignored():
    connection = started()
    update = frame(16, 0, 0, b"\0\0\0\1u=1")
    priority = frame(PRIORITY, 0, 1, b"\0\0\0\3\x10")
    with_priority = frame(HEADERS, 0x25, 1, b"\0\0\0\0\x10" + headers(1, GET)[9:])
    assert events_of(connection, update + priority + with_priority) == [REQUEST]


def test_a_request_that_comes_again_is_judged_once_and_owns_its_headers(monkeypatch):
    calls = []
    judge = judge_request
    monkeypatch.setattr(http2, "judge_request", lambda *args: calls.append(args) or judge(*args))
    connection = HTTP2Connection(engine="native")
    first, again = events_of(connection, HELLO + headers(1, GET) + headers(3, GET))
    assert again == replace(first, stream_id=3)
    again.headers.append((b"a", b"b"))
    last, other, body = events_of(
        connection, headers(5, GET) + headers(7, POST) + headers(9, POST, END_HEADERS)
    )
    assert last == replace(first, stream_id=5)
    assert (other.method, other.ended, body.ended) == ("POST", True, False)
    assert len(calls) == 3


def test_the_verdicts_kept_are_bounded():
    connection = HTTP2Connection(engine="native", limits=HTTP2Limits(max_streams=1000))
    paths = [[*GET[:2], (b":path", b"/%d" % number), GET[3]] for number in range(100)]
    pieces = [headers(2 * number + 1, fields) for number, fields in enumerate(paths)]
    events = events_of(connection, HELLO, *pieces)
    assert [event.target for event in events] == [b"/%d" % number for number in range(100)]
    assert len(connection._verdicts) <= 16


# Refusals


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([*GET[:2], (b":path", b"/" + b"a" * 8192), GET[3]], 414),
        ([*GET, (b"a", b"b" * 66_000)], 431),
        ([*GET, *[(b"a", b"b")] * 102], 431),
        ([*GET, (b"host", b"other")], 400),
        ([(b":method", b"CONNECT"), (b":authority", b"a:1")], 501),
    ],
)
@pytest.mark.parametrize("ended", [True, False])
def test_a_request_that_is_refused(fields, status, ended):
    peer = Peer()
    peer.client.config.validate_outbound_headers = False
    peer.client.send_headers(1, fields, end_stream=ended)
    told, heard = peer.exchange()
    assert told == []
    assert heard[0].headers == [(b":status", b"%d" % status)]
    assert any(isinstance(event, h2.StreamReset) and event.error_code == 0 for event in heard) is not ended
    assert peer.request(3) == [RequestReceived(3, *REQUEST_FIELDS)], "others are served"


REQUEST_FIELDS = ("GET", b"/", [(b"host", b"a")], "2", True, False, b"", b"https")


def test_a_malformed_request_concerns_nobody_else():
    connection = started()
    events = events_of(connection, headers(1, GET) + headers(3, [*GET, (b"Upper", b"x")]) + headers(5, GET))
    assert [event.stream_id for event in events] == [1, 5]
    assert reset_codes(connection) == [(3, ErrorCodes.PROTOCOL_ERROR)]


def test_more_requests_than_may_be_at_a_time():
    connection = started(HTTP2Limits(max_streams=2))
    events = events_of(connection, *[headers(stream_id, GET) for stream_id in (1, 3, 5)])
    assert [event.stream_id for event in events] == [1, 3]
    assert reset_codes(connection) == [(5, ErrorCodes.REFUSED_STREAM)]
    connection.send_response(1, 200, [], end=True)
    assert [event.stream_id for event in events_of(connection, headers(7, GET))] == [7]


def test_streams_that_somebody_still_works_for_keep_their_places():
    connection = started(HTTP2Limits(max_streams=2))
    connection.occupy(1)
    assert [event.stream_id for event in events_of(connection, headers(1, GET) + headers(3, GET))] == [1]
    assert reset_codes(connection) == [(3, ErrorCodes.REFUSED_STREAM)]
    connection.occupy(-1)
    assert [event.stream_id for event in events_of(connection, headers(5, GET))] == [5]


# Violations

ENHANCE, FLOW, SIZE, PROTOCOL, COMPRESSION = (
    ErrorCodes.ENHANCE_YOUR_CALM,
    ErrorCodes.FLOW_CONTROL_ERROR,
    ErrorCodes.FRAME_SIZE_ERROR,
    ErrorCodes.PROTOCOL_ERROR,
    ErrorCodes.COMPRESSION_ERROR,
)
VIOLATIONS = {
    "a frame that is too large": (SIZE, frame(DATA, 0, 1, bytes(16_385))[:9]),
    "a header block that cannot be decoded": (COMPRESSION, frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff")),
    "headers on stream 0": (PROTOCOL, headers(0, GET)),
    "headers on an even stream": (PROTOCOL, headers(2, GET)),
    "data on an idle stream": (PROTOCOL, frame(DATA, 0, 1, b"x")),
    "a priority on stream 0": (PROTOCOL, frame(PRIORITY, 0, 0, bytes(5))),
    "a push": (PROTOCOL, frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2")),
    "a frame between header frames": (PROTOCOL, headers(1, GET, 0) + frame(PING, 0, 0, bytes(8))),
    "a continuation of nothing": (PROTOCOL, frame(CONTINUATION, END_HEADERS, 1)),
    "a short ping": (SIZE, frame(PING, 0, 0, b"x")),
    "a short goaway": (SIZE, frame(GOAWAY, 0, 0, b"x")),
    "a goaway on a stream": (PROTOCOL, frame(GOAWAY, 0, 1, bytes(8))),
    "a window that is too large": (FLOW, frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")),
    "a window of nothing": (PROTOCOL, frame(WINDOW_UPDATE, 0, 0, bytes(4))),
    "an impossible setting": (FLOW, frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")),
    "a bomb of fields": (
        ENHANCE,
        frame(HEADERS, 5, 1, b"\x40\x01a" + b"\x7f\x80\x1e" + b"b" * 3967 + b"\xbe" * 200),
    ),
    "endless continuation": (
        ENHANCE,
        headers(1, GET, 0) + frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 3000) * 5,
    ),
    "empty continuations": (PROTOCOL, headers(1, GET, 0) + frame(CONTINUATION, 0, 1) * 100),
    "pings": (ENHANCE, frame(PING, 0, 0, bytes(8)) * 1001),
    "settings": (ENHANCE, frame(SETTINGS, 0, 0) * 1001),
    "priorities": (ENHANCE, frame(PRIORITY, 0, 1, bytes(5)) * 1001),
    "windows": (ENHANCE, frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 1001),
    "unknown frames": (ENHANCE, frame(99) * 1001),
    "empty data": (ENHANCE, headers(1, POST, END_HEADERS) + frame(DATA, 0, 1) * 1001),
    "padding": (ENHANCE, headers(1, POST, END_HEADERS) + frame(DATA, PADDED, 1, b"\1\0") * 1001),
    "resets": (
        ENHANCE,
        b"".join(headers(n, GET) + frame(RST_STREAM, 0, n, b"\0\0\0\x08") for n in range(1, 500, 2)),
    ),
    "streams that we had to reset": (
        ENHANCE,
        b"".join(headers(n, [*GET, (b"Upper", b"")]) for n in range(1, 500, 2)),
    ),
    "streams beyond any measure": (ENHANCE, b"".join(headers(n, GET) for n in range(1, 2000, 2))),
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_violations(case):
    code, data = VIOLATIONS[case]
    connection = started(HTTP2Limits(max_resets=100))
    events = events_of(connection, data + headers(999, GET))
    assert [type(event) for event in events].count(ProtocolViolated) == 1
    assert isinstance(events[-1], ProtocolViolated)
    assert events[-1].reason.isprintable()
    assert goaway(connection)[0] == code
    assert connection.open_streams == connection.buffered == 0
    assert events_of(connection, headers(1001, GET), b"") == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX",
        PREFACE + frame(PING, 0, 0, bytes(8)),
        PREFACE + frame(SETTINGS, ACK),
    ],
)
def test_what_does_not_begin_as_http2(data):
    connection = HTTP2Connection()
    (event,) = events_of(connection, data)
    assert event.status == 400
    assert goaway(connection) == (PROTOCOL, 0)


def test_a_window_of_time_forgives():
    connection = started()
    connection.start_window()
    for _ in range(3):
        assert events_of(connection, frame(PING, 0, 0, bytes(8)) * 1000) == []
        connection.start_window()


def test_requests_before_a_violation_are_told():
    connection = started()
    first, last = events_of(connection, headers(1, GET) + frame(PING, 0, 0, b"x"))
    assert (first, type(last)) == (REQUEST, ProtocolViolated)


# Flow control


def test_a_body_waits_for_who_reads_it():
    peer = Peer(HTTP2Limits(stream_window=100_000, connection_window=150_000))
    peer.client.send_headers(1, POST)
    peer.exchange()
    assert peer.client.local_flow_control_window(1) == 100_000
    for _ in range(10):
        peer.client.send_data(1, bytes(10_000))
    peer.exchange()
    assert peer.client.local_flow_control_window(1) == 0
    peer.server.acknowledge(1, 80_000)
    peer.exchange()
    assert peer.client.local_flow_control_window(1) == 80_000
    peer.server.acknowledge(1, 10**9)
    peer.server.acknowledge(1, 1)
    peer.exchange()
    assert peer.client.local_flow_control_window(1) == 80_000, "so little is not worth a frame"


def test_what_nobody_read_is_given_back_when_the_stream_ends():
    peer = Peer(HTTP2Limits(stream_window=65_535, connection_window=65_535))
    for stream_id in (1, 3, 5, 7):
        peer.client.send_headers(stream_id, POST)
        for _ in range(6):
            peer.client.send_data(stream_id, bytes(10_000))
        assert len(peer.exchange()[0]) == 7
        peer.server.send_response(stream_id, 200, [], end=True)
        peer.exchange()


def test_data_for_a_stream_that_is_over_is_given_back():
    connection = started(HTTP2Limits(max_streams=1))
    events_of(connection, headers(1, GET) + headers(3, POST, END_HEADERS))
    assert reset_codes(connection) == [(3, ErrorCodes.REFUSED_STREAM)]
    assert events_of(connection, *[frame(DATA, 0, 3, bytes(16_384))] * 64) == []
    assert (WINDOW_UPDATE, 0) in kinds(connection.data_to_send())


def test_a_peer_that_ignores_its_window():
    connection = started(HTTP2Limits(stream_window=10))
    data = headers(1, POST, END_HEADERS) + frame(DATA, 0, 1, bytes(11))
    assert isinstance(events_of(connection, data)[-1], ProtocolViolated)
    assert goaway(connection)[0] == FLOW


def test_a_body_in_countless_pieces():
    connection = started(HTTP2Limits(max_small_data=0))
    before = amount_of(connection, "protocols.tiny_frames")
    tiny = frame(DATA, 0, 1, b"x")
    assert len(events_of(connection, headers(1, POST, END_HEADERS) + tiny * 8192)) == 8193
    connection.acknowledge(1, 8192)
    assert len(events_of(connection, tiny * 8192)) == 8192
    connection.acknowledge(1, 8191)
    assert events_of(connection, tiny) == [BodyReceived(1, b"x"), StreamClosed(1)]
    assert reset_codes(connection) == [(1, ErrorCodes.ENHANCE_YOUR_CALM)]
    assert amount_of(connection, "protocols.tiny_frames") == before + 1
    assert events_of(connection, frame(DATA, END_STREAM, 1, b"x")) == []


# The end of a connection


def test_going_away():
    peer = Peer()
    peer.request(1)
    peer.server.shutdown()
    peer.server.shutdown()
    _, (event,) = peer.exchange()
    assert (type(event), event.last_stream_id, event.error_code) == (h2.ConnectionTerminated, 1, 0)
    connection = peer.server
    assert events_of(connection, headers(3, GET)) == []
    assert reset_codes(connection) == [(3, ErrorCodes.REFUSED_STREAM)]
    connection.send_response(1, 200, [])
    connection.send_data(1, b"late but whole", end=True)
    assert kinds(connection.data_to_send()) == [(HEADERS, 1), (DATA, 1)]
    assert connection.open_streams == 0


def test_going_away_loses_no_request_that_is_on_its_way():
    connection = started()
    connection.announce_shutdown()
    connection.announce_shutdown()
    assert sorted(frames_of(connection.data_to_send())) == [
        (PING, 0, 0, b"farewell"),
        (GOAWAY, 0, 0, bytes.fromhex("7fffffff00000000")),
    ]
    assert events_of(connection, headers(1, GET) + frame(PING, ACK, 0, b"whatever")) == [REQUEST]
    assert not connection.draining
    assert events_of(connection, frame(PING, ACK, 0, b"farewell")) == []
    assert connection.draining
    assert goaway(connection) == (0, 1)
    connection.announce_shutdown()
    assert connection.data_to_send() == b""
    assert events_of(connection, headers(3, GET)) == []
    assert reset_codes(connection) == [(3, ErrorCodes.REFUSED_STREAM)]


def test_a_ping_that_nobody_asked_for_ends_nothing():
    connection = started()
    assert events_of(connection, frame(PING, ACK, 0, b"farewell")) == []
    assert not connection.draining


def test_the_peer_goes_away_and_still_wants_its_answers():
    connection = started()
    assert events_of(connection, headers(1, GET) + frame(GOAWAY, 0, 0, bytes(8))) == [REQUEST]
    connection.send_response(1, 200, [], end=True)
    assert kinds(connection.data_to_send()) == [(HEADERS, 1)]
    assert connection.next_event() == ConnectionClosed()
    assert connection.next_event() is None
    connection.shutdown()
    assert connection.data_to_send() == b""


def test_who_leaves_and_waits_for_nothing_is_gone_whatever_follows():
    connection = started()
    assert events_of(connection, frame(GOAWAY, 0, 0, bytes(8)) + headers(1, GET)) == [ConnectionClosed()]


# WebSocket


def test_a_websocket():
    peer = Peer()
    fields = [*WEBSOCKET, (b"sec-websocket-version", b"13")]
    (request,) = peer.request(1, fields, ended=False)
    assert (request.upgrade, request.ended) == (b"websocket", False)
    handshake = accept_handshake(request)
    peer.server.send_response(1, handshake.status, accept_headers(None, []))
    websocket = WebSocketConnection()
    peer.server.send_data(1, encode_message("hello"))
    peer.client.send_data(1, b"\x88\x82\0\0\0\0\x03\xe8")
    (body,), _ = peer.exchange()
    assert events_of(websocket, body.data)[0].code == 1000
    peer.server.send_data(1, websocket.data_to_send(), end=True)
    assert peer.server.open_streams == 1, "the peer has not ended its half"
    peer.client.end_stream(1)
    assert peer.exchange()[0] == [BodyEnded(1)]
    assert peer.server.open_streams == 0


def test_websockets_are_announced():
    client = Peer().client
    assert client.remote_settings.enable_connect_protocol == 1
    assert client.remote_settings.max_concurrent_streams == 100


# The upgrade from HTTP/1.1


def upgrade_request(settings=b"AAMAAABkAAQAoAAAAAIAAAAA", fields=b"", connection=b"Upgrade, HTTP2-Settings"):
    http1 = HTTP1Connection()
    http1.receive_data(
        b"GET /path?q HTTP/1.1\r\nHost: a\r\nConnection: %b\r\nUpgrade: h2c\r\nX: y\r\n%b"
        b"HTTP2-Settings: %b\r\n\r\n" % (connection, fields, settings)
    )
    return http1.next_event()


def test_an_upgrade():
    connection = upgrade_to_http2(upgrade_request())
    assert connection.next_event() == RequestReceived(
        1, "GET", b"/path?q", [(b"host", b"a"), (b"x", b"y")], "2", True, scheme=b"http"
    )
    connection.send_response(1, 200, [])
    connection.send_data(1, b"a" * 40_960, end=True)
    sent = frames_of(connection.data_to_send())
    assert sent[0][0] == SETTINGS
    assert b"".join(payload for kind, _, _, payload in sent if kind == DATA) == b"a" * 40_960
    events = events_of(connection, HELLO + headers(3, GET))
    assert [event.stream_id for event in events] == [3]


@pytest.mark.parametrize(
    "request_",
    [
        upgrade_request(b"!"),
        upgrade_request(b"AAAA"),
        upgrade_request(base64.urlsafe_b64encode(b"\0\2\0\0\0\7")),
        upgrade_request(fields=b"HTTP2-Settings: AAMAAABk\r\n"),
        upgrade_request(connection=b"Upgrade"),
        REQUEST,
    ],
)
def test_an_upgrade_that_is_not_granted(request_):
    assert upgrade_to_http2(request_) is None


def test_a_request_that_nobody_has_begun_to_work_for_is_refused_so_that_the_peer_repeats_it():
    connection = started()
    events_of(connection, headers(1, GET))
    connection.refuse(1)
    assert reset_codes(connection) == [(1, ErrorCodes.REFUSED_STREAM)]
    assert amount_of(connection, "protocols.refused_stream") == 1
    assert connection.open_streams == 0


def test_who_is_refused_again_and_again_is_sent_away():
    connection = started()
    for stream_id in range(1, 10_000, 2):
        if not events_of(connection, headers(stream_id, GET)):
            break
        connection.refuse(stream_id)
    assert goaway(connection)[0] == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("kept", [False, True])
def test_names_with_underscores_are_left_out_unless_they_are_wanted(kept):
    connection = started(HTTP2Limits(underscores=kept))
    (request,) = events_of(connection, headers(1, [*GET, (b"x_own", b"1")]))
    assert ((b"x_own", b"1") in request.headers) is kept


def test_what_was_received_is_forgotten_with_the_connection():
    connection = started()
    connection.receive_data(headers(1, GET))
    connection.discard()
    assert connection.next_event() is None


def test_the_peer_resets_a_stream():
    connection = started()
    events_of(connection, headers(1, POST, END_HEADERS))
    assert events_of(connection, frame(RST_STREAM, 0, 1, bytes(4))) == [StreamClosed(1)]
    assert connection.open_streams == 0


def test_a_window_that_opens_lets_a_body_go_on():
    connection = started()
    events_of(connection, headers(1, GET) + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\2"))
    connection.send_response(1, 200, [])
    connection.send_data(1, b"abc", end=True)
    assert frames_of(connection.data_to_send())[-1] == (DATA, 0, 1, b"ab")
    events_of(connection, frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"))
    assert frames_of(connection.data_to_send())[-1] == (DATA, END_STREAM, 1, b"c")
