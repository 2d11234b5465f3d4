"""Removes the keys of a layer, on each server that has any, over connections as the layer's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio.connection import Connection

from channels.layers.redis.connect.errors import ANSWERS, UNREACHABLE, unavailable
from channels.layers.redis.connect.topology import Topology
from channels.layers.redis.wire.keys import KeySpace


async def remove_keys(servers: Topology, names: KeySpace) -> None:
    """Remove the keys of the queues under a prefix; raises RedisUnavailable, and keys may be left then."""
    try:
        for endpoint in await servers.masters():
            connection = await servers.connect(endpoint)
            try:
                async for key in _scan(connection, names.pattern, servers.address.timeout):
                    if names.owns(key):
                        await _ask(connection, servers.address.timeout, "UNLINK", key)
            finally:
                await connection.disconnect(nowait=True)
    except (TimeoutError, *UNREACHABLE, *ANSWERS) as error:
        raise unavailable(servers.address.label, error) from error


async def _scan(connection: Connection, pattern: str, seconds: float) -> AsyncIterator[bytes]:
    cursor = b"0"
    while True:
        cursor, keys = await _ask(connection, seconds, "SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        for key in keys:
            yield key
        if cursor == b"0":
            return


async def _ask(connection: Connection, seconds: float, *command: Any) -> Any:
    async with asyncio.timeout(seconds):
        await connection.send_command(*command)
        return await connection.read_response(disable_decoding=True)
