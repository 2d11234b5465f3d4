"""Messages for many sockets: each form of them is made once, by whoever writes first."""

from __future__ import annotations

from channels.core.broadcast import BROADCAST_TYPE, Broadcast


def test_a_broadcast_keeps_the_forms_that_writers_have_made() -> None:
    broadcast = Broadcast([{"type": BROADCAST_TYPE, "text": "a"}, {"type": BROADCAST_TYPE, "text": "b"}])
    assert broadcast.encoded == {}
    broadcast.encoded["plain"] = b"\x81\x01a\x81\x01b"
    assert broadcast.encoded == {"plain": b"\x81\x01a\x81\x01b"}
    assert [message["text"] for message in broadcast.messages] == ["a", "b"]


def test_broadcasts_share_no_forms() -> None:
    one, other = Broadcast([]), Broadcast([])
    one.encoded["deflated"] = None
    assert other.encoded == {}
    assert not hasattr(one, "__dict__"), "one is made for each message to a group"
