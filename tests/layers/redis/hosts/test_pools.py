"""The pools of redis-py that functions of channels_redis make."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool

from channels.layers.redis.hosts.pools import close_redis, create_pool, wrap_close


@pytest.mark.parametrize("form", ["url", "dict", "sentinel"])
async def test_a_pool_leads_to_the_server(request, form):
    host = {}
    if form == "sentinel":
        sentinels = request.getfixturevalue("sentinels")
        addresses = [("127.0.0.1", sentinel.port) for sentinel in sentinels.sentinels]
        host = {"sentinels": addresses, "master_name": sentinels.master_name, "sentinel_kwargs": {}}
    else:
        server = request.getfixturevalue("server")
        host = {"address": server.url} if form == "url" else {"host": "127.0.0.1", "port": server.port}
    given = dict(host)
    pool = create_pool(host)
    assert host == given, "what was given is not changed"
    assert isinstance(pool, SentinelConnectionPool) == (form == "sentinel")
    client = Redis(connection_pool=pool)
    assert await client.ping()
    await close_redis(client)
    assert not pool._available_connections or not pool._available_connections[0].is_connected


class Layer:
    """Says when it was flushed."""

    def __init__(self):
        self.flushed = []

    async def flush(self):
        self.flushed.append(asyncio.get_running_loop())


class Proxy:
    """Holds layers by loop."""

    def __init__(self):
        self._layers = {}


@pytest.mark.parametrize("held", [True, False])
def test_closing_a_loop_flushes_its_layer(held):
    proxy, layer, loop = Proxy(), Layer(), asyncio.new_event_loop()
    if held:
        proxy._layers[loop] = layer
    wrap_close(proxy, loop)
    loop.close()
    assert loop.is_closed()
    assert layer.flushed == [loop] * held
    assert proxy._layers == {}
    loop.close()
