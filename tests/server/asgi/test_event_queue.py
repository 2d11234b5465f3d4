"""What waits for an application."""

from __future__ import annotations

from channels.server.asgi.event_queue import EventQueue


def test_messages_come_in_order_and_the_disconnect_last() -> None:
    inbox = EventQueue(10, 100)
    inbox.put("text")
    inbox.finish(1000, "bye")
    inbox.put(b"")
    assert len(inbox) == 3
    assert [inbox.take() for _ in range(5)] == [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "text"},
        {"type": "websocket.receive", "bytes": b""},
        {"type": "websocket.disconnect", "code": 1000, "reason": "bye"},
        None,
    ]


def test_it_is_full_by_count_or_by_size() -> None:
    inbox = EventQueue(4, 100)
    assert inbox.roomy
    for _ in range(3):
        assert not inbox.full
        assert inbox.put("x") is inbox.full
    assert inbox.full
    assert not inbox.roomy
    inbox.clear()
    assert inbox.roomy
    inbox.put("x" * 100)
    assert inbox.full
    assert not inbox.roomy
    inbox.take()
    assert inbox.roomy


def test_a_deque_is_there_only_while_more_than_one_waits() -> None:
    inbox = EventQueue(10, 100)
    assert inbox._rest is None
    inbox.put("a")
    inbox.put("b")
    assert inbox._rest is not None
    assert [str(inbox.take()["type"]) for _ in range(2)] == ["websocket.connect", "websocket.receive"]
    assert inbox._rest is None
    assert inbox.take() == {"type": "websocket.receive", "text": "b"}
    inbox.put("c")
    inbox.put("d")
    inbox.clear()
    assert inbox._rest is None
    assert len(inbox) == 0
