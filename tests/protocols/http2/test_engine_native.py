"""What the tables of both engines do not reach: see test_http2.py and test_http2_writer.py for the rest."""

import pytest
from h2.errors import ErrorCodes

from channels.protocols.events import BodyEnded, BodyReceived, ProtocolViolated, RequestReceived, StreamClosed
from channels.protocols.http2 import engine_native as http2_native
from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits
from channels.protocols.http2.engine_native import NativeEngine
from channels.protocols.http2.frames import RawFrame
from tests.protocols.http2_peer import (
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
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), SIZE),
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


def test_nothing_is_kept_of_streams_that_are_over():
    engine = NativeEngine(HTTP2Limits())
    for stream_id in range(1, 2001, 2):
        engine.receive_frame(RawFrame(HEADERS, END_HEADERS | END_STREAM, stream_id, b"", BLOCK))
        engine.send_headers(stream_id, [(b":status", b"200")], end=False)
        engine.send_data(stream_id, b"x", end=True)
    assert not engine._streams
    assert not engine._forsaken
    assert engine.window(1) == 0
