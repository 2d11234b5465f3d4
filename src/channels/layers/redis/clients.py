"""redis-py clients for an address: blocking for sync code, asynchronous for work outside a layer's links."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.backoff import NoBackoff

from channels.layers.redis.addresses import Address


def async_client(address: Address) -> Any:
    """Return an asynchronous client; close it in the loop it was used in."""
    return _client(
        address,
        redis.asyncio,
        redis.asyncio.RedisCluster,
        redis.asyncio.cluster.ClusterNode,
        redis.asyncio.retry.Retry,
    )


def blocking_client(address: Address) -> Any:
    """Return a blocking client; its pool minds threads and forks."""
    return _client(address, redis, redis.RedisCluster, redis.cluster.ClusterNode, redis.retry.Retry)


def _client(address: Address, module: Any, cluster: Any, node: Any, retry: Any) -> Any:
    options: dict[str, Any] = {"protocol": 2, "retry": retry(NoBackoff(), 0), **address.options}
    limits = {"socket_timeout": address.timeout, "socket_connect_timeout": address.connect_timeout}
    options.update(limits)
    tls = bool(options.pop("tls", False))
    if address.kind == "cluster":
        options.pop("db", None)
        return cluster(startup_nodes=[node(host, port) for host, port in address.places], ssl=tls, **options)
    if address.kind == "sentinel":
        sentinel = module.sentinel.Sentinel(
            address.places,
            sentinel_kwargs={**limits, "retry": options["retry"], **address.sentinel_options},
        )
        return sentinel.master_for(address.master_name, ssl=tls, **options)
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
        return module.Redis(**options)
    return module.Redis(ssl=tls, **options)
