from __future__ import annotations

import pytest

from channels.protocols.websocket.limits import WebSocketLimits


@pytest.mark.parametrize(
    ("message", "frame", "small"),
    [(None, None, 125), (1_000_000, None, 125), (7, None, 7), (None, 9, 9), (3, 9, 3)],
)
def test_what_is_small_enough_for_every_limit(message, frame, small):
    assert WebSocketLimits(message, frame).small == small
