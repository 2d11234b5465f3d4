"""Who in a process is told."""

from __future__ import annotations

from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.receivers import Receivers


class Noting:
    def __init__(self):
        self.told = []

    def received(self, topic, event):
        self.told.append((topic, event))

    def controlled(self, message):
        self.told.append(message)

    def interrupted(self):
        self.told.append("interrupted")


def test_those_who_subscribed_are_told_and_those_who_attached_of_what_concerns_all():
    receivers, one, two = Receivers(), Noting(), Noting()
    assert not receivers.any
    receivers.attach(one)
    receivers.attach(one)
    assert receivers.any
    assert receivers.subscribe("t", one) is True
    assert receivers.subscribe("t", two) is False
    assert receivers.subscribe("t", two) is False
    assert "t" in receivers
    assert receivers.has("t", two)
    event = Publication()
    receivers.deliver("t", event)
    receivers.deliver("other", event)
    receivers.control(b"m")
    receivers.interrupt()
    assert one.told == [("t", event), b"m", "interrupted"]
    assert two.told == [("t", event)]


def test_the_last_who_leaves_is_known():
    receivers, one, two = Receivers(), Noting(), Noting()
    for topic in ("a", "b"):
        receivers.subscribe(topic, one)
    receivers.subscribe("b", two)
    assert sorted(receivers.topics()) == ["a", "b"]
    assert receivers.unsubscribe("b", Noting()) is False
    assert receivers.detach(one) == ["a"]
    assert receivers.topics() == ["b"]
    assert receivers.unsubscribe("b", two) is True
    assert receivers.unsubscribe("b", two) is False
    assert "b" not in receivers
    assert not receivers.has("b", two)
