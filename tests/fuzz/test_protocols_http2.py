"""Whatever comes: the same answer in whatever pieces, nothing held for long, and never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocols.events import (
    BodyReceived,
    ConnectionClosed,
    ProtocolViolated,
    RequestReceived,
    StreamClosed,
)
from channels.protocols.http.malformed import MalformedMessage
from channels.protocols.http2.connection import HTTP2Connection, HTTP2Limits, upgrade_to_http2
from channels.protocols.http2.engines import HTTP2_ENGINES
from channels.protocols.http2.semantics import MalformedRequest, judge_request
from tests.fuzz.budget import quick
from tests.protocols.http2_peer import GET, HELLO, POST, WEBSOCKET, frame, frames_of, headers

both = pytest.mark.parametrize("engine", HTTP2_ENGINES)
LIMITS = HTTP2Limits(max_streams=3, stream_window=1000, max_resets=5, max_control_frames=20, max_pending=500)

stream_ids = st.sampled_from([1, 1, 3, 3, 5, 7, 0, 2, 2**31 - 1])
names = st.sampled_from(
    [b"a", b"Upper", b"cookie", b"host", b"te", b":path", b"connection", b"", b"content-length"]
)
values = st.sampled_from([b"", b"a", b"1", b" a", b"\0", b"\r\n", b"trailers", b"x" * 300])
fields = st.builds(
    lambda known, more: [*known, *more],
    st.sampled_from([GET, POST, WEBSOCKET, GET[:2], []]),
    st.lists(st.tuples(names, values), max_size=3),
)
payloads = st.sampled_from(
    [b"", b"\0", b"\0\0\0\1", b"\0\0\0\x08", bytes(8), b"\0\4\0\0\0\1", b"\0\4\x7f\xff\xff\xff", bytes(900)]
)
frames = st.one_of(
    st.builds(headers, stream_ids, fields),
    st.builds(headers, stream_ids, fields, st.sampled_from([4, 5, 0, 1, 0x25, 12])),
    st.builds(
        lambda stream_id, flags, data: frame(0, flags, stream_id, data),
        stream_ids,
        st.sampled_from([0, 1, 8]),
        payloads,
    ),
    st.builds(frame, st.integers(0, 12), st.sampled_from([0, 1, 4, 5]), stream_ids | st.just(0), payloads),
    st.binary(max_size=12),
)
peers = st.tuples(st.sampled_from([HELLO, HELLO, HELLO, HELLO, b""]), st.lists(frames, max_size=8)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


def answer(connection, event):
    """An application that answers each request with more than the peer takes."""
    if isinstance(event, RequestReceived):
        connection.send_response(event.stream_id, 200, [(b"a", b"b")])
        connection.send_data(event.stream_id, bytes(70_000))
    elif isinstance(event, BodyReceived) and len(event.data) > 1:
        connection.acknowledge(event.stream_id, len(event.data))
        connection.end_stream(event.stream_id)


def told(pieces, engine, *, answers):
    connection = HTTP2Connection(LIMITS, engine=engine)
    events, open_streams = [], set()

    def take():
        while (event := connection.next_event()) is not None:
            events.append(event)
            if answers:
                answer(connection, event)
            if isinstance(event, RequestReceived):
                assert event.stream_id not in open_streams, "told twice"
                open_streams.add(event.stream_id)
            elif isinstance(event, StreamClosed):
                assert event.stream_id in open_streams, "never told"

    for piece in pieces:
        connection.receive_data(piece)
        take()
        assert connection.open_streams <= LIMITS.max_streams
        assert connection.buffered <= 16_384 + 9 + 24
    connection.receive_data(b"")
    take()
    assert isinstance(events[-1], ProtocolViolated | ConnectionClosed)
    assert sum(isinstance(event, ProtocolViolated | ConnectionClosed) for event in events) == 1
    assert connection.open_streams == 0
    return events, frames_of(connection.data_to_send())


@both
@quick
@given(data=peers)
def test_the_pieces_do_not_matter(engine, data):
    whole = told([data], engine, answers=False)
    assert told([data[i : i + 1] for i in range(len(data))], engine, answers=False) == whole


@both
@quick
@given(data=peers)
def test_answers_to_whatever_comes(engine, data):
    whole = told([data], engine, answers=True)
    assert told([data[i : i + 1] for i in range(len(data))], engine, answers=True) == whole


@both
@quick
@given(data=st.binary(max_size=200))
def test_bytes_that_mean_nothing(engine, data):
    told([data], engine, answers=True)
    told([HELLO, data], engine, answers=True)
    told([HELLO, frame(1, 5, 1, data[:100])], engine, answers=True)


@quick
@given(
    st.lists(
        st.tuples(
            names | st.sampled_from([b":method", b":authority", b":protocol"]), values | st.binary(max_size=5)
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_a_request_is_understood_or_refused(more, ended):
    for known in (GET, WEBSOCKET, []):
        try:
            event = judge_request(1, [*known, *more], ended, 100)
        except (MalformedRequest, MalformedMessage):
            continue
        assert event.headers[0][0] == b"host"
        assert all(name == name.lower() and not name.startswith(b":") for name, _ in event.headers)


@quick
@given(st.binary(max_size=40))
def test_an_upgrade_is_granted_or_not(value):
    request = RequestReceived(
        1,
        "GET",
        b"/",
        [(b"host", b"a"), (b"connection", b"upgrade, http2-settings"), (b"http2-settings", value)],
        "1.1",
        True,
        upgrade=b"h2c",
    )
    connection = upgrade_to_http2(request)
    assert connection is None or isinstance(connection.next_event(), RequestReceived)
