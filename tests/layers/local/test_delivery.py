from __future__ import annotations

import asyncio
import threading

import pytest

from channels.exceptions import ChannelFull
from channels.layers.local.delivery import LocalDelivery


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def local(clock):
    return LocalDelivery(lambda name: 3, expiry=10, group_expiry=100, label="test", clock=clock)


def number(n):
    return {"type": "test", "n": n}


def taken(channel):
    """Everything that waits on an attached channel."""
    messages = []
    while (message := channel.receive_nowait()) is not None:
        messages.append(message["n"])
    return messages


async def test_order_is_kept(local):
    channel = local.attach("c!1")
    for n in range(3):
        local.send("c!1", number(n))
    assert taken(channel) == [0, 1, 2]


async def test_a_wakeup_comes_with_each_message_and_not_before(local):
    local.send("c!1", number(1))
    channel = local.attach("c!1")
    wakes = []
    channel.set_wakeup(lambda: wakes.append(1))
    assert wakes == []
    local.send("c!1", number(2))
    assert wakes == [1]
    assert taken(channel) == [1, 2]


async def test_full_channels_refuse_and_are_counted(local):
    for n in range(3):
        local.send("c", number(n))
    with pytest.raises(ChannelFull, match="'c' holds its capacity of 3"):
        local.send("c", number(3))
    local.join("g", "c")
    assert local.group_send("g", number(4)) == 1
    assert local.statistics()["dropped"] == {"capacity": 2}


async def test_expired_messages_make_room(local, clock):
    for n in range(3):
        local.send("c", number(n))
    clock.now = 11
    local.send("c", number(3))
    assert (await local.receive("c"))["n"] == 3
    assert local.statistics()["dropped"] == {"expired": 3}


async def test_a_channel_nobody_serves_leaves_its_groups_with_its_expired_message(local, clock):
    local.join("g", "c")
    local.group_send("g", number(1))
    clock.now = 11
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(local.receive("c"), 0.01)
    assert local.groups == {}
    assert local.channels == {}


async def test_an_attached_channel_stays_in_its_groups(local, clock):
    channel = local.attach("c!1")
    local.join("g", "c!1")
    local.group_send("g", number(1))
    clock.now = 1000
    local.send("other", number(1))  # a sweep is due
    assert taken(channel) == []
    assert list(local.groups) == ["g"]


async def test_the_sweep_forgets_what_nobody_wants(local, clock):
    local.send("c", number(1))
    local.join("g", "c")
    local.join("g", "silent")
    clock.now = 50
    local.send("d", number(1))
    assert set(local.channels) == {"d"}
    assert local.groups["g"].keys() == {"silent"}
    clock.now = 150
    local.send("e", number(1))
    assert local.groups == {}
    assert local._unattached.keys() == {"e"}


async def test_detach_leaves_nothing(local):
    local.attach("c!1")
    local.attach("c!2")
    local.join("g", "c!1")
    local.join("g", "c!2")
    local.join("h", "c!1")
    local.send("c!1", number(1))
    assert sorted(local.detach("c!1")) == ["h"]
    assert local.statistics() == {
        "channels": 1,
        "groups": 1,
        "memberships": 1,
        "unread": 0,
        "delivered": 1,
        "dropped": {"closed": 1},
    }
    assert local.detach("c!2") == ["g"]
    assert local.detach("never") == []
    assert not (local.channels or local.groups or bool(local._joined._groups) or local._unattached)


def test_joining_and_leaving_say_when_a_group_begins_and_ends(local):
    assert local.join("g", "a")
    assert not local.join("g", "b")
    assert not local.join("g", "a")
    assert not local.leave("g", "a")
    assert not local.leave("g", "a")
    assert local.leave("g", "b")
    assert not local.leave("nothing", "b")
    assert local.groups == {}


async def test_readers_are_served_in_their_order_and_a_cancelled_one_loses_nothing(local):
    first, second = (asyncio.ensure_future(local.receive("c")) for _ in range(2))
    await asyncio.sleep(0)
    local.send("c", number(1))
    first.cancel()
    assert (await asyncio.wait_for(second, 5))["n"] == 1
    assert first.cancelled()
    assert local.channels == {}


async def test_a_reader_cancelled_while_it_waits_is_forgotten(local):
    reader = asyncio.ensure_future(local.receive("c"))
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    assert local.channels == {}
    local.send("c", number(1))
    assert (await local.receive("c"))["n"] == 1


async def test_flush_keeps_attached_channels(local):
    channel = local.attach("c!1")
    local.join("g", "c!1")
    local.send("c!1", number(1))
    local.send("c", number(1))
    local.flush()
    assert set(local.channels) == {"c!1"}
    assert local.groups == {}
    local.send("c!1", number(2))
    assert taken(channel) == [2]


async def test_senders_in_other_threads_wake_the_loop_that_receives(local):
    channel = local.attach("c!1")
    pushed = asyncio.Event()
    channel.set_wakeup(pushed.set)
    local.join("g", "c!1")
    pulled = asyncio.ensure_future(local.receive("c"))
    await asyncio.sleep(0)

    def elsewhere():
        local.group_send("g", number(1))
        local.send("c", number(2))
        local.send("c!1", number(3))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.wait_for(pushed.wait(), 5)
    assert (await asyncio.wait_for(pulled, 5))["n"] == 2
    thread.join()
    assert taken(channel) == [1, 3]


def test_a_loop_that_is_closed_is_not_told(local):
    loop = asyncio.new_event_loop()

    async def attach():
        local.attach("c!1").set_wakeup(lambda: None)
        local.join("g", "c!1")

    loop.run_until_complete(attach())
    loop.close()
    thread = threading.Thread(target=local.group_send, args=("g", number(1)))
    thread.start()
    thread.join()
    assert local.statistics()["unread"] == 1


async def test_those_who_asked_are_told_of_a_reconnection(local):
    asked = local.attach("c!1", reconnect_notice=True)
    silent = local.attach("c!2")
    local.notify_reconnected({"lost": 3})
    assert asked.receive_nowait() == {"type": "channel_layer.reconnected", "lost": 3}
    assert silent.receive_nowait() is None


def test_a_channel_that_another_thread_detaches_during_a_fan_out_is_not_brought_back():
    local: LocalDelivery

    def capacity_while_others_run(name):
        local.detach("a")
        return 10

    local = LocalDelivery(capacity_while_others_run, 60, 60, "test")
    local.join("g", "a")
    assert local.group_send("g", {"type": "test"}) == 0
    assert local.statistics()["channels"] == 0
    assert local._unattached == {}


async def test_who_waits_for_a_message_of_an_attached_channel_gets_it(local):
    """A handler that waits for an answer comes before its consumer, which gets what comes after."""
    channel = local.attach("c!1")
    told = []
    channel.set_wakeup(lambda: told.append("consumer"))
    local.join("g", "c!1")
    for send in (local.send, local.group_send):
        target = "c!1" if send == local.send else "g"
        waiting = asyncio.ensure_future(local.receive("c!1"))
        await asyncio.sleep(0)
        send(target, {"type": "m", "n": 1})
        assert told == []
        assert (await waiting)["n"] == 1
        send(target, {"type": "m", "n": 2})
        assert told.pop() == "consumer"
        assert taken(channel) == [2]


async def test_who_waits_no_more_leaves_the_message_to_the_consumer(local):
    channel = local.attach("c!1")
    told = []
    channel.set_wakeup(lambda: told.append("consumer"))
    waiting = asyncio.ensure_future(local.receive("c!1"))
    await asyncio.sleep(0)
    local.send("c!1", {"type": "m", "n": 1})
    waiting.cancel()
    await asyncio.wait([waiting])
    assert told == ["consumer"]
    assert taken(channel) == [1]
    assert not channel._wake_waiter(channel._waiters)


async def test_those_who_receive_are_told_of_something(local):
    attached, receiving = local.attach("a"), asyncio.ensure_future(local.receive("b"))
    await asyncio.sleep(0)
    local.send("nobody", number(1))
    local.notify_receivers({"type": "told"})
    assert attached.receive_nowait() == {"type": "told"}
    assert await receiving == {"type": "told"}
    assert local.statistics()["unread"] == 1


async def test_members_without_a_consumer_get_a_groups_messages_until_they_are_full(local):
    local.join("g", "waits")
    attached = local.attach("a")
    local.join("g", "a")
    assert [local.group_send("g", number(n)) for n in range(4)] == [0, 0, 0, 2]
    assert taken(attached) == [0, 1, 2]
    assert [(await local.receive("waits"))["n"] for _ in range(3)] == [0, 1, 2]
    assert local.statistics()["dropped"] == {"capacity": 2}
    assert local.group_send("nobody", number(1)) == 0


async def test_who_is_told_of_full_members_logs_them_itself(clock):
    told = []
    local = LocalDelivery(
        lambda name: 1, 10, 100, "test", clock=clock, on_full=lambda *facts: told.append(facts)
    )
    local.join("g", "a")
    local.group_send("g", number(1))
    local.group_send("g", number(2))
    assert told == [("g", 1, 1)]


async def test_the_route_follows_joins_leaves_and_ends(local):
    first = local.attach("a")
    local.attach("b")
    for name in "ab":
        local.join("g", name)
    local.group_send("g", number(1))
    local.join("g", "b")
    local.leave("g", "a")
    local.group_send("g", number(2))
    local.join("g", "waits")
    local.group_send("g", number(3))
    third = local.attach("waits")
    local.detach("b")
    local.group_send("g", number(4))
    assert (taken(first), taken(third)) == ([1], [3, 4])
    assert local.statistics()["dropped"] == {"closed": 3}, "those that b has not taken"


async def test_broadcasts_of_one_turn_keep_their_order_with_other_messages(local):
    written, channel = [], local.attach("a")
    channel.set_direct(lambda broadcast: written.extend(m["text"] for m in broadcast.messages) or True)
    for group in "gh":
        local.join(group, "a")

    def broadcast(text):
        return {"type": "websocket.send", "text": text}

    local.group_send("g", broadcast("1"))
    local.group_send("g", broadcast("2"))
    local.group_send("h", broadcast("3"))
    assert written == ["1", "2"], "what was collected for another group goes first"
    local.send("a", number(4))
    assert written == ["1", "2", "3"]
    local.group_send("g", broadcast("5"))
    local.flush()
    for _ in range(4):
        await asyncio.sleep(0)
    assert written == ["1", "2", "3"]


async def test_whether_consumers_of_other_loops_have_channels_here(local):
    here = asyncio.get_running_loop()
    local.attach("a")
    assert not local.serves_others(here)
    ready, end = threading.Event(), threading.Event()

    async def elsewhere():
        local.attach("b")
        ready.set()
        await asyncio.to_thread(end.wait, 20)

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    await asyncio.to_thread(ready.wait, 20)
    assert local.serves_others(here)
    end.set()
    await asyncio.to_thread(thread.join, 20)
    assert not local.serves_others(here)


async def test_messages_reach_the_members_of_each_loop(local):
    got, ready = [], threading.Event()
    local.join("g", "here")
    here = local.attach("here")

    async def elsewhere():
        channel, woken = local.attach("there"), asyncio.Event()
        channel.set_wakeup(woken.set)
        local.join("g", "there")
        ready.set()
        await asyncio.wait_for(woken.wait(), 20)
        got.extend(taken(channel))

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    await asyncio.to_thread(ready.wait, 20)
    local.group_send("g", number(1))
    await asyncio.to_thread(thread.join, 20)
    local.attach("there")  # by the loop here: the other one has ended
    local.group_send("g", number(2))
    assert (taken(here), got) == ([1, 2], [1])
    assert taken(local.channels["there"]) == [2]


async def test_an_old_membership_that_nobody_serves_ends(local, clock):
    local.join("g", "waits")
    clock.now = 50
    local.join("g", "waits")
    clock.now = 120
    local.group_send("other", number(1))
    assert list(local.groups["g"]) == ["waits"], "it was renewed"
    clock.now = 200
    local.send("a", number(1))
    assert local.groups == {}
