"""The class of connections that a host names makes every connection there."""

from __future__ import annotations

import asyncio

import pytest
import redis.connection
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.connect.clients import async_client, blocking_client
from channels.layers.redis.hosts.addresses import connection_to, parse_entry
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import use_every_connection


class Own(Connection):
    pass


class OwnTLS(SSLConnection):
    """Counts its connections."""

    made = 0

    async def _connect(self):
        OwnTLS.made += 1
        return await super()._connect()


class OwnSync(redis.connection.Connection):
    pass


class OwnSyncTLS(redis.connection.SSLConnection):
    made = 0

    def _connect(self):
        OwnSyncTLS.made += 1
        return super()._connect()


def parse(**options):
    return parse_entry({"host": "h", **options}, "hosts[0]")


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize("form", ["host", "address", "redis-url"])
async def test_a_class_with_tls_makes_every_connection(tls_server, layer_class, form):
    OwnTLS.made = OwnSyncTLS.made = 0
    place = {
        "host": {"host": "127.0.0.1", "port": tls_server.tls_port},
        "address": {"address": f"rediss://127.0.0.1:{tls_server.tls_port}"},
        "redis-url": {"address": f"redis://127.0.0.1:{tls_server.tls_port}"},
    }[form]
    host = {
        **place,
        "ssl_ca_certs": str(tls_server.certificate),
        "connection_class": OwnTLS,
        "sync_connection_class": OwnSyncTLS,
    }
    received = tls_server.ask("INFO", "stats")["total_connections_received"]
    await use_every_connection(layer_class(hosts=[host], prefix=form))
    ours = tls_server.ask("INFO", "stats")["total_connections_received"] - received - 1
    assert OwnTLS.made >= 3
    assert OwnSyncTLS.made >= 1
    assert OwnTLS.made + OwnSyncTLS.made == ours


async def test_a_class_on_both_hops_to_a_master(tls_sentinel, tls_server):
    OwnTLS.made = OwnSyncTLS.made = 0
    own = {
        "connection_class": OwnTLS,
        "sync_connection_class": OwnSyncTLS,
        "ssl_ca_certs": str(tls_server.certificate),
    }
    host = {
        "sentinels": [("127.0.0.1", tls_sentinel.port)],
        "master_name": tls_sentinel.master_name,
        "sentinel_kwargs": own,
        **own,
    }
    await use_every_connection(RedisChannelLayer(hosts=[host], prefix="hops"))
    assert OwnTLS.made >= 6
    assert OwnSyncTLS.made >= 2


async def test_sync_code_needs_a_class_of_its_own(tls_server):
    host = {"host": "127.0.0.1", "port": tls_server.tls_port, "connection_class": OwnTLS}
    layer = RedisChannelLayer(hosts=[host])
    with pytest.raises(InvalidChannelLayerError, match="OwnTLS as `connection_class`.*`sync_conn"):
        await asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"})


async def test_a_cluster_with_a_class_of_its_own():
    address = parse_entry({"address": "redis+cluster://127.0.0.1:1", "connection_class": Own}, "hosts[0]")
    assert type(connection_to(address.options, ("127.0.0.1", 1))) is Own
    with pytest.raises(InvalidChannelLayerError, match="client for clusters does not take"):
        async with async_client(address):
            pass


def test_what_plain_text_would_be_is_refused():
    for options in (
        {"ssl": True, "connection_class": Own},
        {"ssl": True, "connection_class": Connection},
        {"ssl": True, "connection_class": OwnTLS, "sync_connection_class": OwnSync},
        {"connection_class": OwnTLS, "sync_connection_class": OwnSync},
        {"connection_class": Own, "sync_connection_class": OwnSyncTLS},
    ):
        with pytest.raises(ValueError, match="would speak plain text"):
            parse(**options)
    with pytest.raises(ValueError, match="would speak plain text"):
        parse_entry({"address": "rediss://h", "connection_class": Own}, "hosts[0]")


def test_what_is_no_class_of_connections():
    for value in ("redis.asyncio.SSLConnection", redis.connection.SSLConnection, int, Own(host="h")):
        with pytest.raises(ValueError, match=r"needs in `connection_class` a class of redis.asyncio"):
            parse(connection_class=value)
    with pytest.raises(ValueError, match=r"needs in `sync_connection_class` a blocking class"):
        parse(sync_connection_class=OwnTLS)


def test_the_classes_of_redis_py_are_what_they_say():
    assert type(connection_to(parse(connection_class=SSLConnection).options)) is SSLConnection
    assert parse(connection_class=SSLConnection).label == "rediss://h:6379/0"
    assert type(connection_to(parse(connection_class=Connection).options)) is Connection
    unix = parse_entry({"path": "/a", "connection_class": UnixDomainSocketConnection}, "hosts[0]")
    assert type(connection_to(unix.options)) is UnixDomainSocketConnection
    assert type(connection_to(parse(connection_class=Own).options)) is Own
    address = parse(connection_class=Own, sync_connection_class=OwnSync)
    assert blocking_client(address).connection_pool.connection_class is OwnSync
