from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync

from channels.exceptions import (
    ChannelFull,
    ChannelLayerUnavailable,
    InvalidChannelLayerError,
    MessageTooLarge,
)
from channels.layers.host import HostChannelLayer
from channels.layers.host.client import sender as outbox_module
from channels.layers.host.client.reading import _Mode as Mode
from channels.layers.host.engine import OWNER, _after_fork_in_child, _capacity_of, host_engine
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from channels.layers.manager import ChannelLayerManager
from tests.layers.host.processes import in_forked_child

PATIENCE = 20


@pytest.fixture
async def make(directory):
    """Layers that are processes of their own to the broker."""
    made = []

    def make(**config):
        made.append(HostChannelLayer(path=directory, **config))
        return made[-1]

    yield make
    for layer in made:
        await layer.aclose()
        await layer.aclose()


async def receive(layer, channel):
    return (await asyncio.wait_for(layer.receive(channel), PATIENCE))["n"]


def message(n):
    return {"type": "test.message", "n": n}


async def test_it_can_be_configured_in_settings(settings, directory):
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": str(directory)}}
    }
    layer = ChannelLayerManager()["default"]
    assert repr(layer) == f"<HostChannelLayer at '{directory}' capacity=100 expiry=60s, not connected>"
    with pytest.raises(TypeError, match="hosts"):
        HostChannelLayer(hosts=[("localhost", 6379)])  # type: ignore[call-arg]
    with pytest.raises(InvalidChannelLayerError, match=r"max_message_size.* from 1 to 33554432, got 0"):
        HostChannelLayer(max_message_size=0)


async def test_names_tell_their_process(make):
    one, two = make(), make()
    name = await one.new_channel("prefix")
    assert name.startswith("prefix.host-") and OWNER.findall(name)[0] == host_engine(one).process
    one.require_valid_channel_name(name)
    with pytest.raises(ValueError, match="belongs to another process"):
        await two.receive(name)
    with pytest.raises(ValueError, match="belongs to another process"):
        two.attach(name)
    with pytest.raises(ValueError, match="Named channel 'work' cannot be attached; use receive"):
        two.attach("work")


async def test_between_layers(make):
    one, two = make(), make()
    name = await one.new_channel()
    await two.send(name, message(1))
    await two.group_add("g", name)
    await two.group_send("g", message(2))
    await two.group_discard("g", name)
    await two.group_send("g", message(3))
    await two.send(name, message(4))
    assert [await receive(one, name) for _ in range(3)] == [1, 2, 4]
    assert one.statistics()["connected"] and two.statistics()["connected"]
    assert [layer.statistics()["broker"] is None for layer in (one, two)] == [False, True]


async def test_own_channels_are_full_and_say_so(make):
    layer = make(capacity=1)
    name = await layer.new_channel()
    await layer.send(name, message(1))
    with pytest.raises(ChannelFull):
        await layer.send(name, message(2))
    await layer.send("work", message(1))
    with pytest.raises(ChannelFull, match="'work' holds its capacity of 1"):
        await layer.send("work", message(2))
    with pytest.raises(ChannelFull, match="'work' holds its capacity of 1"):
        await asyncio.to_thread(layer.sync.send, "work", message(2))
    assert layer.statistics()["dropped"] == {"capacity": 3}


async def test_a_message_that_is_too_large(make):
    layer = make(max_message_size=100)
    with pytest.raises(MessageTooLarge, match="carries 100"):
        await layer.group_send("g", message("x" * 100))
    with pytest.raises(MessageTooLarge):
        layer.sync.send("work", message("x" * 100))
    assert layer.statistics()["connected"] is False, "nobody had to be asked"


async def test_taking_and_acknowledging(make):
    one, two = make(), make()
    name = await one.new_channel()
    await one.send(name, message(0))
    taken, acknowledge = await one.take(name)
    await acknowledge()
    assert taken["n"] == 0
    for n in (1, 2):
        await one.send("work", message(n))
    taken, acknowledge = await two.take("work")
    await acknowledge()
    taken, _ = await two.take("work")
    assert taken["n"] == 2
    await two.aclose()
    assert await receive(one, "work") == 2


async def test_a_cancelled_take_loses_nothing_whenever_it_is_cancelled(make):
    one, two = make(), make()
    for n in range(60):
        taking = asyncio.ensure_future(one.take("work"))
        sending = asyncio.ensure_future(two.send("work", message(n)))
        await asyncio.sleep(0.0003 * (n % 6))
        taking.cancel()
        await asyncio.wait([taking, sending])
        got = await receive(two, "work") if taking.cancelled() else taking.result()[0]["n"]
        assert got == n


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


async def test_senders_wait_for_a_broker_that_is_slow_but_not_for_ever(make, directory, monkeypatch):
    monkeypatch.setattr(outbox_module, "HIGH_WATER", 100_000)
    sender = make(timeout=0.1)
    await sender.new_channel()
    loop, busy = host_engine(sender).client._loop, threading.Event()
    loop.call_soon(cast(Any, partial(busy.wait, PATIENCE)))

    async def flood():
        for _ in range(1000):
            await sender.group_send("g", message("x" * 10_000))

    with pytest.raises(ChannelLayerUnavailable, match="has not answered for 0.1 seconds"):
        await flood()
    with pytest.raises(ChannelLayerUnavailable, match="has not answered for 0.1 seconds"):
        sender.sync.group_send("g", message("x" * 10_000))
    busy.set()
    sender.timeout = PATIENCE
    await sender.group_send("g", message(1))


async def test_no_broker_is_an_error_at_the_first_use(make, directory):
    place = RuntimeDirectory(directory)
    place.prepare()
    lock = place.try_lock()
    assert lock is not None
    layer = make(timeout=0.05)
    with pytest.raises(ChannelLayerUnavailable, match="No broker of the host layer at"):
        await layer.group_send("g", message(1))
    with pytest.raises(ChannelLayerUnavailable):
        layer.sync.send("work", message(1))
    os.close(lock)


async def test_a_bad_place_is_an_error_at_the_first_use(directory):
    directory.mkdir(mode=0o755)
    layer = HostChannelLayer(path=directory)
    with pytest.raises(InvalidChannelLayerError, match="chmod 700"):
        await layer.new_channel()


async def test_sync_code_and_async_code_keep_one_order(make):
    one, two = make(), make()
    name = await one.new_channel()
    await one.group_add("g", name)
    for n in range(0, 20, 2):
        await two.group_send("g", message(n))
        two.sync.group_send("g", message(n + 1))
    assert [await receive(one, name) for _ in range(20)] == list(range(20))


async def test_one_loop_per_call_as_in_a_sync_program(make):
    one, two = make(), make()
    name = await one.new_channel()
    await one.group_add("g", name)

    def program():
        for n in range(20):
            async_to_sync(two.group_send)("g", message(n))
        async_to_sync(two.send)("work", message(20))

    await asyncio.to_thread(program)
    assert [await receive(one, name) for _ in range(20)] == list(range(20))
    assert await receive(one, "work") == 20


async def test_flush_reaches_the_others(make):
    one, two = make(), make()
    name = await one.new_channel()
    one.attach(name)
    await one.group_add("g", name)
    await one.group_add("g", "work")
    await two.flush()
    while one.statistics()["memberships"]:
        await asyncio.sleep(0.005)
    await two.group_send("g", message(1))
    await one.group_add("h", name)
    await two.group_send("h", message(2))
    assert await receive(one, name) == 2
    one.detach(name)


async def test_closing_leaves_the_consumers_of_other_loops_alone(make):
    layer = make()
    name = await layer.new_channel()
    attached, done = threading.Event(), threading.Event()

    async def consume():
        layer.attach(name)
        attached.set()
        while not done.is_set():
            await asyncio.sleep(0.005)
        layer.detach(name)

    consumer = threading.Thread(target=asyncio.run, args=[consume()])
    consumer.start()
    await asyncio.to_thread(attached.wait, PATIENCE)
    await layer.aclose()
    assert layer.statistics()["connected"]
    done.set()
    await asyncio.to_thread(consumer.join, PATIENCE)
    await layer.aclose()
    assert not layer.statistics()["connected"]


async def test_it_may_be_used_again_after_closing_and_has_its_groups(make):
    layer, other = make(), make()
    name = await layer.new_channel()
    await layer.group_add("g", name)
    await layer.group_add("g", "work")
    await layer.aclose()
    await layer.new_channel()
    await other.group_send("g", message(1))
    assert await receive(layer, name) == 1
    assert await receive(other, "work") == 1
    await layer.group_discard("g", name)
    await layer.group_discard("g", "work")
    await other.group_send("g", message(2))
    await other.send(name, message(3))
    await other.send("work", message(3))
    assert await receive(layer, name) == 3
    assert await receive(other, "work") == 3


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
