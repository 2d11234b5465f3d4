from __future__ import annotations

from typing import Any

from channels.server.asgi.tcp.inbox import TCPInbox


def events(inbox: TCPInbox) -> list[Any]:
    return list(iter(inbox.take, None))


def test_bytes_that_wait_are_one_event_and_what_happened_comes_behind_them() -> None:
    inbox = TCPInbox(10)
    assert not inbox.put(b"ab")
    inbox.put_drain(2.0)
    inbox.put_eof()
    assert not inbox.put(b"cd")
    assert events(inbox) == [
        {"type": "tcp.connect"},
        {"type": "tcp.receive", "data": b"abcd"},
        {"type": "tcp.eof"},
        {"type": "tcp.drain", "seconds": 2.0},
    ]


def test_each_event_comes_once_and_nothing_behind_the_disconnect() -> None:
    inbox = TCPInbox(10)
    inbox.put(b"ab")
    inbox.put_eof()
    inbox.put_drain(2.0)
    inbox.finish("lost")
    kinds = [event["type"] for event in events(inbox)]
    assert kinds == ["tcp.connect", "tcp.receive", "tcp.disconnect"]
    assert inbox.take() is None


def test_it_is_full_at_its_size_and_empty_when_its_bytes_were_taken() -> None:
    inbox = TCPInbox(4)
    assert not inbox.put(b"abc")
    assert inbox.put(b"d")
    events(inbox)
    assert not inbox.put(b"abc")
    inbox.clear()
    assert events(inbox) == []
