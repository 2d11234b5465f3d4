from __future__ import annotations

import pytest

from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers.host.wire.payload import Payloads


def test_messages_become_bytes_and_come_back_each_time_anew():
    payloads = Payloads(1000)
    payload = payloads.encode({"type": "test", "items": [1]})
    first, second = payloads.decode(payload), payloads.decode(payload)
    assert first == second == {"type": "test", "items": [1]}
    assert first["items"] is not second["items"]


def test_a_message_over_the_limit_says_both_sizes_and_the_setting():
    with pytest.raises(
        MessageTooLarge, match=r"'test' has \d\d\d\d bytes, .*carries 1000 .*max_message_size"
    ):
        Payloads(1000).encode({"type": "test", "text": "x" * 1000})


def test_what_cannot_travel():
    with pytest.raises(TypeError, match="outer.culprit"):
        Payloads(1000).encode({"type": "test", "outer": {"culprit": object()}})
    with pytest.raises(InvalidMessageError, match="not a dict but str"):
        Payloads(1000).encode("text")  # type: ignore[arg-type]
