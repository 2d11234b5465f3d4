"""What a websocket.send may say."""

from __future__ import annotations

from typing import Any

import pytest

from channels.core.broadcast import BROADCAST_TYPE, Broadcast
from channels.server.asgi.broadcast_frames import frames_of, payloads


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"text": "a"}, ["a"]),
        ({"text": ""}, [""]),
        ({"bytes": b""}, [b""]),
        ({"bytes": bytearray(b"a"), "text": None}, [b"a"]),
        ({"bytes": memoryview(b"a"), "text": "b"}, [b"a", "b"]),
    ],
)
def test_payloads(message: dict[str, Any], expected: list[Any]) -> None:
    assert list(payloads({"type": "websocket.send", **message})) == expected


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        ({}, ValueError, "it has neither"),
        ({"text": b"a"}, TypeError, "'text' of websocket.send must be a str, got bytes"),
        ({"bytes": "a"}, TypeError, "'bytes' of websocket.send must be bytes, got str"),
    ],
)
def test_what_is_none(message: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        list(payloads({"type": "websocket.send", **message}))


def test_the_frames_of_a_broadcast_are_made_once_for_all_that_compress_alike() -> None:
    broadcast = Broadcast([{"type": BROADCAST_TYPE, "text": "a"}, {"type": BROADCAST_TYPE, "bytes": b"bc"}])
    plain = frames_of(broadcast, None)
    assert plain == b"\x81\x01a\x82\x02bc"
    assert frames_of(broadcast, None) is plain


def test_a_broadcast_with_a_message_that_is_not_valid_has_no_frames() -> None:
    broadcast = Broadcast([{"type": BROADCAST_TYPE, "text": "a"}, {"type": BROADCAST_TYPE, "text": 7}])
    assert frames_of(broadcast, None) is None
    assert frames_of(broadcast, None) is None
    assert list(broadcast.encoded) == [None]
