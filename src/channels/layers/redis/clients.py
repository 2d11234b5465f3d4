"""redis-py clients for an address: blocking for sync code, asynchronous for work outside a layer's links."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis
import redis.asyncio
from redis.backoff import NoBackoff

from channels.layers.redis.addresses import Address


@asynccontextmanager
async def async_client(address: Address) -> AsyncIterator[Any]:
    """Lend an asynchronous client, and close all its connections."""
    module = redis.asyncio
    client = _client(address, module, module.RedisCluster, module.cluster.ClusterNode, module.retry.Retry)
    try:
        yield client
    finally:
        for each in (client, *_sentinels_of(client)):
            await each.aclose()


def blocking_client(address: Address) -> Any:
    """Return a blocking client; its pool minds threads and forks."""
    return _client(address, redis, redis.RedisCluster, redis.cluster.ClusterNode, redis.retry.Retry)


def close_blocking_client(client: Any) -> None:
    """Close all connections of a client."""
    for each in (client, *_sentinels_of(client)):
        each.close()


def _sentinels_of(client: Any) -> list[Any]:
    """Return the clients a client asks for the master; redis-py leaves them open."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    return list(manager.sentinels) if manager is not None else []


def _client(address: Address, module: Any, cluster: Any, node: Any, retry: Any) -> Any:
    limits = {
        "socket_timeout": address.timeout,
        "socket_connect_timeout": address.connect_timeout,
        "retry": retry(NoBackoff(), 0),
    }
    options: dict[str, Any] = {"protocol": 2, **limits, **address.options}
    tls = bool(options.pop("tls", False))
    if address.kind == "cluster":
        options.pop("db", None)
        return cluster(startup_nodes=[node(host, port) for host, port in address.places], ssl=tls, **options)
    if address.kind == "sentinel":
        sentinel_options = {**limits, **address.sentinel_options}
        sentinel = module.sentinel.Sentinel(address.places, sentinel_kwargs=sentinel_options)
        return sentinel.master_for(address.master_name, ssl=tls, **options)
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
        return module.Redis(**options)
    return module.Redis(ssl=tls, **options)
