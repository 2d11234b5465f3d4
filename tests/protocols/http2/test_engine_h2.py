"""What h2 does and we do not want; the rest is in the tables of both engines."""

import pytest
from h2.errors import ErrorCodes

from channels.protocols.http2.engine import FieldsReceived, HTTP2Limits
from channels.protocols.http2.engine_h2 import H2Engine
from channels.protocols.http2.frames import ConnectionFault, FrameSplitter
from tests.protocols.http2_peer import GET, GOAWAY, HELLO, PING, frame, frames_of, headers


def next_of(cutter):
    frame = cutter.next_frame()
    assert frame is not None
    return frame


def test_its_goodbye_is_not_sent_and_what_came_before_is():
    engine, cutter = H2Engine(HTTP2Limits()), FrameSplitter(1000)
    engine.data_to_send()
    cutter.receive_data(HELLO + frame(PING, 0, 0, bytes(8)) + headers(1, GET) + frame(PING, 0, 0, b"short"))
    told = []
    for _ in range(3):
        told += engine.receive_frame(next_of(cutter))
    assert told[-1] == FieldsReceived(1, GET, True)
    with pytest.raises(ConnectionFault) as caught:
        engine.receive_frame(next_of(cutter))
    assert caught.value.code == ErrorCodes.FRAME_SIZE_ERROR
    kinds = [kind for kind, *_ in frames_of(engine.data_to_send())]
    assert PING in kinds
    assert GOAWAY not in kinds


def test_many_streams_are_not_its_business():
    engine, cutter = H2Engine(HTTP2Limits(max_streams=1)), FrameSplitter(1000)
    cutter.receive_data(HELLO + headers(1, GET) + headers(3, GET))
    told = [event for _ in range(3) for event in engine.receive_frame(next_of(cutter))]
    assert [event.stream_id for event in told if isinstance(event, FieldsReceived)] == [1, 3]


def begun(request, **limits):
    """An engine that has read a request, and what it wrote first."""
    engine, cutter = H2Engine(HTTP2Limits(**limits)), FrameSplitter(100_000)
    cutter.receive_data(HELLO + request)
    told = [event for _ in range(2) for event in engine.receive_frame(next_of(cutter))]
    engine.data_to_send()
    return engine, cutter, told


def test_a_response_a_reset_and_a_ping():
    engine, _, told = begun(headers(1, GET))
    assert told[-1] == FieldsReceived(1, GET, True)
    assert (engine.window(1), engine.max_frame_size) == (65_535, 16_384)
    engine.send_headers(1, [(b":status", b"200")], end=False)
    engine.send_data(1, b"abc", end=False)
    assert engine.window(1) == 65_532
    engine.reset_stream(1, 8)
    engine.ping(b"12345678")
    kinds = [kind for kind, *_ in frames_of(engine.data_to_send())]
    assert kinds == [0x1, 0x0, 0x3, PING]
    assert engine.data_to_send() == b""


def test_a_body_is_acknowledged_when_it_was_read():
    engine, cutter, _ = begun(headers(1, GET, 0x4), stream_window=1000)
    cutter.receive_data(frame(0, 0, 1, b"x" * 1000))
    (told,) = engine.receive_frame(next_of(cutter))
    assert (told.data, told.size, told.ended) == (b"x" * 1000, 1000, False)
    assert engine.data_to_send() == b""
    engine.acknowledge(1, 1000)
    assert {kind for kind, *_ in frames_of(engine.data_to_send())} == {0x8}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(1, 0x5, 1, b"\xff\xff\xff\xff"), ErrorCodes.COMPRESSION_ERROR),
        (frame(4, 1, 0, b"123456"), ErrorCodes.FRAME_SIZE_ERROR),
        (frame(0, 0, 5, b"x"), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_faults_have_the_codes_of_the_standard(wrong, code):
    engine, cutter = H2Engine(HTTP2Limits()), FrameSplitter(100_000)
    cutter.receive_data(HELLO + wrong)
    engine.receive_frame(next_of(cutter))
    with pytest.raises(ConnectionFault) as caught:
        engine.receive_frame(next_of(cutter))
    assert caught.value.code == code


def test_settings_of_an_upgrade():
    assert H2Engine(HTTP2Limits(), b"AAMAAABk").data_to_send()
    with pytest.raises(ValueError, match="HTTP2-Settings of an upgrade cannot be used"):
        H2Engine(HTTP2Limits(), b"AAUAAAAA")
