"""``flush()`` removes what is the layer's own, on every shape of Redis."""

from __future__ import annotations

import contextlib

import pytest

from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels.layers.redis.wire.keys import KeySpace
from tests.layers.redis.tools import closing, receive


@pytest.fixture(params=["single", "shards", "sentinel", "cluster", "pubsub"])
def shape(request):
    """The class of a layer, its hosts, and the servers behind them."""
    fixture = {"sentinel": "sentinels", "cluster": "cluster"}.get(request.param, "server")
    found = request.getfixturevalue(fixture)
    if request.param == "shards":
        second = request.getfixturevalue("second_server")
        return RedisChannelLayer, [found.address, second.address], [found, second]
    layer_class = RedisPubSubChannelLayer if request.param == "pubsub" else RedisChannelLayer
    hosts = [found.url]
    return layer_class, hosts, [found.primary] if request.param == "sentinel" else [found]


async def test_flush_leaves_the_keys_of_a_longer_prefix(shape):
    layer_class, hosts, servers = shape
    prefixes = ("shop", "shop2", "shop:queue", "shop.x")
    shop, *others = layers = [layer_class(hosts=hosts, prefix=prefix) for prefix in prefixes]
    queues = ("a", "b", "c", "d")
    async with closing(*layers):
        for layer in layers:
            for queue in queues:
                await layer.send(queue, {"type": "m", "of": layer.prefix})
        await shop.flush()
        left = [key for server in servers for key in server.all_keys() if key.startswith(b"shop:queue:{")]
        assert left == []
        for layer in others:
            for queue in queues:
                assert (await receive(layer, queue))["of"] == layer.prefix
        for layer in others:
            await layer.flush()


async def test_flush_leaves_what_is_no_queue(own_server):
    layer = RedisChannelLayer(hosts=[own_server.address], prefix="shop")
    theirs = ["shop", "shop:cart:7", "shop:queue:{a}:other", "shop:queue:{a}:ready:copy", "shop:queue:a"]
    with contextlib.closing(own_server.client()) as client:
        for key in theirs:
            client.set(key, "theirs")
    async with closing(layer):
        await layer.send("a", {"type": "m"})
        await layer.flush()
    assert sorted(own_server.all_keys()) == sorted(key.encode() for key in theirs)


def test_which_keys_are_whose():
    names = KeySpace("a[b]*")
    assert all(names.owns(key) for key in names.queue("jobs"))
    assert all(names.owns(key.encode()) for key in names.queue("jobs"))
    for other in ("a[b]*2", "ab", "a[b]*:queue"):
        assert not any(names.owns(key) for key in KeySpace(other).queue("jobs"))
