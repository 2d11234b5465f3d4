"""What a websocket.send may say."""

from __future__ import annotations

from typing import Any

import pytest

from channels.server.asgi.broadcast_frames import payloads


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
