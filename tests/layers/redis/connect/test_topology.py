"""Where names live: against a server, sentinels and a cluster, and against places where nobody is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import MovedError

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.connect.topology import HERE, Topology, servers_at
from channels.layers.redis.hosts.addresses import Endpoint, parse_entry
from tests.support.ports import free_port


def topology(entry: Any) -> Topology:
    return servers_at(parse_entry(entry, "hosts[0]"))


@contextlib.asynccontextmanager
async def connected(servers: Topology, endpoint: Endpoint) -> AsyncIterator[Any]:
    connection: Any = await servers.connect(endpoint)
    try:
        yield connection
    finally:
        await connection.disconnect()


async def ask(connection: Any, *command: str) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


async def test_one_server_is_where_everything_lives(server):
    servers = topology(server.url)
    assert not servers.sharded
    assert await servers.locate(b"anything") == HERE
    assert await servers.masters() == [HERE]
    servers.moved()
    async with connected(servers, HERE) as connection:
        assert await ask(connection, "PING") == b"PONG"


async def test_nobody_is_there():
    servers = topology({"host": "127.0.0.1", "port": free_port(), "password": "s3cret"})
    with pytest.raises(RedisUnavailable) as caught:
        await servers.connect(HERE)
    assert "s3cret" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_given_up():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        servers = topology({"host": "127.0.0.1", "port": port, "socket_connect_timeout": 0.2})
        with pytest.raises(RedisUnavailable):
            await servers.connect(HERE)


async def test_who_gives_up_connecting_leaves_no_connection(own_server):
    own_server.pause()
    try:
        connecting = asyncio.ensure_future(topology(own_server.url).connect(HERE))
        await asyncio.sleep(0.05)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
    finally:
        own_server.resume()


async def test_sentinels_lead_to_the_master(sentinels):
    servers = topology(sentinels.url)
    async with connected(servers, await servers.locate(b"key")) as connection:
        role = await ask(connection, "ROLE")
        assert role[0] == b"master"


async def test_a_sentinel_that_is_gone_is_passed_over(sentinels):
    gone = f"redis+sentinel://127.0.0.1:{free_port()},"
    servers = topology(sentinels.url.replace("redis+sentinel://", gone))
    async with connected(servers, HERE) as connection:
        assert await ask(connection, "PING") == b"PONG"


async def test_a_master_that_no_sentinel_knows(sentinels):
    servers = topology(sentinels.url.replace(sentinels.master_name, "unknown"))
    with pytest.raises(RedisUnavailable, match="unknown"):
        await servers.connect(HERE)


async def test_no_sentinel_is_there():
    servers = topology(f"redis+sentinel://127.0.0.1:{free_port()}/tests/0")
    with pytest.raises(RedisUnavailable, match="No sentinel of .* knows a master"):
        await servers.connect(HERE)


async def test_sentinels_that_still_name_a_replica(sentinels, monkeypatch):
    servers: Any = topology(sentinels.url)

    async def replica() -> Endpoint:
        return sentinels.replica.address

    monkeypatch.setattr(servers, "_master", replica)
    with pytest.raises(RedisUnavailable, match="no master any more"):
        await servers.connect(HERE)


async def test_a_cluster_has_a_master_for_each_slot(cluster):
    servers = topology(cluster.url)
    ports = {server.port for server in cluster.servers}
    assert {port for _, port in await servers.masters()} == ports
    places = {await servers.locate(b"key-%d" % number) for number in range(50)}
    assert {port for _, port in places} == ports
    assert servers.sharded
    place = await servers.locate(b"key")
    async with connected(servers, place) as connection:
        assert await ask(connection, "SET", "key", "1") == b"OK"


async def test_what_a_redirection_says_holds_until_the_map_is_fetched_again(cluster):
    servers = topology(cluster.url)
    before = await servers.locate(b"key")
    servers.moved(MovedError(f"{key_slot(b'key')} 127.0.0.1:1"))
    assert await servers.locate(b"key") == ("127.0.0.1", 1)
    servers.moved()
    assert await servers.locate(b"key") == before


async def test_all_who_ask_at_once_wait_for_one_map(cluster):
    servers: Any = topology(cluster.url)
    asking = [asyncio.ensure_future(servers.locate(b"key")) for _ in range(5)]
    await asyncio.sleep(0)
    assert servers._fetching is not None
    assert len(set(await asyncio.gather(*asking))) == 1
    assert servers._fetching is None


async def test_a_slot_that_nobody_serves(cluster):
    servers: Any = topology(cluster.url)
    other = (key_slot(b"key") + 1) % 16384
    servers._slots = [(other, other, cluster.servers[0].address)]
    with pytest.raises(RedisUnavailable, match="No master serves slot"):
        await servers.locate(b"key")
    assert await servers.locate(b"key") in await servers.masters()


async def test_a_node_that_is_gone_is_passed_over_and_then_none_is_left(cluster):
    gone = f"redis+cluster://127.0.0.1:{free_port()}"
    servers = topology(cluster.url.replace("redis+cluster://", f"{gone},"))
    assert len(await servers.masters()) == 3
    with pytest.raises(RedisUnavailable):
        await topology(gone).locate(b"key")
