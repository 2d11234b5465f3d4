from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from channels.layers.local.delivery import LocalDelivery
from channels.layers.local.fanout import RUN, SLICE


def text(n):
    return {"type": "websocket.send", "text": str(n)}


def ordinary(n):
    return {"type": "chat.message", "n": n}


class Member:
    """A consumer's channel and socket: what was written on that, and what came to the channel."""

    def __init__(self, local, name, *groups):
        self.writes = []
        self.busy = False
        self.channel = local.attach(name)
        self.channel.set_direct(self.write)
        for group in groups:
            local.join(group, name)

    def write(self, broadcast):
        if not self.busy:
            self.writes.append([message["text"] for message in broadcast.messages])
        return not self.busy

    def taken(self):
        messages = []
        while (message := self.channel.receive_nowait()) is not None:
            messages.append(message.get("n", message.get("text")))
        return messages


@pytest.fixture
def local():
    return LocalDelivery(lambda name: 100, expiry=10, group_expiry=100, label="test")


async def turns(amount=3):
    for _ in range(amount):
        await asyncio.sleep(0)


async def test_what_is_sent_in_one_turn_is_written_once(local):
    members = [Member(local, f"c!{n}", "room") for n in range(3)]
    for n in range(4):
        local.group_send("room", text(n))
    assert [member.writes for member in members] == [[]] * 3
    await turns()
    assert [member.writes for member in members] == [[["0", "1", "2", "3"]]] * 3
    assert [member.taken() for member in members] == [[]] * 3
    assert local.statistics()["delivered"] == 12


async def test_what_comes_with_the_next_look_at_the_sockets_goes_along(local):
    member = Member(local, "c!1", "room")
    local.group_send("room", text(1))
    await asyncio.sleep(0)
    local.group_send("room", text(2))
    await turns()
    assert member.writes == [["1", "2"]]


async def test_all_members_share_one_broadcast(local):
    seen = []
    for n in range(3):
        channel = local.attach(f"c!{n}")
        channel.set_direct(lambda broadcast: not seen.append(broadcast))
        local.join("room", f"c!{n}")
    local.group_send("room", text(1))
    await turns()
    assert len(seen) == 3
    assert len(set(map(id, seen))) == 1


async def test_a_busy_member_gets_them_on_its_channel(local):
    busy, idle = Member(local, "c!1", "room"), Member(local, "c!2", "room")
    busy.busy = True
    wakes = []
    busy.channel.set_wakeup(lambda: wakes.append(1))
    for n in range(3):
        local.group_send("room", text(n))
    await turns()
    assert (busy.taken(), busy.writes) == (["0", "1", "2"], [])
    assert wakes
    assert idle.writes == [["0", "1", "2"]]


async def test_nothing_overtakes_what_waits_on_a_channel(local):
    member = Member(local, "c!1", "room")
    local.send("c!1", ordinary("first"))
    local.group_send("room", text("second"))
    await turns()
    assert member.writes == []
    assert member.taken() == ["first", "second"]


async def test_order_is_kept_between_kinds_of_messages(local):
    member = Member(local, "c!1", "room")
    local.group_send("room", text(1))
    local.group_send("room", ordinary(2))
    local.group_send("room", text(3))
    await turns()
    assert member.writes == [["1"]]
    assert member.taken() == [2, "3"]


@pytest.mark.parametrize("kind", [text, ordinary])
async def test_order_is_kept_between_groups(local, kind):
    member = Member(local, "c!1", "a", "b")
    local.group_send("a", text(1))
    local.group_send("b", kind(2))
    local.group_send("a", text(3))
    await turns()
    if kind is text:
        assert member.writes == [["1"], ["2"], ["3"]]
    else:
        assert member.writes == [["1"]]
        assert member.taken() == [2, "3"]


async def test_order_is_kept_between_a_group_and_its_members_channel(local):
    member = Member(local, "c!1", "room")
    local.group_send("room", text(1))
    local.send("c!1", ordinary(2))
    assert member.writes == [["1"]]
    assert member.taken() == [2]


async def test_members_are_those_at_the_time_of_sending(local):
    leaves = Member(local, "c!1", "room")
    stays = Member(local, "c!2", "room")
    local.group_send("room", text(1))
    local.leave("room", "c!1")
    joins = Member(local, "c!3", "room")
    local.group_send("room", text(2))
    await turns()
    assert leaves.writes == [["1"]]
    assert stays.writes == [["1"], ["2"]]
    assert joins.writes == [["2"]]


async def test_who_joins_is_found_without_a_look_at_all_others(local, monkeypatch):
    members = [Member(local, f"c!{n}", "room") for n in range(3)]
    local.group_send("room", text(1))
    await turns()
    looks = []
    find = local._find_members
    monkeypatch.setattr(local, "_find_members", lambda *args: (looks.append(1), find(*args)))
    members.append(Member(local, "c!9", "room"))
    local.group_send("room", text(2))
    await turns()
    assert looks == []
    assert [member.writes[-1] for member in members] == [["2"]] * 4
    assert members[-1].writes == [["2"]]


async def test_a_channel_that_is_attached_later_is_found(local):
    local.join("room", "c!1")
    local.group_send("room", text(1))
    member = Member(local, "c!1")
    assert member.taken() == ["1"]
    local.group_send("room", text(2))
    await turns()
    assert member.writes == [["2"]]


async def test_no_write_holds_more_than_a_run(local):
    member = Member(local, "c!1", "room")
    for n in range(RUN + 1):
        local.group_send("room", text(n))
    await turns()
    assert [len(write) for write in member.writes] == [RUN, 1]


async def test_more_than_capacity_in_one_turn_is_written_meanwhile(local):
    member = Member(local, "c!1", "room")
    for n in range(250):
        local.group_send("room", text(n))
    await turns()
    assert [n for write in member.writes for n in write] == [str(n) for n in range(250)]
    assert local.statistics()["dropped"] == {}


@pytest.mark.parametrize("kind", [text, ordinary])
async def test_a_large_group_is_served_in_slices(local, kind):
    members = [Member(local, f"c!{n}", "room") for n in range(SLICE * 3)]
    reached = []

    def count():
        reached.append(sum(bool(member.writes or member.channel.unread) for member in members))
        if reached[-1] < len(members):
            asyncio.get_running_loop().call_soon(count)

    local.group_send("room", kind("a"))
    count()
    while reached[-1] < len(members):
        await asyncio.sleep(0)
    assert reached == [0, 0, SLICE, SLICE * 2, SLICE * 3]


async def test_later_messages_stay_behind_one_that_is_on_its_way(local):
    members = [Member(local, f"c!{n}", "room") for n in range(SLICE + 1)]
    local.group_send("room", ordinary(1))
    await asyncio.sleep(0)
    local.group_send("room", text(2))
    local.group_send("room", ordinary(3))
    await turns(9)
    assert [member.taken() for member in members] == [[1, "2", 3]] * len(members)


async def test_who_ends_before_its_turn_is_counted(local):
    members = [Member(local, f"c!{n}", "room") for n in range(SLICE + 2)]
    local.group_send("room", text(1))
    await asyncio.sleep(0)
    local.detach(f"c!{SLICE}")
    await turns()
    assert members[-1].writes == [["1"]]
    assert members[-2].writes == []
    assert local.statistics()["dropped"] == {"closed": 1}
    assert local.statistics()["delivered"] == SLICE + 1


async def test_too_much_for_a_large_group_is_counted(local):
    members = [Member(local, f"c!{n}", "room") for n in range(SLICE * 4)]
    for n in range(300):
        local.group_send("room", text(n))
    await turns(40)
    statistics = local.statistics()
    missed = statistics["dropped"]["capacity"]
    assert missed > 0
    assert missed + statistics["delivered"] == 300 * len(members)
    assert len({tuple(n for write in member.writes for n in write) for member in members}) == 1


async def test_from_another_thread(local):
    member = Member(local, "c!1", "room")

    def send():
        local.group_send("room", text(1))
        local.group_send("room", ordinary(2))
        local.group_send("room", text(3))

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    assert member.writes == []
    await turns()
    assert member.writes == [["1"]]
    assert member.taken() == [2, "3"]


async def test_a_flood_from_another_thread_is_bounded_and_counted(local):
    member = Member(local, "c!1", "room")
    thread = threading.Thread(target=lambda: [local.group_send("room", text(n)) for n in range(1000)])
    thread.start()
    thread.join()
    await turns()
    arrived = [n for write in member.writes for n in write]
    assert arrived == [str(n) for n in range(100)]
    assert local.statistics()["dropped"] == {"capacity": 900}


async def test_what_cannot_travel_is_the_senders_error(local):
    Member(local, "c!1", "room")
    with pytest.raises(TypeError, match="object"):
        local.group_send("room", {"type": "websocket.send", "text": object()})


async def test_changes_after_sending_change_nothing(local):
    member = Member(local, "c!1", "room")
    message = text(1)
    local.group_send("room", message)
    message["text"] = "changed"
    await turns()
    assert member.writes == [["1"]]


async def test_flush_forgets_what_is_on_its_way(local):
    member = Member(local, "c!1", "room")
    local.group_send("room", text(1))
    local.flush()
    await turns()
    assert (member.writes, member.taken()) == ([], [])


async def test_nothing_is_kept_of_members_that_have_gone(local):
    member = Member(local, "c!1", "room")
    local.group_send("room", text(1))
    await turns()
    channel = weakref.ref(member)
    local.detach("c!1")
    del member
    gc.collect()
    assert channel() is None
    assert not (local._routes or local._latest)
