"""Clients of redis-py for each kind of address."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio
import redis.connection

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.connect.clients import async_client, blocking_client, close_blocking_client
from channels.layers.redis.hosts.addresses import Address, parse_entry


class Own(redis.asyncio.Connection):
    """A project's own class of connections."""


class OwnSync(redis.connection.Connection):
    """The same for sync code."""


CLASSES: dict[str, Any] = {"connection_class": Own, "sync_connection_class": OwnSync}


@pytest.fixture
def address_of(request):
    """Return the address of a kind, with options beside it."""

    def address_of(kind: str, **options: Any) -> Address:
        fixtures = {"sentinel": "sentinels", "sentinel by class": "sentinels", "cluster": "cluster"}
        found = request.getfixturevalue(fixtures.get(kind, "server"))
        entry: Any = {"address": found.url, **options}
        if kind == "dict":
            entry = {"host": "127.0.0.1", "port": found.port, **options}
        return parse_entry(entry, "hosts[0]")

    return address_of


@pytest.mark.parametrize("kind", ["url", "dict", "sentinel", "cluster"])
async def test_each_kind_of_address_has_clients_that_reach_it(address_of, kind):
    address = address_of(kind)
    async with async_client(address) as client:
        assert await client.set("clients", kind)
    blocking = blocking_client(address)
    assert blocking.get("clients") == kind.encode()
    close_blocking_client(blocking)


@pytest.mark.parametrize("kind", ["url", "dict", "sentinel"])
async def test_classes_of_ones_own_make_the_connections(address_of, kind):
    address = address_of(kind, **CLASSES)
    async with async_client(address) as client:
        assert issubclass(client.connection_pool.connection_class, Own)
        assert await client.ping()
    blocking = blocking_client(address)
    assert issubclass(blocking.connection_pool.connection_class, OwnSync)
    assert blocking.ping()
    close_blocking_client(blocking)


async def test_a_unix_socket(tmp_path):
    address = parse_entry(f"unix://{tmp_path}/redis.sock", "hosts[0]")
    async with async_client(address) as client:
        with pytest.raises(redis.ConnectionError, match="redis.sock"):
            await client.ping()


async def test_what_a_cluster_or_sync_code_cannot_use_is_an_error_that_says_so(address_of):
    with pytest.raises(InvalidChannelLayerError, match="for clusters does not take"):
        async with async_client(address_of("cluster", **CLASSES)):
            pass
    with pytest.raises(InvalidChannelLayerError, match=r"Own as `connection_class`.*sync_connection_class"):
        blocking_client(address_of("url", connection_class=Own))


def test_limits_of_time_are_the_addresses(address_of):
    address = address_of("url")
    client = blocking_client(address)
    options = client.connection_pool.connection_kwargs
    assert options["socket_timeout"] == address.timeout
    assert options["socket_connect_timeout"] == address.connect_timeout
    close_blocking_client(client)
