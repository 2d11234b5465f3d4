from __future__ import annotations

from typing import Any

import pytest

from channels.generic import tcp_messages
from channels.generic.tcp import AsyncTcpConsumer


def consumer(**attributes: Any) -> Any:
    made = type("Meter", (AsyncTcpConsumer,), attributes)()
    tcp_messages.begin(made)
    return made


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (-1, {"type": "tcp.accept"}),
        (None, {"type": "tcp.accept", "idle_timeout": None}),
        (5, {"idle_timeout": 5}),
    ],
)
def test_the_accept_says_the_idle_time_where_the_class_does(limit: Any, message: Any) -> None:
    assert tcp_messages.begin(consumer(idle_timeout=limit)) == {"type": "tcp.accept", **message}


def test_no_message_is_handed_on_behind_a_close() -> None:
    meter = consumer()
    found = []
    for message in tcp_messages.received(meter, b"one\ntwo\nthree\n"):
        found.append(message)
        if message == b"two":
            tcp_messages.incoming.get(meter).stopped = True
    assert found == [b"one", b"two"]
    assert list(tcp_messages.received(meter, b"four\n")) == []


def test_a_mistake_is_reported_once_and_not_behind_a_close() -> None:
    meter = consumer(framing="netstring")
    assert list(tcp_messages.received(meter, b"3:one,x")) == [b"one"]
    assert tcp_messages.incoming.get(meter).must_close
    tcp_messages.incoming.get(meter).stopped = True
    assert not tcp_messages.incoming.get(meter).must_close


def test_text_has_to_be_encoded() -> None:
    with pytest.raises(TypeError, match="takes bytes, got str"):
        tcp_messages.send(consumer(), "text")  # type: ignore[arg-type]
