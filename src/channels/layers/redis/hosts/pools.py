"""The pools of redis-py that channels_redis 4.3 makes, for those who make them with its functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool


def create_pool(host: Mapping[str, Any]) -> ConnectionPool:
    """Return a pool for one decoded entry of ``hosts``; it is the caller's to close.

    Args:
        host: ``{"address": url, ...}``, ``{"host": ..., "port": ...}`` or ``{"sentinels": ...,
            "master_name": ...}``, with options of redis-py.
    """
    options = dict(host)
    if "address" in options:
        address = options.pop("address")
        pool: ConnectionPool = ConnectionPool.from_url(address, **options)
        return pool
    master = options.pop("master_name", None)
    if master is None:
        return ConnectionPool(**options)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py has no types here
        options.pop("sentinels"), sentinel_kwargs=options.pop("sentinel_kwargs", None)
    )
    return SentinelConnectionPool(master, sentinel, **options)  # type: ignore[no-untyped-call]


def wrap_close(proxy: Any, loop: Any) -> None:
    """Have ``loop.close()`` flush the layer that ``proxy._layers`` holds for the loop, and forget it."""
    close = loop.close

    def flush_and_close() -> None:
        loop.close = close
        layer = proxy._layers.pop(loop, None)
        if layer is not None:
            loop.run_until_complete(layer.flush())
        close()

    loop.close = flush_and_close


async def close_redis(connection: Any) -> None:
    """Close a client of redis-py and its pool."""
    await connection.aclose(close_connection_pool=True)
