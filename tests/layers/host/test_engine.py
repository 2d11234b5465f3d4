"""What works for a host layer: its client, its channels and groups, forks, and the loop that reads."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from channels.exceptions import (
    ChannelFull,
    ChannelLayerUnavailable,
)
from channels.layers.host import HostChannelLayer
from channels.layers.host.client.reading import _Mode as Mode
from channels.layers.host.engine import _after_fork_in_child, _capacity_of, host_engine
from channels.layers.host.wire import frames as wire
from tests.layers.host.processes import in_forked_child
from tests.layers.host.tools import PATIENCE, message, receive


async def test_a_group_add_that_was_cancelled_disturbs_nobody_else(make):
    layer = make()
    names = [await layer.new_channel() for _ in range(2)]
    adding = [asyncio.ensure_future(layer.group_add("g", name)) for name in names]
    await asyncio.sleep(0)
    adding[0].cancel()
    await asyncio.wait(adding)
    assert adding[1].exception() is None
    other = make()
    await other.group_send("g", message(1))
    assert await receive(layer, names[1]) == 1


async def test_connections_that_have_ended_leave_nothing(make):
    layer, other = make(), make()
    await other.new_channel()

    async def connect(n):
        name = await layer.new_channel()
        layer.attach(name)
        await layer.group_add(f"user-{n}", name)
        await layer.group_add("all", name)
        await other.group_send(f"user-{n}", message(n))
        layer.detach(name)

    for n in range(20):
        await asyncio.gather(*(connect(n) for _ in range(50)))
    statistics = layer.statistics()
    assert [statistics[key] for key in ("channels", "groups", "memberships", "unread")] == [0, 0, 0, 0]
    await layer.group_discard("all", await layer.new_channel())
    await layer.group_add("last", await layer.new_channel())
    assert other.statistics()["broker"]["groups"] == 1


async def test_a_layer_that_nobody_has_any_more_leaves(directory):
    layer = HostChannelLayer(path=directory)
    await layer.new_channel()
    thread = host_engine(layer).client._loop._thread
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None
    assert _capacity_of(cast(Any, gone), "late") == 0
    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()
    assert not (directory / "broker.sock").exists()


async def test_a_forked_child_starts_anew(make):
    layer = make()
    name = await layer.new_channel()
    await layer.group_add("g", name)
    unused = HostChannelLayer(path="/nowhere")
    assert (unused.statistics()["broker"], await unused.aclose()) == (None, None)
    unused.detach("never-there")
    read, write = os.pipe()

    def child():
        assert layer.statistics()["memberships"] == 0
        layer.sync.group_send("g", message(1))
        host_engine(layer).client.close()
        os.write(write, host_engine(layer).process.encode())

    assert await asyncio.to_thread(in_forked_child, child) == 0
    os.close(write)
    assert await receive(layer, name) == 1
    assert os.read(read, 100).decode() not in ("", host_engine(layer).process)
    os.close(read)


async def read_in_this_loop(layer, sender):
    """Have the running loop read what comes for ``layer``; returns its source of group "g"."""
    name = await layer.new_channel()
    source = layer.attach(name)
    await layer.group_add("g", name)
    reading = host_engine(layer).client._reading
    while not reading._loop_reader or reading._mode is Mode.READS:
        await sender.group_send("g", message("until it reads"))
        await asyncio.sleep(0.001)
    return source


def in_another_thread(function, *args):
    """Call ``function`` where no loop runs, while the running one is blocked."""
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join(PATIENCE)


async def next_of(source):
    """Return the next message that is not one of ``read_in_this_loop``."""
    async with asyncio.timeout(PATIENCE):
        while (found := source.receive_nowait()) is None or found["n"] == "until it reads":
            await asyncio.sleep(0.001)
    return found["n"]


async def test_messages_are_read_where_consumers_run(make):
    layer, sender = make(capacity=10_000), make()
    source = await read_in_this_loop(layer, sender)
    threads = []
    deliver = host_engine(layer).local.group_send
    host_engine(layer).local.group_send = lambda *args: (
        threads.append(threading.get_ident()) or deliver(*args)
    )
    for n in range(20):
        await sender.group_send("g", message(n))
        assert await next_of(source) == n
    assert set(threads) == {threading.get_ident()}


async def test_a_loop_that_is_blocked_is_not_cut_off(make):
    layer, sender = make(capacity=10_000, max_backlog=4_000_000), make(max_backlog=4_000_000)
    source = await read_in_this_loop(layer, sender)
    large = message("x" * 50_000)
    for _ in range(200):
        in_another_thread(sender.sync.group_send, "g", large)
        time.sleep(0.005)  # in the loop's thread
    for _ in range(200):
        assert await next_of(source) == large["n"]
    assert layer.statistics()["dropped"] == {}


async def test_a_membership_begins_behind_what_waits_in_the_socket(make):
    layer, sender = make(capacity=10_000), make()
    await read_in_this_loop(layer, sender)
    name = await layer.new_channel()
    source = layer.attach(name)
    handled = sender.statistics()["broker"] or layer.statistics()["broker"]
    in_another_thread(sender.sync.group_send, "g", message("before"))
    while (layer.statistics()["broker"] or sender.statistics()["broker"])["messages"] == handled["messages"]:
        time.sleep(0.001)  # in the loop's thread
    time.sleep(0.01)
    await layer.group_add("g", name)
    await sender.group_send("g", message("after"))
    assert await next_of(source) == "after"


async def test_a_fork_leaves_a_loop_that_reads_alone(make):
    layer, sender = make(capacity=10_000), make()
    source = await read_in_this_loop(layer, sender)
    descriptor: Any = host_engine(layer).client._reading._loop_reader._descriptor

    def child():
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        layer.sync.group_send("g", message("child"))
        host_engine(layer).client.close()

    assert await asyncio.to_thread(in_forked_child, child) == 0
    assert await next_of(source) == "child"
    await sender.group_send("g", message("parent"))
    assert await next_of(source) == "parent"


async def test_what_is_inherited_is_left_to_the_parent(directory):
    layer = HostChannelLayer(path=directory)
    await layer.new_channel()
    client, process = host_engine(layer).client, host_engine(layer).process
    abandoned = []
    unused = HostChannelLayer(path=directory)
    host_engine(unused).after_fork_in_child()
    host_engine(layer).client = cast(Any, SimpleNamespace(abandon=lambda: abandoned.append(True)))
    _after_fork_in_child()
    assert abandoned == [True]
    assert host_engine(layer).client is None and host_engine(layer).process != process
    assert host_engine(layer).local.channels == {}
    client.close()


async def test_two_threads_that_are_first_share_one_link(make):
    layer = make()
    clients, barrier = [], threading.Barrier(4)

    def first():
        barrier.wait()
        clients.append(host_engine(layer).started_client())

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert len(set(clients)) == 1


async def test_what_has_arrived_is_delivered_before_a_membership_changes(directory):
    layer = HostChannelLayer(path=directory)
    name = await layer.new_channel()
    source = layer.attach(name)
    await layer.group_add("g", name)
    engine = host_engine(layer)
    payload = engine.serializer.as_bytes({"type": "read.before"})
    engine.delivery_queue.add([wire.Published("other", 1, "g", payload)])
    await layer.group_discard("g", name)
    assert source.receive_nowait() == {"type": "read.before"}
    await layer.aclose()


# Messages


async def test_messages_go_to_own_channels_others_and_named_ones(make):
    one, two = make(capacity=1), make(capacity=1)
    engine = host_engine(one)
    own, other = await one.new_channel(), await two.new_channel()
    assert engine.is_own(own)
    for channel in (own, other, "work"):
        await one.send(channel, message(channel))
    for channel in (own, "work"):
        with pytest.raises(ChannelFull, match="holds its capacity of 1"):
            await one.send(channel, message("too many"))
    assert await receive(one, own) == own
    assert await receive(two, other) == other
    assert await receive(two, "work") == "work"
    assert one.statistics()["dropped"] == {"capacity": 2}
    assert one.statistics()["connected"]


async def test_a_taken_message_of_a_named_channel_can_be_given_back(make):
    layer = make()
    own = await layer.new_channel()
    await layer.send(own, message(1))
    taken, acknowledge = await layer.take(own)
    await acknowledge()
    await layer.send("work", message(2))
    named, acknowledge = await layer.take("work")
    await acknowledge()
    assert (taken["n"], named["n"]) == (1, 2)
    waiting = asyncio.ensure_future(layer.receive("work"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    await layer.send("work", message(3))
    assert await receive(layer, "work") == 3


async def test_channels_of_others_cannot_be_received_on_and_named_ones_not_attached(make):
    one, two = make(), make()
    other = await two.new_channel()
    await one.new_channel()
    with pytest.raises(ValueError, match="belongs to another process"):
        await one.receive(other)
    with pytest.raises(ValueError, match="cannot be attached"):
        one.attach("work")
    with pytest.raises(TypeError, match="Channel name must be"):
        await one.receive("no spaces")


# Groups


async def test_memberships_of_own_channels_others_and_named_ones(make):
    one, two = make(), make()
    own, other = await one.new_channel(), await two.new_channel()
    for channel in (own, other, "work"):
        await one.group_add("g", channel)
    assert await one.group_channels("g") == sorted([own, other, "work"])
    for channel in (own, other, "work"):
        await one.group_discard("g", channel)
    assert await one.group_channels("g") == []


async def test_a_broker_of_an_earlier_release_is_not_asked_who_is_in_a_group(make):
    one = make()
    own = await one.new_channel()
    await one.group_add("g", own)
    engine = host_engine(one)
    client = engine.started_client()
    client.features = []
    assert engine.ask_members(client, "g", 1) is None
    known = await one.group_channels("g")
    assert (known, known.unanswered) == ([own], 1)


async def test_flushing_forgets_everything(make):
    one, two = make(), make()
    name = await two.new_channel()
    await two.group_add("g", name)
    await one.flush()
    assert await one.group_channels("g") == []


# The connection


async def test_a_silent_broker_is_an_error_after_the_timeout(make):
    layer = make(timeout=0.05)
    await layer.new_channel()
    engine = host_engine(layer)
    with pytest.raises(ChannelLayerUnavailable, match="has not answered"):
        await engine.answer(engine.started_client(), Future())


async def test_what_it_is_shows_in_its_description(make, directory):
    layer = make()
    assert repr(layer).endswith("not connected>")
    await layer.new_channel()
    assert repr(layer) == f"<{host_engine(layer).label}, connected>"
    assert str(directory) in repr(layer)


async def test_closing_and_using_it_again(make):
    layer = make()
    source = layer.attach(name := await layer.new_channel())
    await layer.aclose()
    assert not layer.statistics()["connected"]
    assert layer.attach(name) is source
    await layer.send(name, message(1))
    assert source.receive_nowait()["n"] == 1
    layer.detach(name)
