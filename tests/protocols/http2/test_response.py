import pytest
from h2 import events as h2
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hpack import NeverIndexedHeaderTuple

from channels.protocols.events import StreamClosed, StreamWritable
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http2 import engines
from channels.protocols.http2.connection import HTTP2Limits
from tests.protocols.facts import amount_of
from tests.protocols.http2_peer import (
    DATA,
    GET,
    GOAWAY,
    HEADERS,
    POST,
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


def of(kind, heard):
    return [event for event in heard if isinstance(event, kind)]


def body_of(heard):
    return b"".join(event.data for event in of(h2.DataReceived, heard))


def answering(method=GET, stream_id=1, **limits):
    peer = Peer(HTTP2Limits(**limits))
    peer.request(stream_id, method)
    return peer


def read(peer, heard):
    """The client's application has read everything."""
    for event in of(h2.DataReceived, heard):
        peer.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)


def test_interim_responses():
    peer = answering()
    peer.server.send_informational(1, 103, [(b"Link", b"</a>"), (b"connection", b"close")])
    peer.server.send_informational(1, 100)
    peer.server.send_response(1, 200, [], end=True)
    _, heard = peer.exchange()
    assert heard[0].headers == [(b":status", b"103"), (b"link", b"</a>")]
    assert heard[1].headers == [(b":status", b"100")]
    assert len(of(h2.StreamEnded, heard)) == 1


def test_interim_responses_out_of_turn():
    peer = answering()
    for status in (99, 101, 200):
        with pytest.raises(ValueError, match=f"not {status}"):
            peer.server.send_informational(1, status)
    peer.server.send_response(1, 200, [])
    with pytest.raises(RuntimeError, match="the response has begun"):
        peer.server.send_informational(1, 103)


def test_a_cookie_is_kept_out_of_the_tables():
    peer = answering()
    peer.server.send_response(1, 200, [(b"Set-Cookie", b"a=b"), (b"x", b"y")], end=True)
    fields = peer.exchange()[1][0].headers
    assert isinstance(fields[1], NeverIndexedHeaderTuple)
    assert not isinstance(fields[2], NeverIndexedHeaderTuple)


OWN = ResponseFields(((b"date", b"today"), (b"Server", b"z")))
SAID = ResponseFields(((b"Content-Type", b"text/plain"), (b"connection", b"close"), (b"set-cookie", b"a=b")))
WITH_LENGTH = ResponseFields(((b"content-length", b"5"), (b"x", b"y")), 5)


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize(("status", "fields"), [(200, SAID), (404, WITH_LENGTH), (999, ResponseFields())])
def test_a_whole_response_is_the_same_as_its_parts(status, fields, ended):
    whole, parts = Peer(), Peer()
    for peer in (whole, parts):
        peer.request(1, GET if ended else POST, ended=ended)
    assert whole.server.send_whole(1, status, fields, OWN, b"hello")
    given = [field for field in fields.headers if field[0] != b"content-length"]
    parts.server.send_response(1, status, [*given, *OWN.headers, (b"content-length", b"5")])
    parts.server.send_data(1, b"hello", end=True)
    assert whole.server.data_to_send() == parts.server.data_to_send() != b""
    assert whole.server.open_streams == parts.server.open_streams == 0


@pytest.mark.parametrize(
    ("method", "status", "data"),
    [
        (GET, 200, b""),
        (GET, 204, b"x"),
        (GET, 304, b"x"),
        (GET, 199, b"x"),
        (GET, 1000, b"x"),
        (GET, 200, bytes(16_385)),
        (GET, 200, bytes(65_536)),
        ([(b":method", b"HEAD"), *GET[1:]], 200, b"x"),
        (WEBSOCKET, 200, b"x"),
    ],
)
def test_what_is_no_whole_response_is_left_alone(method, status, data):
    peer = answering(method)
    assert not peer.server.send_whole(1, status, SAID, OWN, data)
    assert peer.server.data_to_send() == b""


def test_a_response_that_has_begun_or_whose_peer_left_is_not_whole():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.data_to_send()
    assert not peer.server.send_whole(1, 200, SAID, OWN, b"x")
    assert not peer.server.send_whole(3, 200, SAID, OWN, b"x")
    assert peer.server.data_to_send() == b""


def test_a_large_body_goes_as_fast_as_it_is_read():
    peer = answering()
    body = bytes(range(256)) * 2000
    peer.server.send_response(1, 200, [])
    assert peer.server.writable(1) == 65_535
    peer.server.send_data(1, body)
    assert peer.server.writable(1) == 0
    assert peer.server.pending(1) == len(body) - 65_535
    assert peer.server.blocked == [1]
    received, told = b"", []
    while not told:
        more, heard = peer.exchange()
        told += more
        received += body_of(heard)
        read(peer, heard)
    assert told == [StreamWritable(1)]
    peer.server.end_stream(1)
    received += body_of(peer.exchange()[1])
    assert received == body
    assert (peer.server.blocked, peer.server.open_streams) == ([], 0)


@pytest.mark.parametrize("trailers", [[], [(b"Checksum", b"x")]])
def test_the_end_waits_for_the_body(trailers):
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.send_data(1, bytes(100_000))
    peer.server.end_stream(1, trailers)
    assert peer.server.open_streams == 1
    size, ended = 0, []
    while not ended:
        told, heard = peer.exchange()
        assert told == []
        size += len(body_of(heard))
        ended = of(h2.StreamEnded, heard)
        if trailers and ended:
            assert of(h2.TrailersReceived, heard)[0].headers == [(b"checksum", b"x")]
        read(peer, heard)
    assert (size, peer.server.open_streams, peer.server.blocked) == (100_000, 0, [])


def test_trailers_at_once():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.send_data(1, b"x")
    peer.server.end_stream(1, [(b"a", b"b")])
    assert of(h2.TrailersReceived, peer.exchange()[1])[0].headers == [(b"a", b"b")]


@pytest.mark.parametrize("status", [204, 304])
def test_trailers_without_a_body_are_dropped(status):
    peer = answering()
    before = amount_of(peer.server, "protocols.trailers_dropped")
    peer.server.send_response(1, status, [])
    peer.server.end_stream(1, [(b"a", b"b")])
    _, heard = peer.exchange()
    assert of(h2.TrailersReceived, heard) == []
    assert len(of(h2.StreamEnded, heard)) == 1
    assert amount_of(peer.server, "protocols.trailers_dropped") == before + 1


def test_responses_share_the_connection():
    peer = Peer()
    for stream_id in (1, 3):
        peer.request(stream_id)
    for stream_id in (1, 3):
        peer.server.send_response(stream_id, 200, [])
        peer.server.send_data(stream_id, bytes(100_000), end=True)
    _, heard = peer.exchange()
    assert {event.stream_id for event in of(h2.DataReceived, heard)} == {1}, "the connection's window is full"
    peer.client.increment_flow_control_window(100_000, 3)
    peer.client.increment_flow_control_window(100_000, 1)
    peer.client.increment_flow_control_window(60_000)
    _, heard = peer.exchange()
    sizes = [len(body_of([event for event in heard if event.stream_id == stream_id])) for stream_id in (1, 3)]
    assert min(sizes) > 20_000
    assert sum(sizes) == 60_000
    peer.client.increment_flow_control_window(100_000)
    assert len(of(h2.StreamEnded, peer.exchange()[1])) == 2


def test_what_is_held_waits_and_is_released_in_turns():
    """The windows are open, but who carries the bytes takes none."""
    peer = answering()
    for stream_id in (3, 5):
        peer.request(stream_id, GET)
    peer.server.hold()
    for stream_id in (1, 3, 5):
        peer.server.send_response(stream_id, 200, [])
        peer.server.send_data(stream_id, b"x" * 20_000, end=True)
    _, heard = peer.exchange()
    assert of(h2.DataReceived, heard) == []
    assert [peer.server.pending(stream_id) for stream_id in (1, 3, 5)] == [20_000] * 3
    got = []
    for whole in (False, False, True):
        assert peer.server.release(20_000) == whole
        _, heard = peer.exchange()
        got += [event.stream_id for event in of(h2.DataReceived, heard)]
    # A frame each, then the rest of each: nobody waits for the last of another.
    assert got == [1, 3, 5, 1, 3, 5]
    assert peer.server.blocked == []


def test_a_window_that_opens_while_all_is_held_changes_nothing():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.hold()
    peer.server.send_data(1, b"x" * 100_000)
    peer.client.increment_flow_control_window(100_000)
    peer.client.increment_flow_control_window(100_000, 1)
    _, heard = peer.exchange()
    assert of(h2.DataReceived, heard) == []
    assert peer.server.release(200_000)
    assert peer.server.next_event() == StreamWritable(1)
    assert len(body_of(peer.exchange()[1])) == 100_000


def test_a_window_that_the_settings_make():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    peer.exchange()
    peer.server.send_data(1, bytes(100))
    assert peer.server.pending(1) == 90
    peer.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    assert peer.exchange()[0] == [StreamWritable(1)]


def test_a_window_below_zero():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.send_data(1, bytes(50_000))
    peer.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    peer.exchange()
    peer.server.send_data(1, b"more", end=True)
    assert (peer.server.writable(1), peer.server.pending(1)) == (0, 4)


def test_who_does_not_read_loses_the_stream():
    peer = answering(max_pending=1000)
    peer.server.send_response(1, 200, [])
    before = amount_of(peer.server, "protocols.slow_reader")
    peer.server.send_data(1, bytes(70_000))
    assert peer.server.pending(1) > 1000
    peer.server.send_data(1, b"x")
    assert amount_of(peer.server, "protocols.slow_reader") == before + 1
    assert peer.server.next_event() == StreamClosed(1)
    (reset,) = of(h2.StreamReset, peer.exchange()[1])
    assert reset.error_code == ErrorCodes.CANCEL
    assert peer.server.blocked == []


def test_many_small_parts_count_for_what_they_take():
    peer = answering(max_pending=10_000)
    peer.server.send_response(1, 200, [])
    peer.server.send_data(1, bytes(65_535))
    for _ in range(50):
        peer.server.send_data(1, b"x")
    assert peer.server.pending(1) == 50
    peer.server.send_data(1, b"x")
    assert peer.server.next_event() == StreamClosed(1)


def test_a_body_too_long_and_too_short():
    peer = answering()
    peer.server.send_response(1, 200, [(b"content-length", b"3")])
    peer.server.send_data(1, b"ab")
    with pytest.raises(ValueError, match="longer than its Content-Length"):
        peer.server.send_data(1, b"cd")
    with pytest.raises(ValueError, match="1 bytes short"):
        peer.server.end_stream(1)
    _, heard = peer.exchange()
    assert body_of(heard) == b"ab"
    assert of(h2.StreamReset, heard)[0].error_code == ErrorCodes.INTERNAL_ERROR
    assert peer.server.open_streams == 0


def test_a_head_that_promises_a_body_and_ends():
    peer = answering()
    with pytest.raises(ValueError, match="3 bytes short"):
        peer.server.send_response(1, 200, [(b"content-length", b"3")], end=True)
    assert len(of(h2.StreamReset, peer.exchange()[1])) == 1


def test_head_has_no_body():
    peer = answering([(b":method", b"HEAD"), *GET[1:]])
    peer.server.send_response(1, 200, [(b"content-length", b"3")])
    peer.server.send_data(1, b"abc", end=True)
    _, heard = peer.exchange()
    assert body_of(heard) == b""
    assert heard[0].headers[1:] == [(b"content-length", b"3")]
    assert len(of(h2.StreamEnded, heard)) == 1


def test_a_request_that_is_answered_before_it_ends():
    connection = started()
    events_of(connection, headers(1, POST, 4))
    connection.send_response(1, 413, [], end=True)
    assert connection.open_streams == 0
    assert connection.data_to_send()[-13:] == b"\0\0\4\3\0\0\0\0\1\0\0\0\0", "RST_STREAM with NO_ERROR"


def test_a_websocket_is_not_reset_when_we_end_it():
    peer = Peer()
    peer.request(1, WEBSOCKET, ended=False)
    peer.server.send_response(1, 200, [])
    peer.server.end_stream(1)
    _, heard = peer.exchange()
    assert of(h2.StreamReset, heard) == []
    assert peer.server.open_streams == 1
    peer.server.reset(1, ErrorCodes.CANCEL)
    assert len(of(h2.StreamReset, peer.exchange()[1])) == 1


def test_a_reset():
    peer = answering()
    peer.server.send_response(1, 200, [])
    peer.server.send_data(1, bytes(100_000))
    peer.server.reset(1)
    (event,) = of(h2.StreamReset, peer.exchange()[1])
    assert (event.stream_id, event.error_code) == (1, ErrorCodes.INTERNAL_ERROR)
    assert (peer.server.open_streams, peer.server.blocked) == (0, [])


def test_headers_that_cannot_be_sent_leave_the_stream_as_it_was():
    peer = answering()
    with pytest.raises(ValueError, match="cannot be sent"):
        peer.server.send_response(1, 200, [(b"a", b"b\n")])
    peer.server.send_response(1, 500, [], end=True)
    assert peer.exchange()[1][0].headers == [(b":status", b"500")]


def test_what_comes_for_a_stream_that_is_over_is_dropped_and_counted():
    connection = started()
    events_of(connection, headers(1, POST, 4))
    connection.reset(1)
    connection.data_to_send()
    connection.send_informational(1, 103)
    connection.send_response(1, 200, [])
    connection.send_data(1, b"late")
    connection.end_stream(1)
    connection.reset(1)
    assert connection.data_to_send() == b""
    assert amount_of(connection, "protocols.late_frame") == 5


def test_a_request_that_ends_after_its_response_is_over_too():
    connection = started()
    events_of(connection, headers(1, WEBSOCKET, 4))
    connection.send_response(1, 200, [])
    connection.end_stream(1)
    assert connection.open_streams == 1
    events_of(connection, frame(DATA, 1, 1))
    assert connection.open_streams == 0


def test_a_goaway_follows_what_was_written_before():
    connection = started()
    events_of(connection, headers(1, GET))
    connection.send_response(1, 200, [], end=True)
    connection.shutdown()
    assert [kind for kind, *_ in frames_of(connection.data_to_send())] == [HEADERS, GOAWAY]
    assert connection.data_to_send() == b""


def test_what_an_application_has_not_read_of_a_stream_that_is_over_opens_the_window_of_others():
    connection = started(HTTP2Limits(connection_window=65_535))
    events_of(connection, headers(1, POST, 4) + frame(DATA, 0, 1, bytes(16_384)) * 3)
    connection.reset(1)
    kinds = [(kind, stream_id) for kind, _, stream_id, _ in frames_of(connection.data_to_send())]
    assert (WINDOW_UPDATE, 0) in kinds
