"""What several tests here need."""

from __future__ import annotations

import asyncio
import contextlib

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.engine import redis_engine

PATIENCE = 30.0


async def receive(layer, channel):
    return await asyncio.wait_for(layer.receive(channel), PATIENCE)


async def until(condition, what="the condition holds"):
    """Wait for something that no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def until_sent(call, *args):
    """Repeat a call while Redis is away; returns how often it failed."""
    failures = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await call(*args)
                return failures
            except RedisUnavailable:
                failures += 1
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def closing(*layers):
    try:
        yield
    finally:
        for layer in layers:
            await layer.aclose()


def confirmed(layer, group):
    """Whether Redis has confirmed that messages to the group come here."""
    node = redis_engine(layer).node
    return node.connections.confirmed(node.names.topic("group", group))


def dropped(layer, reason):
    return layer.statistics()["dropped"].get(reason, 0)


def interruptions(layer):
    return layer.statistics()["redis"]["interruptions"]


async def exchange(layer):
    """Send and receive a message by each way there is, sync ones included."""
    name = await layer.new_channel()
    await layer.group_add("g", name)
    await layer.group_send("g", {"type": "to the group"})
    assert (await receive(layer, name))["type"] == "to the group"
    await layer.send("queue", {"type": "queued"})
    assert (await receive(layer, "queue"))["type"] == "queued"
    await asyncio.to_thread(layer.sync.group_send, "g", {"type": "sync"})
    assert (await receive(layer, name))["type"] == "sync"
    await asyncio.to_thread(layer.sync.send, "queue", {"type": "queued"})
    assert (await receive(layer, "queue"))["type"] == "queued"
    layer.sync.close()


async def round_trip(layer):
    """Use a layer for all of that, and close it."""
    async with closing(layer):
        await exchange(layer)


async def use_every_connection(layer):
    """A message by each way, a connection that is lent, and flush."""
    async with closing(layer):
        await exchange(layer)
        async with layer.connection(0) as client:
            assert await client.ping()
        await layer.flush()
