"""Our own engine by itself; test_connection.py and test_response.py have what both engines do."""

import pytest
from h2.errors import ErrorCodes

from channels.protocols.events import BodyEnded, BodyReceived, ProtocolViolated, RequestReceived, StreamClosed
from channels.protocols.http2 import engine_native as http2_native
from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits
from channels.protocols.http2.engine import (
    DataReceived,
    FieldsReceived,
    PingAnswered,
    StreamReset,
    WindowOpened,
)
from channels.protocols.http2.engine_native import NativeEngine
from channels.protocols.http2.frames import ConnectionFault, RawFrame
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
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    events_of,
    frame,
    frames_of,
    headers,
)

CALM, CLOSED, FLOW, PROTOCOL, SIZE = (
    ErrorCodes.ENHANCE_YOUR_CALM,
    ErrorCodes.STREAM_CLOSED,
    ErrorCodes.FLOW_CONTROL_ERROR,
    ErrorCodes.PROTOCOL_ERROR,
    ErrorCodes.FRAME_SIZE_ERROR,
)
OPEN = headers(1, POST, END_HEADERS)
BLOCK = headers(1, GET)[9:]


def started(limits=HTTP2Limits()):  # noqa: B008
    connection = HTTP2Connection(limits, engine="native")
    assert events_of(connection, HELLO) == []
    connection.data_to_send()
    return connection


def said(connection):
    """Errors that we sent: (kind, stream, code)."""
    return [
        (kind, stream_id, int.from_bytes(payload[-4:], "big"))
        for kind, _, stream_id, payload in frames_of(connection.data_to_send())
        if kind in (GOAWAY, RST_STREAM)
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(PRIORITY, 0, 1, b"\0\0\0\1\x10"), PROTOCOL),
        (frame(PRIORITY, 0, 1, bytes(4)), SIZE),
        (frame(HEADERS, 0x25, 1, b"\0\0\0\1\x10" + BLOCK), PROTOCOL),
        (frame(HEADERS, 0x25, 1, b"\0\0"), SIZE),
        (frame(HEADERS, END_HEADERS | PADDED, 1, b"\x09abc"), PROTOCOL),
        (frame(HEADERS, END_HEADERS | PADDED, 1), SIZE),
        (OPEN + frame(DATA, PADDED, 1, b"\4abc"), PROTOCOL),
        (OPEN + frame(DATA, PADDED, 1), SIZE),
        (frame(DATA, 0, 0, b"x"), PROTOCOL),
        (OPEN + frame(DATA, 0, 2, b"x"), PROTOCOL),
        (headers(3, GET) + frame(DATA, 0, 1, b"x"), CLOSED),
        (headers(3, GET) + headers(1, GET), PROTOCOL),
        (headers(1, GET) + headers(5, GET) + headers(3, GET), PROTOCOL),
        (OPEN + frame(RST_STREAM, 0, 1, bytes(4)) + headers(1, GET), CLOSED),
        (headers(1, GET, END_STREAM) + frame(CONTINUATION, END_HEADERS, 3), PROTOCOL),
        (frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL),
        (frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL),
        (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), SIZE),
        (OPEN + frame(RST_STREAM, 0, 1, bytes(4)) + frame(DATA, 0, 1, b"x"), CLOSED),
        (frame(SETTINGS, 0, 1), PROTOCOL),
        (frame(SETTINGS, 1, 0, bytes(6)), SIZE),
        (frame(SETTINGS, 0, 0, bytes(5)), SIZE),
        (frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"), PROTOCOL),
        (frame(SETTINGS, 0, 0, b"\0\x08\0\0\0\2"), PROTOCOL),
        (frame(SETTINGS, 0, 0, b"\0\5\0\0\x3f\xff"), PROTOCOL),
        (frame(SETTINGS, 0, 0, b"\0\5\1\0\0\0"), PROTOCOL),
        (
            OPEN + frame(WINDOW_UPDATE, 0, 1, b"\0\1\0\0") + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff"),
            FLOW,
        ),
        (frame(PING, 0, 1, bytes(8)), PROTOCOL),
        (frame(PING, 0, 0, bytes(7)), SIZE),
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), SIZE),
        (frame(WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL),
        (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), FLOW),
        (headers(2, GET), PROTOCOL),
        (headers(1, GET, END_STREAM) + frame(PING, 0, 0, bytes(8)), PROTOCOL),
        (frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
        (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
        (frame(PUSH_PROMISE, 0, 1, bytes(4)), PROTOCOL),
        (frame(GOAWAY, 0, 0, bytes(7)), SIZE),
        (frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), PROTOCOL),
    ],
)
def test_the_connection_ends(data, code):
    connection = started()
    assert isinstance(events_of(connection, data)[-1], ProtocolViolated)
    assert said(connection)[-1][::2] == (GOAWAY, code)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (headers(1, POST, END_HEADERS), PROTOCOL),  # trailers that end nothing
        (frame(WINDOW_UPDATE, 0, 1, bytes(4)), PROTOCOL),
        (frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"), FLOW),
    ],
)
def test_a_stream_ends(data, code):
    connection = started()
    assert events_of(connection, OPEN + data)[1:] == [StreamClosed(1)]
    assert said(connection) == [(RST_STREAM, 1, code)]
    assert isinstance(events_of(connection, headers(3, GET))[0], RequestReceived), "others are served"


@pytest.mark.parametrize("more", [frame(DATA, 0, 1, b"x"), headers(1, [(b"a", b"b")])])
def test_more_than_the_end_of_a_request(more):
    connection = started()
    assert events_of(connection, headers(1, GET) + more)[1:] == [StreamClosed(1)]
    assert said(connection) == [(RST_STREAM, 1, CLOSED)]


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (frame(DATA, END_STREAM, 1, b"abc"), True),
        (frame(DATA, 0, 1, b"ab") + frame(DATA, END_STREAM, 1, b"c"), True),
        (frame(DATA, 0, 1, b"abc") + headers(1, [(b"a", b"b")]), True),
        (frame(DATA, END_STREAM, 1, b"ab"), False),
        (frame(DATA, 0, 1, b"abcd"), False),
        (frame(DATA, 0, 1, b"ab") + headers(1, [(b"a", b"b")]), False),
    ],
)
def test_a_content_length_is_a_promise(body, fits):
    connection = started()
    request = headers(1, [*POST, (b"content-length", b"3")], END_HEADERS)
    events = events_of(connection, request + body)
    assert (StreamClosed(1) in events) is not fits
    assert any(isinstance(event, BodyEnded) for event in events) is fits
    assert said(connection) == ([] if fits else [(RST_STREAM, 1, PROTOCOL)])


@pytest.mark.parametrize("length", [b"a", b"", b"-1", b"1" * 19])
def test_a_content_length_that_is_none(length):
    connection = started()
    assert events_of(connection, headers(1, [*POST, (b"content-length", length)], END_HEADERS)) == []
    assert said(connection) == [(RST_STREAM, 1, PROTOCOL)]


def test_padding_is_taken_off():
    connection = started()
    padded = frame(HEADERS, END_HEADERS | PADDED, 1, b"\2" + headers(1, POST)[9:] + b"\0\0")
    body = frame(DATA, PADDED | END_STREAM, 1, b"\2abc\0\0")
    assert events_of(connection, padded + body)[1:] == [BodyReceived(1, b"abc"), BodyEnded(1)]


def test_what_was_on_its_way_to_a_stream_that_we_broke_off_is_ignored(monkeypatch):
    monkeypatch.setattr(http2_native, "_MAX_FORSAKEN", 1)
    connection = started()
    events_of(connection, OPEN + headers(3, POST, END_HEADERS))
    connection.reset(3)
    more = frame(DATA, 0, 3, b"x") + frame(WINDOW_UPDATE, 0, 3, b"\0\0\0\1") + headers(3, [(b"a", b"b")])
    assert events_of(connection, more) == []
    assert isinstance(events_of(connection, frame(DATA, 0, 3, b"x"))[0], ProtocolViolated), "it had ended"
    connection = started()
    events_of(connection, OPEN + headers(3, POST, END_HEADERS))
    connection.reset(1)
    connection.reset(3)
    assert events_of(connection, frame(DATA, 0, 3, b"x")) == []
    assert isinstance(events_of(connection, frame(DATA, 0, 1, b"x"))[0], ProtocolViolated), "long forgotten"


def test_a_large_block_goes_in_several_frames():
    connection = started()
    events_of(connection, headers(1, GET))
    connection.send_response(1, 200, [(b"a", b"b" * 40_000)], end=True)
    sent = [(kind, flags, len(payload)) for kind, flags, _, payload in frames_of(connection.data_to_send())]
    assert [entry[:2] for entry in sent] == [
        (HEADERS, END_STREAM),
        (CONTINUATION, 0),
        (CONTINUATION, END_HEADERS),
    ]
    assert [entry[2] for entry in sent[:2]] == [16_384, 16_384]


def test_the_peer_may_take_larger_frames():
    connection = started()
    events_of(connection, headers(1, GET) + frame(SETTINGS, 0, 0, b"\0\5\0\0\x80\0"))
    connection.send_response(1, 200, [])
    connection.send_data(1, bytes(30_000), end=True)
    assert [len(payload) for kind, _, _, payload in frames_of(connection.data_to_send()) if kind == DATA] == [
        30_000
    ]


def test_a_smaller_table_of_the_peer_is_acknowledged_in_the_next_block():
    connection = started()
    events_of(connection, frame(SETTINGS, 0, 0, b"\0\1\0\0\0\0") + headers(1, GET))
    connection.send_response(1, 204, [], end=True)
    block = frames_of(connection.data_to_send())[-1][3]
    assert block[0] == 0x20


def raw(kind, flags, stream_id, payload=b""):
    return RawFrame(kind, flags, stream_id, b"", payload)


def told(engine, *frames):
    return [event for each in frames for event in engine.receive_frame(each)]


def written(engine):
    return frames_of(engine.data_to_send())


def test_a_block_that_comes_in_parts():
    engine = NativeEngine(HTTP2Limits())
    parts = [raw(HEADERS, END_STREAM, 1, BLOCK[:5]), raw(CONTINUATION, 0, 1, BLOCK[5:9])]
    assert told(engine, *parts) == []
    assert told(engine, raw(CONTINUATION, END_HEADERS, 1, BLOCK[9:])) == [FieldsReceived(1, GET, True)]


def test_a_block_has_only_so_many_parts():
    engine = NativeEngine(HTTP2Limits())
    told(engine, raw(HEADERS, END_STREAM, 1), *[raw(CONTINUATION, 0, 1)] * http2_native._MAX_CONTINUATIONS)
    with pytest.raises(ConnectionFault, match="too many frames"):
        told(engine, raw(CONTINUATION, 0, 1))


def test_a_priority_is_taken_off_and_otherwise_ignored():
    engine = NativeEngine(HTTP2Limits())
    assert told(engine, raw(PRIORITY, 0, 1, b"\0\0\0\3\x10"), raw(99, 0, 1)) == []
    weighted = raw(HEADERS, END_STREAM | END_HEADERS | 0x20, 1, b"\0\0\0\3\x10" + BLOCK)
    assert told(engine, weighted) == [FieldsReceived(1, GET, True)]


def test_pings_go_both_ways():
    engine = NativeEngine(HTTP2Limits())
    written(engine)
    engine.ping(b"whatever")
    assert told(engine, raw(PING, 0, 0, b"farewell")) == []
    assert written(engine) == [(PING, 0, 0, b"whatever"), (PING, ACK, 0, b"farewell")]
    assert told(engine, raw(PING, ACK, 0, b"whatever")) == [PingAnswered(b"whatever")]


def test_settings_are_acknowledged_and_their_acknowledgement_is_not():
    engine = NativeEngine(HTTP2Limits())
    written(engine)
    assert told(engine, raw(SETTINGS, ACK, 0)) == []
    assert written(engine) == []
    assert told(engine, raw(SETTINGS, 0, 0, b"\0\2\0\0\0\1")) == [WindowOpened()]
    assert written(engine) == [(SETTINGS, ACK, 0, b"")]


def test_windows_move_with_the_peers_settings_and_updates():
    engine = NativeEngine(HTTP2Limits())
    told(engine, raw(HEADERS, END_HEADERS, 1, BLOCK))
    assert engine.window(1) == 65_535
    told(engine, raw(SETTINGS, 0, 0, b"\0\4\0\0\0\x0a"))
    assert engine.window(1) == 10
    assert told(engine, raw(WINDOW_UPDATE, 0, 1, b"\0\0\0\5"), raw(WINDOW_UPDATE, 0, 0, b"\0\0\0\1")) == [
        WindowOpened(),
        WindowOpened(),
    ]
    assert engine.window(1) == 15
    engine.reset_stream(1, ErrorCodes.CANCEL)
    assert told(engine, raw(WINDOW_UPDATE, 0, 1, b"\0\0\0\5")) == []


def test_what_was_read_opens_the_windows_again():
    engine = NativeEngine(HTTP2Limits(stream_window=70_000, connection_window=70_000))
    told(engine, raw(HEADERS, END_HEADERS, 1, BLOCK), raw(DATA, 0, 1, bytes(60_000)))
    written(engine)
    engine.acknowledge(1, 60_000)
    assert written(engine) == [
        (WINDOW_UPDATE, 0, 0, (60_000).to_bytes(4, "big")),
        (WINDOW_UPDATE, 0, 1, (60_000).to_bytes(4, "big")),
    ]
    engine.acknowledge(3, 1)
    assert written(engine) == []


def test_an_upgrade_opens_stream_1_with_the_settings_that_came_with_it():
    engine = NativeEngine(HTTP2Limits(), b"AAQAAAAK")  # INITIAL_WINDOW_SIZE 10
    assert engine.window(1) == 10
    assert engine.window(3) == 0
    with pytest.raises(ValueError, match="HTTP2-Settings"):
        NativeEngine(HTTP2Limits(), b"AAIAAAAC")  # ENABLE_PUSH 2


def test_a_response_may_end_before_its_request():
    engine = NativeEngine(HTTP2Limits())
    told(engine, raw(HEADERS, END_HEADERS, 1, BLOCK))
    engine.send_headers(1, [(b":status", b"200")], end=True)
    assert told(engine, raw(DATA, END_STREAM, 1, b"late")) == [DataReceived(1, b"late", 4, True)]
    assert not engine._streams


def test_a_peer_resets_a_stream_once():
    engine = NativeEngine(HTTP2Limits())
    told(engine, raw(HEADERS, END_HEADERS, 1, BLOCK))
    reset = raw(RST_STREAM, 0, 1, bytes(4))
    assert told(engine, reset, reset) == [StreamReset(1, by_peer=True)]


def test_nothing_is_kept_of_streams_that_are_over():
    engine = NativeEngine(HTTP2Limits())
    for stream_id in range(1, 2001, 2):
        engine.receive_frame(RawFrame(HEADERS, END_HEADERS | END_STREAM, stream_id, b"", BLOCK))
        engine.send_headers(stream_id, [(b":status", b"200")], end=False)
        engine.send_data(stream_id, b"x", end=True)
    assert not engine._streams
    assert not engine._forsaken
    assert engine.window(1) == 0
