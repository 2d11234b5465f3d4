"""Messages of groups for members that are queues arrive in order, also if Redis is away when they come."""

from __future__ import annotations

import asyncio

from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.queues import forwarding as forwarding_module
from channels.layers.redis.wire.sequencing import MESSAGE, Envelope
from tests.layers.redis.tools import closing, dropped, interruptions, receive, until


def message(layer, number):
    body = layer.serialize({"type": "m", "n": number})
    return Envelope(MESSAGE, b"sender-1", number, "", body)


async def cut_off_from(server, layer):
    """A queue is in a group, and Redis is away."""
    await layer.group_add("g", "jobs")
    await layer.new_channel()
    server.kill()
    await until(lambda: interruptions(layer) == 1)
    return redis_engine(layer).node


async def test_what_comes_while_redis_is_away_is_forwarded_in_order_when_it_is_back(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        node = await cut_off_from(own_server, layer)
        for number in range(1, 4):
            node.on_group_message("g", message(layer, number))
        await asyncio.sleep(0)
        await until(lambda: len(node.forwarding._waiting.get("jobs", ())) == 3)
        for number in range(4, 7):
            node.on_group_message("g", message(layer, number))
        own_server.start()
        assert [(await receive(layer, "jobs"))["n"] for _ in range(6)] == [1, 2, 3, 4, 5, 6]
        await until(lambda: not node.forwarding._waiting)
        node.on_group_message("g", message(layer, 7))
        assert (await receive(layer, "jobs"))["n"] == 7
        assert layer.statistics()["dropped"] == {}


async def test_what_waits_for_too_long_is_counted(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], expiry=0.1)
    async with closing(layer):
        node = await cut_off_from(own_server, layer)
        for number in range(1, 4):
            node.on_group_message("g", message(layer, number))
        await until(lambda: dropped(layer, "lost") == 3)
        await until(lambda: not node.forwarding._waiting)


async def test_so_is_what_is_too_much_and_what_a_loop_leaves_that_ends(own_server, monkeypatch):
    monkeypatch.setattr(forwarding_module, "MAX_WAITING", 2)
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        node = await cut_off_from(own_server, layer)
        for number in range(1, 4):
            node.on_group_message("g", message(layer, number))
        await until(lambda: dropped(layer, "lost") == 1)
    assert dropped(layer, "lost") == 3
