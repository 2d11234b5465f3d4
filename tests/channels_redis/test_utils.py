"""The functions beside the layers, as channels_redis 4.3.0 was seen to have them."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from redis.asyncio.sentinel import SentinelConnectionPool

from channels.exceptions import ChannelFull
from channels_redis import core, utils
from tests.support.redis_servers import RedisServer

HOSTS = [
    (None, [{"address": "redis://localhost:6379"}]),
    ([], [{"address": "redis://localhost:6379"}]),
    ([("h", 1)], [{"host": "h", "port": 1}]),
    ([["h", 1]], [{"host": "h", "port": 1}]),
    ([("h", 1, 2)], [{"host": "h", "port": 1}]),
    (["redis://a", "redis://b"], [{"address": "redis://a"}, {"address": "redis://b"}]),
    ([{"host": "h"}], [{"host": "h"}]),
    ([None], [{"address": None}]),
]


@pytest.mark.parametrize(("hosts", "decoded"), HOSTS)
def test_decoded_hosts(hosts, decoded):
    assert utils.decode_hosts(hosts) == decoded


@pytest.mark.parametrize("hosts", ["redis://x", b"x"])
def test_text_is_no_list_of_hosts(hosts):
    with pytest.raises(ValueError, match="You must pass a list of Redis hosts, even if there is only one."):
        utils.decode_hosts(hosts)


async def test_pools():
    by_url = utils.create_pool({"address": "redis://h:7/2", "max_connections": 4})
    assert (type(by_url), by_url.max_connections) == (redis.asyncio.ConnectionPool, 4)
    assert (by_url.connection_kwargs["host"], by_url.connection_kwargs["db"]) == ("h", 2)
    host = {"host": "h", "port": 7}
    assert utils.create_pool(host).connection_kwargs["port"] == 7
    sentinels = {"sentinels": [("s", 1)], "master_name": "m", "sentinel_kwargs": {"password": "p"}}
    pool = utils.create_pool(sentinels)
    assert type(pool) is SentinelConnectionPool
    assert (pool.service_name, len(pool.sentinel_manager.sentinels)) == ("m", 1)
    assert "master_name" in sentinels
    with pytest.raises(ValueError, match="must specify one of the following schemes"):
        utils.create_pool({"address": None})


async def test_a_client_is_closed_with_its_pool():
    with RedisServer() as server:
        client = redis.asyncio.Redis(connection_pool=utils.create_pool({"address": server.url}))
        await client.ping()
        (connection,) = client.connection_pool._available_connections
        await utils._close_redis(client)
        assert not connection.is_connected


def test_a_loop_flushes_its_layer_when_it_is_closed():
    class Layer:
        flushed = 0

        async def flush(self):
            self.flushed += 1

    class Proxy:
        _layers = {}

    loop, layer = asyncio.new_event_loop(), Layer()
    Proxy._layers = {loop: layer}
    utils._wrap_close(Proxy, loop)
    loop.close()
    assert (loop.is_closed(), layer.flushed, Proxy._layers) == (True, 1, {})
    another = asyncio.new_event_loop()
    utils._wrap_close(Proxy, another)
    another.close()
    assert another.is_closed()


def test_names_beside_the_core_layer():
    assert core.ChannelFull is ChannelFull
    for name in ("create_pool", "decode_hosts", "_wrap_close", "_close_redis", "_consistent_hash"):
        assert getattr(core, name) is getattr(utils, name)
    assert [utils._consistent_hash(f"g{n}", 3) for n in range(10)] == [2, 2, 2, 2, 2, 2, 1, 1, 1, 1]
