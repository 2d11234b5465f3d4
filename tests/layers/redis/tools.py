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
