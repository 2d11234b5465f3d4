"""What works for a Redis layer: settings, whose a channel is, what is received, interruptions and forks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.host.processes import in_forked_child
from tests.layers.redis.tools import closing, dropped, receive


def message(n):
    return {"type": "m", "n": n}


async def test_it_says_what_it_is_and_whether_it_is_connected(server):
    layer = RedisChannelLayer([server.url], prefix="engine", capacity=7)
    engine = redis_engine(layer)
    assert engine.label.startswith("RedisChannelLayer ")
    assert "prefix='engine' capacity=7" in engine.description
    assert engine.description.endswith("not connected>")
    async with closing(layer):
        layer.attach(await layer.new_channel())
        await layer.send("work", message(1))
        assert engine.description.endswith(", connected>")
    assert engine.get_capacity("any") == 7
    assert len(engine.addresses) == 1


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
async def test_what_may_be_sent(server, layer_class):
    engine = redis_engine(layer_class([server.url], max_message_size=50))
    assert engine.checked(message(1))
    with pytest.raises(MessageTooLarge, match="carries 50"):
        engine.checked(message("x" * 50))
    nothing: Any = None
    with pytest.raises((InvalidMessageError, TypeError)):
        engine.checked(nothing)
    for require in (engine.require_valid_channel_name, engine.require_valid_group_name):
        with pytest.raises(TypeError, match="name must be"):
            require("no spaces")


async def test_own_channels_named_ones_and_those_of_others(server):
    one, two = (RedisChannelLayer([server.url], prefix="engine-own") for _ in range(2))
    engine = redis_engine(one)
    async with closing(one, two):
        own, other = await one.new_channel(), await two.new_channel()
        assert (engine.is_own(own), engine.is_own(other), engine.is_own("work")) == (True, False, False)
        assert (engine.waits_in_redis(own), engine.waits_in_redis("work")) == (False, True)
        await one.send(own, message(1))
        taken, acknowledge = await one.take(own)
        await acknowledge()
        assert taken["n"] == 1
        with pytest.raises(AssertionError, match="Wrong client prefix"):
            await one.receive(other)
    pubsub = RedisPubSubChannelLayer([server.url], prefix="engine-own")
    assert not redis_engine(pubsub).waits_in_redis("work")


async def test_entries_that_cannot_be_read_are_passed_over(server):
    layer = RedisChannelLayer([server.url], prefix="engine-unreadable", serializer_format="json")
    other = RedisChannelLayer([server.url], prefix="engine-unreadable")
    async with closing(layer, other):
        for channel in ("received", "taken"):
            await other.send(channel, message("of another format"))
            await layer.send(channel, message(channel))
        assert (await receive(layer, "received"))["n"] == "received"
        taken, acknowledge = await asyncio.wait_for(layer.take("taken"), 30)
        await acknowledge()
        assert taken["n"] == "taken"
        assert dropped(layer, "undecodable") == 2
        await layer.flush()


async def test_interruptions_are_told_as_it_was_asked_for(server):
    called = []
    layer = RedisPubSubChannelLayer(
        [server.url], "engine-told", on_disconnect=lambda: called.append("lost"), on_reconnect="redis.back"
    )
    engine = redis_engine(layer)
    async with closing(layer):
        source = layer.attach(await layer.new_channel(), reconnect_notice=True)
        engine.on_interrupted()
        engine.on_restored(0.5)
        assert called == ["lost"]
        assert source.receive_nowait() == {"type": "redis.back"}
        assert source.receive_nowait() == {"type": "channel_layer.reconnected", "seconds": 0.5}
        engine.on_reconnect = None
        engine.on_restored(0.5)
        assert source.receive_nowait() == {"type": "channel_layer.reconnected", "seconds": 0.5}


async def test_a_channel_that_ends_leaves_its_groups_and_a_flush_all(server):
    layer = RedisChannelLayer([server.url], prefix="engine-ends")
    async with closing(layer):
        name, other = await layer.new_channel(), await layer.new_channel()
        for channel in (name, other):
            layer.attach(channel)
            await layer.group_add("g", channel)
        layer.detach(name)
        assert await layer.group_channels("g") == [other]
        await layer.flush()
        assert await layer.group_channels("g") == []


def test_a_forked_child_is_another_process(server):
    layer = RedisChannelLayer([server.url], prefix="engine-forks")
    engine = redis_engine(layer)
    before = engine.client_prefix

    def child():
        assert engine.client_prefix == layer.client_prefix != before
        assert engine.local.channels == {}

    assert in_forked_child(child) == 0
    assert engine.client_prefix == before
    engine.begin()
    assert engine.client_prefix != before
