"""The short way of a message that comes alone: it says what the long way says, or nothing."""

from __future__ import annotations

import random

import pytest

from channels.protocols.events import CloseReceived, MessageReceived, PongReceived
from channels.protocols.websocket.connection import WebSocketConnection
from channels.protocols.websocket.limits import WebSocketLimits
from channels.protocols.websocket.permessage_deflate import DeflateSettings, negotiate
from tests.protocols.websocket.test_connection import BINARY, CLOSE, CONTINUED, PING, TEXT, events_of, frame

HELLO = frame(TEXT, b"hello")


@pytest.mark.parametrize("size", [0, 1, 4, 124, 125])
def test_one_short_frame_is_its_message(size: int) -> None:
    websocket = WebSocketConnection()
    assert websocket.whole_message(frame(TEXT, b"x" * size)) == "x" * size
    assert websocket.whole_message(frame(BINARY, b"x" * size)) == b"x" * size
    assert events_of(websocket, HELLO) == [MessageReceived("hello")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HELLO[:-1],
        HELLO + b"\x81",
        HELLO + HELLO,
        frame(TEXT, b"x" * 126),
        frame(TEXT, b"x" * 127),
        frame(TEXT, b"\xff"),
        frame(TEXT, b"he", final=False),
        frame(CONTINUED, b"llo"),
        frame(PING, b"hello"),
        frame(CLOSE, b"\x03\xe8"),
        frame(TEXT, b"hello", first=0xC1),
        b"\x81\x05hello ",  # not masked
    ],
)
def test_nothing_is_taken_of_anything_else(data: bytes) -> None:
    asked, other = WebSocketConnection(), WebSocketConnection()
    assert asked.whole_message(data) is None
    assert asked.buffered == 0
    assert events_of(asked, data) == events_of(other, data)
    assert asked.data_to_send() == other.data_to_send()


def test_limits_below_a_short_frame_are_kept() -> None:
    websocket = WebSocketConnection(WebSocketLimits(max_message_size=4))
    assert websocket.whole_message(frame(TEXT, b"four")) == "four"
    assert websocket.whole_message(HELLO) is None


def test_where_messages_may_be_compressed_one_that_is_not_is_whole() -> None:
    deflate = negotiate((b"permessage-deflate",), DeflateSettings())
    assert deflate is not None
    websocket = WebSocketConnection(WebSocketLimits(), deflate)
    assert websocket.whole_message(HELLO) == "hello"
    assert websocket.whole_message(frame(TEXT, b"hello", first=0xC1)) is None


@pytest.mark.parametrize(
    ("before", "rest"),
    [
        (HELLO[:3], HELLO[3:]),
        (HELLO[:1], HELLO[1:]),
        (frame(TEXT, b"", final=False), frame(CONTINUED, b"")),
        (frame(TEXT, b"a", final=False), frame(CONTINUED, b"b")),
        (frame(BINARY, b"x" * 300)[:200], frame(BINARY, b"x" * 300)[200:]),
    ],
)
def test_within_another_message_it_is_no_message(before: bytes, rest: bytes) -> None:
    websocket = WebSocketConnection()
    assert events_of(websocket, before) == []
    assert websocket.whole_message(HELLO) is None
    assert len(events_of(websocket, rest)) == 1
    assert websocket.whole_message(HELLO) == "hello"


def test_behind_what_was_not_taken_yet_it_is_no_message() -> None:
    websocket = WebSocketConnection()
    websocket.receive_data(HELLO + HELLO)
    websocket.frames_left = 1
    assert websocket.next_event() == MessageReceived("hello")
    assert websocket.next_event() is None
    assert websocket.whole_message(HELLO) is None
    websocket.frames_left = 1
    assert websocket.next_event() == MessageReceived("hello")
    assert websocket.next_event() is None
    assert websocket.whole_message(HELLO) == "hello"


def test_behind_a_close_it_is_no_message() -> None:
    ours, theirs, lost = WebSocketConnection(), WebSocketConnection(), WebSocketConnection()
    ours.close()
    assert events_of(theirs, frame(CLOSE, b"\x03\xe8")) == [CloseReceived(1000)]
    lost.receive_eof()
    assert lost.next_event() == CloseReceived(1006)
    for websocket in (ours, theirs, lost):
        assert websocket.whole_message(HELLO) is None
        assert websocket.next_event() is None
        assert websocket.whole_message(HELLO) is None


def test_in_any_order_both_ways_say_the_same() -> None:
    chance = random.Random(7)
    kinds = [
        HELLO,
        frame(BINARY, b"\0\1"),
        frame(TEXT, b"x" * 300),
        frame(PING, b"p"),
        frame(10, b"p"),
        frame(TEXT, b"a", final=False) + frame(PING, b"q") + frame(CONTINUED, b"b"),
        frame(TEXT, b"", final=False) + frame(CONTINUED, b""),
    ]
    for _ in range(300):
        data = b"".join(chance.choices(kinds, k=6))
        cuts = sorted(chance.sample(range(1, len(data)), 4)) if chance.random() < 0.5 else []
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)] if cuts else []
        pieces = pieces or chance.choices(kinds, k=6)
        long, short = WebSocketConnection(), WebSocketConnection()
        said: list[MessageReceived | PongReceived | CloseReceived] = []
        for piece in pieces:
            message = short.whole_message(piece)
            said += events_of(short, piece) if message is None else [MessageReceived(message)]
        assert said == events_of(long, *pieces)
        assert short.data_to_send() == long.data_to_send()
