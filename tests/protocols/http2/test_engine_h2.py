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
