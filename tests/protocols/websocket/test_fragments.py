"""A message in fragments, and how far one turn goes."""

from __future__ import annotations

import pytest

from channels.protocols.events import BodyReceived, CloseReceived, MessageReceived, StreamClosed
from channels.protocols.http1.connection import HTTP1Connection
from channels.protocols.http2.frames import ConnectionFault, FloodGuard
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.fragments import FragmentedMessage
from channels.protocols.websocket.limits import WebSocketLimits
from tests.server.helpers import frame

_CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_text_and_what_is_none() -> None:
    message = FragmentedMessage(text=True)
    message.add(b"\xc3", False)
    message.add(b"\xa9", True)
    assert (message.whole(), message.count, len(message)) == ("é", 2, 2)
    with pytest.raises(UnicodeDecodeError):
        FragmentedMessage(text=True).add(b"\xff", False)


def test_bytes() -> None:
    message = FragmentedMessage(text=False)
    message.add(b"\xff", True)
    assert message.whole() == b"\xff"


def test_parsing_stops_in_the_middle_of_a_buffer_and_goes_on() -> None:
    websocket = WebSocketConnection()
    websocket.receive_data(frame(b"", 9) * 5 + frame(b"text"))
    websocket.frames_left = 4
    assert websocket.next_event() is None
    assert (websocket.frames_left, websocket.has_more, websocket.control_frames) == (0, True, 4)
    assert websocket.next_event() is None
    websocket.frames_left = 2
    assert websocket.next_event() == MessageReceived("text")
    assert not websocket.has_more


def test_a_large_frame_counts_as_several() -> None:
    websocket = WebSocketConnection()
    websocket.receive_data(frame(bytes(65_536), 2))
    websocket.frames_left = 32
    assert websocket.next_event() == MessageReceived(bytes(65_536))
    assert websocket.frames_left == 32 - 1 - 16


def test_frames_that_bring_nothing_are_counted() -> None:
    websocket = WebSocketConnection()
    for piece in (
        frame(b"", 9),
        frame(b"", 10),
        frame(b"x", fin=False),
        frame(b"x" * 63, 0, fin=False),
    ):
        websocket.receive_data(piece)
        websocket.next_event()
    assert websocket.control_frames == 4
    for piece in (frame(b"x" * 64, 0, fin=False), frame(b"", 0), frame(b"small")):
        websocket.receive_data(piece)
        websocket.next_event()
    assert websocket.control_frames == 4
    for byte in frame(b"torn"):
        websocket.receive_data(bytes([byte]))
        websocket.next_event()
    assert websocket.control_frames > 4


def test_a_message_has_so_many_fragments_at_most() -> None:
    websocket = WebSocketConnection(WebSocketLimits(max_fragments=3))
    websocket.receive_data(frame(b"a", fin=False) + frame(b"b", 0, fin=False) + frame(b"c", 0))
    assert websocket.next_event() == MessageReceived("abc")
    websocket.receive_data(frame(b"a", fin=False) + frame(b"b", 0, fin=False) * 2)
    assert websocket.next_event() == CloseReceived(1009, "at most 3 fragments a message are taken")


@pytest.mark.parametrize("engine", ["zttp", "h11"])
def test_chunks_are_read_a_few_at_a_time(engine: str) -> None:
    connection = HTTP1Connection(engine=engine)
    connection.receive_data(_CHUNKED + b"1\r\nx\r\n" * 10_000)
    connection.receive_data(b"")
    connection.next_event()
    got, turns = 0, 0
    while got < 10_000:
        connection.frames_left = 32
        event = connection.next_event()
        assert isinstance(event, BodyReceived)
        assert len(event.data) < 300
        got, turns = got + len(event.data), turns + 1
        assert got == 10_000 or connection.next_event() is None
    assert got == 10_000
    assert 9_500 < connection.small_chunks <= 10_000
    assert turns > 30
    connection.frames_left = 32
    assert isinstance(connection.next_event(), StreamClosed)


@pytest.mark.parametrize("engine", ["zttp", "h11"])
def test_chunks_of_a_usual_size_are_read_together(engine: str) -> None:
    connection = HTTP1Connection(engine=engine)
    connection.receive_data(_CHUNKED + (b"2000\r\n" + bytes(8192) + b"\r\n") * 8)
    connection.next_event()
    connection.frames_left = 32
    assert connection.next_event() == BodyReceived(1, bytes(65_536))
    assert connection.small_chunks == 0


def test_ten_windows_of_small_data_may_come_at_once() -> None:
    guard = FloodGuard(1, 1, 2)
    for _ in range(20):
        guard.small_data()
    with pytest.raises(ConnectionFault):
        guard.small_data()
    guard = FloodGuard(1, 1, 2)
    for _ in range(100):
        guard.small_data()
        guard.small_data()
        guard.start_window()
    guard = FloodGuard(1, 1)
    for _ in range(100_000):
        guard.small_data()
