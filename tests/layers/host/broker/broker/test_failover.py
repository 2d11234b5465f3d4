"""A broker that follows another: who comes back gets what it missed, or is told how much that is."""

from __future__ import annotations

import time

from channels.layers.host.broker import broker as broker_module
from channels.layers.host.wire import frames as wire
from tests.layers.host.broker import site as sites


def test_the_next_broker_gives_to_those_who_come_back_what_came_before_them(site, monkeypatch):
    monkeypatch.setattr(broker_module, "FAILOVER_TIME", 3600)
    site.crash()
    one = site.process("one", ["g"])
    one.send(
        sites.publish(1),
        wire.Direct(2, "late", "c", b"x"),
        wire.Direct(3, "later", "c", b"x"),
        sites.publish(4),
        sites.publish(5, "other"),
        wire.GroupChange(6, "g", "c", "late", True, 1, 60),
    )
    assert one.all_until_answer() == []
    late = site.process("late", ["g"])
    assert late.next(wire.Frame) == wire.Published("one", 1, "g", b"payload")
    assert late.next(wire.Frame) == wire.Directed("one", 2, "c", b"x")
    assert late.next(wire.Frame) == wire.Published("one", 4, "g", b"payload")
    late.send(wire.GroupChangeDone(late.next(wire.GroupChangeRequest).token))
    assert one.next(wire.Answer).number == 6
    later = site.process("later", ["other"])
    assert later.next(wire.Frame) == wire.Directed("one", 3, "c", b"x")
    assert later.next(wire.Frame).number == 5
    one.send(wire.Flush(7))
    one.next(wire.Answer)
    assert site.process("last", ["g"]).all_until_answer() == []


def test_when_the_time_is_over_the_rest_is_counted_and_the_senders_may_forget(site, quick_window):
    site.crash()
    one = site.process("one")
    one.send(
        sites.publish(1),
        wire.Direct(2, "nobody", "c", b""),
        wire.GroupChange(3, "g", "c", "nobody", True, 1, 60),
    )
    assert one.next(wire.Dropped) == wire.Dropped("unreachable", 1)
    assert one.next(wire.Answer).number == 3
    assert one.next(wire.Accepted).number >= 2


def test_who_comes_back_after_that_time_is_told_how_much_it_has_missed(site, quick_window, monkeypatch):
    site.crash()
    one = site.process("one")
    one.send(sites.publish(1), sites.publish(2, "other"))
    assert one.next(wire.Accepted).number <= 2
    one.send(sites.publish(3))
    one.next(wire.Accepted)
    assert site.process("late", ["g"]).welcome.lost == 2
    assert site.process("new").welcome.lost == 0
    site.call(site.broker._forget_failover)
    assert site.process("too late", ["g"]).welcome.lost == 0


def test_too_much_ends_the_time_early(site, monkeypatch):
    monkeypatch.setattr(broker_module, "FAILOVER_TIME", 3600)
    monkeypatch.setattr("channels.layers.host.broker.failover_buffer.MAX_BYTES", 1000)
    site.crash()
    one = site.process("one")
    one.send(sites.publish(1, payload=b"x" * 600))
    assert one.all_until_answer() == []
    one.send(sites.publish(2, payload=b"x" * 600))
    assert [one.next(wire.Accepted).number for _ in range(2)] == [1, 2]


def test_waiting_messages_are_given_out_after_that_time_or_stay_with_their_holders(site, quick_window):
    one = site.process("one")
    for n in (1, 2):
        one.send(wire.Enqueue(n, "work", 9, time.time() + 60, b"x"))
        one.next(wire.Answer)
    one.send(wire.Dequeue(3, "work"))
    held = one.next(wire.Delivered).key
    site.crash()
    back = site.process("one", held=[held])
    back.send(wire.Dequeue(4, "work"), wire.Dequeue(5, "work"))
    assert back.next(wire.Delivered) == wire.Delivered(4, "one.2", b"x")
    assert back.all_until_answer() == []
