from __future__ import annotations

from typing import Any, cast

import pytest

from channels.layers.host.client.frame_handler import DeliveryHandler
from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.wire import frames as wire
from channels.layers.local.delivery import LocalDelivery
from channels.layers.serializers import LimitedSerializer
from tests.layers.host.client.test_subscriptions import FakeClient

PAYLOAD = LimitedSerializer(1000, "the test").as_bytes({"type": "test"})


def published(group, payload=PAYLOAD):
    return wire.Published("other", 1, group, payload)


def directed(channel, payload=PAYLOAD):
    return wire.Directed("other", 1, channel, payload)


class Process:
    def __init__(self) -> None:
        self.local = LocalDelivery(lambda name: 1, 60, 60, "test")
        self.subscriptions = LocalSubscriptions(self.local)
        self.handler = DeliveryHandler(self.local, self.subscriptions, LimitedSerializer(1000, "the test"))
        self.client = FakeClient()
        self.handler.client = cast(Any, self.client)

    def read(self, *frames):
        """What a thread does that has read them."""
        self.handler.queue.add(frames)
        self.handler.queue.hand_over()


@pytest.fixture
def process():
    return Process()


def unread(process, channel):
    return len(process.local.channels.get(channel, ()))


def test_a_groups_message_reaches_its_members(process):
    process.subscriptions.join(process.client, "g", "a")
    process.subscriptions.join(process.client, "g", "b")
    process.read(published("g"))
    assert (unread(process, "a"), unread(process, "b")) == (1, 1)


def test_nothing_is_delivered_before_all_of_a_read_is_there(process):
    process.subscriptions.join(process.client, "g", "a")
    process.handler.queue.add([published("g")])
    assert unread(process, "a") == 0
    process.handler.queue.hand_over()
    assert unread(process, "a") == 1


def test_a_group_without_members_is_unsubscribed(process):
    process.subscriptions.join(process.client, "g", "a")
    process.local.leave("g", "a")
    process.read(published("g"))
    assert process.client.frames[1:] == [wire.Unsubscribe(1, "g")]


def test_a_direct_message_over_capacity_is_counted(process):
    process.read(directed("a"))
    process.read(directed("a"))
    assert process.local.statistics()["dropped"] == {"capacity": 1}


def test_what_cannot_be_read_is_counted(process):
    process.subscriptions.join(process.client, "g", "a")
    process.read(published("g", b"\xc1"))
    process.read(directed("a", b"\xc1"))
    assert unread(process, "a") == 0
    assert process.local.statistics()["dropped"] == {"undecodable": 2}


def test_another_process_joins_a_channel_of_ours_to_a_group(process):
    process.read(wire.GroupChangeRequest(1, "g", "x.host-1!a", True))
    assert process.client.frames == [wire.Subscribe(0, "g")]
    process.client.requests[0].future.set_result("")
    process.read(wire.GroupChangeRequest(2, "g", "x.host-1!a", True))
    process.read(wire.GroupChangeRequest(3, "g", "x.host-1!a", False))
    done = [frame.token for frame in process.client.frames if isinstance(frame, wire.GroupChangeDone)]
    assert done == [1, 2, 3]
    assert process.local.groups == {}


def test_another_process_takes_a_named_channel_out_of_a_group(process):
    process.subscriptions.add_named(("g", "work", 1, 60.0))
    process.read(wire.GroupChangeRequest(0, "g", "work", False))
    assert process.handler.announcement() == ([], [])
    assert process.client.frames == []


def test_another_process_asks_who_is_in_a_group(process):
    process.subscriptions.join(process.client, "g", "a")
    process.read(wire.GroupQueryRequest(7, "g"), wire.GroupQueryRequest(8, "nobody"))
    assert process.client.frames[1:] == [wire.GroupQueryReply(7, ["a"]), wire.GroupQueryReply(8, [])]


async def test_flushes_losses_and_reconnections_reach_the_delivery(process):
    channel = process.local.attach("a", reconnect_notice=True)
    process.handler.reconnected(0.5, 3)
    process.handler.queue.hand_over()
    assert channel.receive_nowait() == {"type": "channel_layer.reconnected", "away": 0.5, "lost": 3}
    process.subscriptions.join(process.client, "g", "a")
    process.read(wire.Flushed())
    assert process.local.groups == {}
    process.handler.dropped("broker_lost", 4)
    assert process.local.statistics()["dropped"] == {"broker_lost": 4}
