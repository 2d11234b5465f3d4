"""``protocol`` 3, and TLS to sentinels."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.hosts.addresses import parse_entry
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import use_every_connection


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize("shape", ["dict", "url", "sentinel", "cluster"])
async def test_resp3(request, layer_class, shape):
    found = request.getfixturevalue({"sentinel": "sentinels", "cluster": "cluster"}.get(shape, "server"))
    host: Any = f"{found.url}?protocol=3"
    if shape == "dict":
        host = {"host": "127.0.0.1", "port": found.port, "protocol": 3}
    await use_every_connection(layer_class(hosts=[host], prefix=f"resp3-{shape}"))


async def test_a_client_for_work_of_ones_own_speaks_what_was_asked_for(server):
    for protocol in (2, 3):
        layer = RedisChannelLayer(hosts=[f"{server.url}?protocol={protocol}"])
        async with layer.connection(0) as client:
            # RESP3 has a type for maps, and HELLO answers with it
            assert (await client.execute_command("HELLO"))[b"proto" if protocol == 3 else 5] == protocol


@pytest.mark.parametrize("scheme", ["rediss+sentinel", "redis+sentinel"])
async def test_tls_to_both_by_url(tls_sentinel, tls_server, scheme):
    certificate = f"ssl_ca_certs={tls_server.certificate}"
    query = certificate
    if scheme == "redis+sentinel":
        query = f"ssl=true&{certificate}&sentinel_ssl=true&sentinel_{certificate}"
    url = f"{scheme}://{tls_sentinel.place}/{tls_sentinel.master_name}/0?{query}"
    await use_every_connection(RedisChannelLayer(hosts=[url], prefix=scheme))


async def test_a_sentinel_whose_certificate_is_not_trusted(tls_sentinel):
    host = f"rediss+sentinel://{tls_sentinel.place}/{tls_sentinel.master_name}"
    layer = RedisChannelLayer(hosts=[host])
    with pytest.raises(RedisUnavailable, match="TLS to the sentinels of rediss.* failed: .*certificate"):
        await layer.group_send("g", {"type": "m"})


async def test_a_sentinel_that_speaks_no_tls(sentinels):
    address = sentinels.url.replace("redis+", "rediss+")
    layer = RedisChannelLayer(hosts=[{"address": address, "socket_connect_timeout": 0.5}])
    with pytest.raises(RedisUnavailable, match="TLS to the sentinels .* failed.*sentinel_ssl=false"):
        await layer.group_send("g", {"type": "m"})


async def test_a_sentinel_that_speaks_tls_only(tls_sentinel):
    layer = RedisChannelLayer(hosts=[f"redis+sentinel://{tls_sentinel.place}/{tls_sentinel.master_name}"])
    with pytest.raises(RedisUnavailable, match=r"whether they speak TLS \(rediss.sentinel://"):
        await asyncio.wait_for(layer.group_send("g", {"type": "m"}), 30)


def test_tls_to_the_master_alone():
    address = parse_entry("rediss+sentinel://s/m?sentinel_ssl=false&ssl_cert_reqs=none", "hosts[0]")
    assert address.options["tls"] is True
    assert "tls" not in address.sentinel_options
    both = parse_entry("rediss+sentinel://s/m?ssl_cert_reqs=none&sentinel_ssl_cert_reqs=required", "hosts[0]")
    assert both.sentinel_options == {"tls": True, "ssl_cert_reqs": "required"}
    assert both.options["ssl_cert_reqs"] == "none"
