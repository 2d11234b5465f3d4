from __future__ import annotations

import asyncio
import os
import threading
from functools import partial
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
from channels.layers.host.client.unacked import Request
from channels.layers.host.engine import OWNER, host_engine
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from channels.layers.manager import ChannelLayerManager
from tests.layers.host.tools import PATIENCE, message, receive


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


async def test_what_is_sent_after_closing_arrives_at_those_who_have_heard_of_it_before(make):
    """A program that runs ``asyncio.run`` for each job, and closes the layer at the end of each."""
    layer, other = make(), make()
    name = await other.new_channel()
    await other.group_add("g", name)
    for n in range(4):
        await layer.send(name, message(n))
        await layer.group_send("g", message(n))
        await layer.send("work", message(n))
        await layer.aclose()
        assert [await receive(other, name), await receive(other, name), await receive(other, "work")] == [
            n
        ] * 3


async def test_who_is_in_a_group(make):
    one, two = make(), make(timeout=0.05)
    names = [await layer.new_channel() for layer in (one, two)]
    for layer, name in zip((one, two), names, strict=True):
        await layer.group_add("g", name)
    found = await one.group_channels("g")
    assert (found, found.unanswered) == (sorted(names), 0)
    client = host_engine(two).started_client()
    client.features = []
    old = await two.group_channels("g")
    assert (old, old.unanswered) == ([names[1]], 1)


async def test_a_broker_that_does_not_say_who_is_in_a_group(make, monkeypatch):
    layer = make(timeout=0.05)
    await layer.new_channel()
    monkeypatch.setattr(host_engine(layer).started_client(), "ask", lambda frame: Request())
    with pytest.raises(ChannelLayerUnavailable, match="has not answered"):
        await layer.group_channels("g", timeout=0.01)
