"""Consumers come and go: nothing is left of them, in this process or anywhere else."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from channels.layers.host import HostChannelLayer
from channels.layers.local.channel import LocalChannel
from channels.layers.memory import InMemoryChannelLayer
from channels.layers.redis.layer import RedisChannelLayer
from tests.layers.size import report, size
from tests.support.redis_servers import RedisServer

CONNECTS = size(600, 50_000)
#: Connections that are there at the same time, and how much memory all that come may leave.
TOGETHER = 100
LEFT_BEHIND = 4 * 1024 * 1024


async def connect(layer, number):
    """What a consumer makes of a layer from its connection to its end; it is told something first."""
    name = await layer.new_channel()
    source, arrived = layer.attach(name), asyncio.Event()
    source.set_wakeup(arrived.set)
    for group in ("everybody", f"room-{number % 500}", f"user-{number}"):
        await layer.group_add(group, name)
    await layer.group_send(f"user-{number}", {"type": "hello"})
    while source.receive_nowait() is None:
        await asyncio.wait_for(arrived.wait(), 60)
        arrived.clear()
    if number % 2:
        await layer.group_discard("everybody", name)
    layer.detach(name)


async def all_connect(layer, amount):
    for start in range(0, amount, TOGETHER):
        await asyncio.gather(*(connect(layer, start + n) for n in range(TOGETHER)))


def resident():
    """Bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def left():
    """What could be left: descriptors, tasks, channels."""
    gc.collect()
    # Not isinstance: a lazy object wakes up for that.
    channels = sum(type(each) is LocalChannel for each in gc.get_objects())
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), channels


async def check(layer):
    await all_connect(layer, 3 * TOGETHER)
    before, memory = left(), resident()
    await all_connect(layer, CONNECTS)
    if isinstance(layer, RedisChannelLayer):
        await topics_end(layer)
    await nothing_more_than(before)
    grown = resident() - memory - kept(layer)
    assert grown < LEFT_BEHIND
    facts = layer.statistics()
    counts = {name: facts[name] for name in ("channels", "groups", "memberships", "unread")}
    assert set(counts.values()) == {0}
    report(connects=CONNECTS, memory_grown=f"{grown / 1024:.0f} kB", left=counts, dropped=facts["dropped"])


def kept(layer):
    """What a process over Redis keeps for others that may have missed it, for some seconds."""
    return layer.statistics().get("redis", {}).get("kept", 0)


async def nothing_more_than(before):
    """Wait for the tasks that write what was asked for last."""
    async with asyncio.timeout(60):
        while any(now > then for now, then in zip(left(), before, strict=True)):
            await asyncio.sleep(0.01)


async def topics_end(layer):
    """Subscriptions end a moment after their last member."""
    async with asyncio.timeout(60):
        while layer.statistics()["redis"]["topics"] > 3:  # of the process itself
            await asyncio.sleep(0.01)


async def test_in_memory():
    await check(InMemoryChannelLayer())


@pytest.fixture
def place():
    parent = Path(tempfile.mkdtemp(prefix="fw"))
    yield parent / "broker"
    shutil.rmtree(parent)


async def test_on_one_host(place):
    layer, other = HostChannelLayer(path=place), HostChannelLayer(path=place)
    await other.new_channel()  # carries the broker, or is served by it
    await check(layer)
    async with asyncio.timeout(60):  # what was asked of the broker last is on its way
        while broker_of(layer, other) != (0, 0):
            await asyncio.sleep(0.01)
    for each in (layer, other):
        await each.aclose()


def broker_of(*layers):
    """How many groups the broker knows, and how much waits in it."""
    (broker,) = (facts for each in layers if (facts := each.statistics()["broker"]))
    return broker["groups"], broker["backlog"]


async def test_on_redis():
    with RedisServer() as server:
        layer = RedisChannelLayer(hosts=[server.address])
        await check(layer)
        async with asyncio.timeout(60):  # what was asked of Redis last is on its way
            while server.all_keys() or topics_of(server) != [b"asgi:roll-call:"]:
                await asyncio.sleep(0.01)
        await layer.aclose()


def topics_of(server):
    """What processes are subscribed to, but for those of each alone."""
    return [
        topic
        for topic in server.ask("PUBSUB", "CHANNELS")
        if not re.search(rb":(process|roll-call):\w", topic)
    ]
