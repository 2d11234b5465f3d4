"""The two layers on one Redis: apart under one prefix, and what each takes as a message."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from channels.exceptions import MessageTooLarge
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import closing, dropped, receive, until


async def quiet(layer, channel):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(channel), 0.3)


async def test_they_do_not_meet_under_one_prefix(own_server):
    core, pubsub = layers = [
        layer_class(hosts=[own_server.address], prefix="one")
        for layer_class in (RedisChannelLayer, RedisPubSubChannelLayer)
    ]
    async with closing(*layers):
        names = [await layer.new_channel() for layer in layers]
        for layer, name in zip(layers, names, strict=True):
            await layer.group_add("g", name)
        for n, layer in enumerate(layers):
            await layer.group_send("g", {"type": "m", "n": n})
        for n, (layer, name) in enumerate(zip(layers, names, strict=True)):
            assert (await receive(layer, name))["n"] == n
            await quiet(layer, name)
        waiting = asyncio.ensure_future(receive(pubsub, "jobs"))
        await until(lambda: pubsub.statistics()["redis"]["topics"] >= 3)
        await core.send("jobs", {"type": "m", "n": "core"})
        await pubsub.send("jobs", {"type": "m", "n": "pubsub"})
        assert (await waiting)["n"] == "pubsub"
        assert (await receive(core, "jobs"))["n"] == "core"
        await core.send("kept", {"type": "m"})
        await pubsub.flush()
        assert await receive(core, "kept") == {"type": "m"}
        await pubsub.send("kept", {"type": "m"})
        await core.flush()
        assert await receive(pubsub, "kept") == {"type": "m"}
        assert [layer.statistics()["dropped"] for layer in layers] == [{}, {}]


async def test_the_names_of_the_core_layer_are_what_they_were(own_server):
    """Other programs look at them, and processes of earlier releases use them."""
    layer = RedisChannelLayer(hosts=[own_server.address])
    async with closing(layer):
        name = await layer.new_channel()
        await layer.group_add("g", name)
        await layer.send("jobs", {"type": "m"})
        topics = set(own_server.ask("PUBSUB", "CHANNELS", "*"))
        assert {b"asgi:group:g", f"asgi:process:{layer.client_prefix}".encode()} <= topics
        assert b"asgi:queue:{jobs}:ready" in own_server.all_keys()


async def test_shared_names_are_those_of_earlier_releases(own_server):
    old, core = (
        RedisPubSubChannelLayer(hosts=[own_server.address], shared_names=True, random_prefix_length=12),
        RedisChannelLayer(hosts=[own_server.address]),
    )
    async with closing(old, core):
        await old.group_add("g", name := await old.new_channel())
        await core.group_send("g", {"type": "m"})
        assert await receive(old, name) == {"type": "m"}


@pytest.mark.parametrize("message", ["text", 5, [1, "a"], b"bytes", {"no": "type"}])
async def test_the_pubsub_layer_takes_anything_as_4_3_does(own_server, message):
    here, there = (RedisPubSubChannelLayer(hosts=[own_server.address]) for _ in range(2))
    async with closing(here, there):
        name = await here.new_channel()
        await here.group_add("g", name)
        for layer in (here, there):
            await layer.send(name, message)
            assert await receive(here, name) == message
            await layer.group_send("g", message)
            assert await receive(here, name) == message
        await asyncio.to_thread(there.sync.group_send, "g", message)
        assert await receive(here, name) == message
        await here.send("waits", message)
        assert await receive(there, "waits") == message
        there.sync.close()


async def test_what_anything_does_not_include(own_server):
    layer = RedisPubSubChannelLayer(hosts=[own_server.address], max_message_size=100)
    async with closing(layer):
        wrong: list[tuple[Any, type[Exception], str]] = [
            (None, TypeError, "None is no message"),
            (object(), TypeError, "object at message"),
            ("x" * 200, MessageTooLarge, "of type 'str' has"),
            ("\ud800", TypeError, "cannot be sent"),
        ]
        for message, error, text in wrong:
            with pytest.raises(error, match=text):
                await layer.send("queue", message)


@pytest.mark.parametrize("members", [1, 600])
async def test_full_members_are_told_in_the_line_of_4_3_and_no_other(own_server, caplog, members):
    """One line a message; a room so large that it is served in slices, too."""
    layer = RedisChannelLayer(hosts=[own_server.address], capacity=2)
    async with closing(layer):
        for _ in range(members):
            name = await layer.new_channel()
            layer.attach(name)
            await layer.group_add("g", name)
        with caplog.at_level(logging.INFO):
            for _ in range(5):
                await layer.group_send("g", {"type": "m"})
                await asyncio.sleep(0.05)
            await until(lambda: dropped(layer, "capacity") == 3 * members)
    told = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert [(record.name, record.levelname) for record in told] == [("channels_redis.core", "INFO")] * 3
    assert {record.getMessage() for record in told} == {
        f"{members} of {members} channels over capacity in group g"
    }


async def test_a_negative_prefix_is_none(own_server):
    none, negative = (
        RedisChannelLayer(hosts=[own_server.address], random_prefix_length=length) for length in (0, -1)
    )
    assert negative.serialize({"a": 1}) == none.serialize({"a": 1})
    async with closing(none, negative):
        await negative.send("queue", {"type": "m"})
        assert await receive(none, "queue") == {"type": "m"}
