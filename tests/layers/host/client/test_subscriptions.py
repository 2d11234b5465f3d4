from __future__ import annotations

from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire
from channels.layers.local.delivery import LocalDelivery


class FakeClient:
    """Notes what the broker is told."""

    def __init__(self):
        self.frames = []
        self.requests = []

    def ask(self, frame):
        self.tell(frame)
        self.requests.append(Request())
        return self.requests[-1]

    def tell(self, frame):
        if isinstance(frame, wire.Numbered):
            frame.number = len(self.frames)
        self.frames.append(frame)


def memberships():
    local = LocalDelivery(lambda name: 10, 60, 60, "test")
    return local, LocalSubscriptions(local), FakeClient()


def test_the_broker_hears_of_the_first_and_of_the_last():
    local, ours, client = memberships()
    asked = ours.join(client, "g", "a")
    assert ours.join(client, "g", "b") is asked, "who comes second waits for the same answer"
    assert ours.announcement() == ([], [])
    asked.set_result("")
    assert ours.announcement() == (["g"], [])
    assert ours.join(client, "g", "c") is None
    for channel in ("a", "b", "nobody", "c"):
        ours.leave(client, "g", channel)
    assert client.frames == [wire.Subscribe(0, "g"), wire.Unsubscribe(1, "g")]
    assert ours.announcement() == ([], [])
    assert local.groups == {}


def test_a_group_that_was_left_before_the_answer_is_not_confirmed_by_it():
    _, ours, client = memberships()
    first = ours.join(client, "g", "a")
    ours.leave(client, "g", "a")
    second = ours.join(client, "g", "a")
    first.set_result("")
    assert ours.announcement() == ([], [])
    second.set_result("")
    assert ours.announcement() == (["g"], [])


def test_a_group_whose_request_failed_is_asked_for_again():
    _, ours, client = memberships()
    ours.join(client, "g", "a").set_exception(ConnectionError("gone"))
    ours.join(client, "g", "b").cancel()
    assert ours.join(client, "g", "c") is not None
    assert [type(frame) for frame in client.frames] == [wire.Subscribe] * 3


def test_a_channel_that_ends_leaves_its_groups():
    local, ours, client = memberships()
    for group in ("g", "h"):
        ours.join(client, group, "a").set_result("")
    ours.join(client, "h", "b")
    ours.detach(client, "a")
    assert client.frames[2:] == [wire.Unsubscribe(2, "g")]
    ours.detach(None, "b")
    assert local.groups == {}


def test_a_group_whose_members_have_expired_is_unsubscribed():
    local, ours, client = memberships()
    ours.join(client, "g", "a").set_result("")
    ours.unsubscribe_if_empty(client, "g")
    assert len(client.frames) == 1
    local.leave_all("a")
    ours.unsubscribe_if_empty(client, "g")
    ours.unsubscribe_if_empty(client, "g")
    assert client.frames[1:] == [wire.Unsubscribe(1, "g")]


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
    local, ours, client = memberships()
    ours.join(client, "g", "a").set_result("")
    ours.flush()
    assert ours.announcement() == ([], [])
    assert local.groups == {}
