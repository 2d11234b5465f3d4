"""The layer over publish/subscribe alone: what it adds to the other one."""

from __future__ import annotations

import pytest

from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import closing, receive


async def test_what_it_tells_consumers_can_be_set_when_it_is_made_and_later(server):
    layer = RedisPubSubChannelLayer([server.url], on_disconnect="redis.lost", on_reconnect=None)
    assert (layer.on_disconnect, layer.on_reconnect) == ("redis.lost", None)
    engine = redis_engine(layer)
    assert (engine.on_disconnect, engine.on_reconnect) == ("redis.lost", None)


async def test_tests_may_look_into_its_channels_and_groups(server):
    layer = RedisPubSubChannelLayer([server.url], prefix="looked-into")
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)
        layer.attach(name)
        assert list(layer.channels) == [name]
        assert list(layer.groups["g"]) == [name]


@pytest.mark.parametrize("shared", [True, False])
async def test_its_names_are_its_own_unless_they_are_to_be_shared(server, shared):
    prefix = f"shared-{shared}"
    one = RedisPubSubChannelLayer([server.url], prefix, shared_names=shared)
    other = RedisChannelLayer([server.url], prefix=prefix)
    names = [redis_engine(layer).node.names.topic("group", "g").key for layer in (one, other)]
    assert (names[0] == names[1]) == shared


async def test_what_nobody_receives_waits_for_the_first(server):
    layer = RedisPubSubChannelLayer([server.url], prefix="waits")
    async with closing(layer):
        await layer.send("work", {"type": "m", "n": 1})
        assert (await receive(layer, "work"))["n"] == 1
