"""The Redis layer for code without an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest
import redis

from channels.exceptions import ChannelFull
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import closing, dropped, receive


def message(n):
    return {"type": "m", "n": n}


async def test_it_sends_to_own_channels_others_and_named_ones(server):
    one, two = (RedisChannelLayer([server.url], prefix="sync-send") for _ in range(2))
    async with closing(one, two):
        own, other = await one.new_channel(), await two.new_channel()
        two.attach(other)
        await two.group_add("g", other)
        one.sync.send(own, message(1))
        assert (await receive(one, own))["n"] == 1
        await asyncio.to_thread(one.sync.group_send, "g", message(2))
        await asyncio.to_thread(one.sync.send, other, message(3))
        assert [(await receive(two, other))["n"] for _ in range(2)] == [2, 3]
        await asyncio.to_thread(one.sync.send, "work", message(4))
        assert (await receive(two, "work"))["n"] == 4
        one.sync.close()
        one.sync.close()


async def test_a_full_queue_and_a_channel_whose_process_has_ended(server):
    layer, gone = (RedisChannelLayer([server.url], prefix="sync-lost", capacity=1) for _ in range(2))
    async with closing(layer):
        async with closing(gone):
            ended = await gone.new_channel()
        await asyncio.to_thread(layer.sync.send, ended, message(1))
        assert dropped(layer, "unreachable") == 1
        await asyncio.to_thread(layer.sync.send, "full", message(1))
        with pytest.raises(ChannelFull):
            await asyncio.to_thread(layer.sync.send, "full", message(2))
        layer.sync.close()


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_who_is_in_a_group(request, layer_class, kind):
    url = request.getfixturevalue(kind).url
    one, two = (layer_class([url], prefix=f"sync-members-{layer_class.__name__}") for _ in range(2))
    async with closing(one, two):
        names = [await layer.new_channel() for layer in (one, two)]
        for layer, name in zip((one, two), names, strict=True):
            await layer.group_add("g", name)
        found = await asyncio.to_thread(one.sync.group_channels, "g", 10)
        assert (found, found.unanswered) == (sorted(names), 0)
        assert await asyncio.to_thread(one.sync.group_count, "g", 10) == 2
        one.sync.close()


async def test_a_server_that_has_forgotten_the_script_is_told_it_again(server):
    layer = RedisChannelLayer([server.url], prefix="sync-script")
    async with closing(layer):
        for n in range(2):
            with redis.Redis(port=server.port) as client:
                client.script_flush()
            await asyncio.to_thread(layer.sync.send, "work", message(n))
        assert [(await receive(layer, "work"))["n"] for _ in range(2)] == [0, 1]
        layer.sync.close()


async def test_what_nobody_listens_to_waits_on_the_layer_over_publish_subscribe(server):
    layer = RedisPubSubChannelLayer([server.url], prefix="sync-named")
    async with closing(layer):
        await asyncio.to_thread(layer.sync.send, "work", message(1))
        assert (await receive(layer, "work"))["n"] == 1
        layer.sync.close()


async def test_each_thread_is_a_sender_whose_order_is_kept(server):
    layer = RedisChannelLayer([server.url], prefix="sync-order", capacity=1000)
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)

        def send(thread):
            for n in range(20):
                layer.sync.group_send("g", message([thread, n]))

        threads = [threading.Thread(target=send, args=[n]) for n in range(3)]
        for thread in threads:
            thread.start()
        got = [(await receive(layer, name))["n"] for _ in range(60)]
        for thread in threads:
            await asyncio.to_thread(thread.join)
        for sender in range(3):
            assert [n for thread, n in got if thread == sender] == list(range(20))
        layer.sync.close()
