from __future__ import annotations

from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire
from channels.layers.local.delivery import LocalDelivery


class Link:
    """Notes what the broker is told."""

    def __init__(self):
        self.frames = []
        self.requests = []

    def ask(self, make):
        self.frames.append(make(len(self.frames)))
        self.requests.append(Request())
        return self.requests[-1]

    def tell(self, make):
        self.frames.append(make(len(self.frames)))


def memberships():
    local = LocalDelivery(lambda name: 10, 60, 60, "test")
    return local, LocalSubscriptions(local), Link()


def test_the_broker_hears_of_the_first_and_of_the_last():
    local, ours, link = memberships()
    asked = ours.join(link, "g", "a")
    assert ours.join(link, "g", "b") is asked, "who comes second waits for the same answer"
    assert ours.announcement() == ([], [])
    asked.set_result("")
    assert ours.announcement() == (["g"], [])
    assert ours.join(link, "g", "c") is None
    for channel in ("a", "b", "nobody", "c"):
        ours.leave(link, "g", channel)
    assert link.frames == [wire.Subscribe(0, "g"), wire.Unsubscribe(1, "g")]
    assert ours.announcement() == ([], [])
    assert local.groups == {}


def test_a_group_that_was_left_before_the_answer_is_not_confirmed_by_it():
    _, ours, link = memberships()
    first = ours.join(link, "g", "a")
    ours.leave(link, "g", "a")
    second = ours.join(link, "g", "a")
    first.set_result("")
    assert ours.announcement() == ([], [])
    second.set_result("")
    assert ours.announcement() == (["g"], [])


def test_a_group_whose_request_failed_is_asked_for_again():
    _, ours, link = memberships()
    ours.join(link, "g", "a").set_exception(ConnectionError("gone"))
    ours.join(link, "g", "b").cancel()
    assert ours.join(link, "g", "c") is not None
    assert [type(frame) for frame in link.frames] == [wire.Subscribe] * 3


def test_a_channel_that_ends_leaves_its_groups():
    local, ours, link = memberships()
    for group in ("g", "h"):
        ours.join(link, group, "a").set_result("")
    ours.join(link, "h", "b")
    ours.detach(link, "a")
    assert link.frames[2:] == [wire.Unsubscribe(2, "g")]
    ours.detach(None, "b")
    assert local.groups == {}


def test_a_group_whose_members_have_expired_is_unsubscribed():
    local, ours, link = memberships()
    ours.join(link, "g", "a").set_result("")
    ours.unsubscribe_if_empty(link, "g")
    assert len(link.frames) == 1
    local.leave_all("a")
    ours.unsubscribe_if_empty(link, "g")
    ours.unsubscribe_if_empty(link, "g")
    assert link.frames[1:] == [wire.Unsubscribe(1, "g")]


def test_named_channels_are_announced_until_they_are_dropped():
    _, ours, _ = memberships()
    ours.add_named(("g", "work", 1, 60.0))
    ours.add_named(("h", "work", 1, 60.0))
    ours.drop_named("g", "work")
    ours.drop_named("g", "work")
    assert ours.announcement() == ([], [("h", "work", 1, 60.0)])
    ours.flush()
    assert ours.announcement() == ([], [])


def test_flushing():
    local, ours, link = memberships()
    ours.join(link, "g", "a").set_result("")
    ours.flush()
    assert ours.announcement() == ([], [])
    assert local.groups == {}
