"""redis-py clients for an address: blocking for sync code, asynchronous for work outside a layer's links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import redis
import redis.asyncio
from redis.backoff import NoBackoff

from channels.exceptions import InvalidChannelLayerError
from channels.layers.redis.hosts.addresses import Address, Endpoint


@asynccontextmanager
async def async_client(address: Address) -> AsyncIterator[Any]:
    """Lend an asynchronous client, and close all its connections.

    Raises:
        InvalidChannelLayerError: a cluster has a ``connection_class`` of its own, which redis-py's client
            for clusters does not take.
    """
    module = redis.asyncio
    client = _client(address, module, module.RedisCluster, module.cluster.ClusterNode, module.retry.Retry)
    try:
        yield client
    finally:
        for each in (client, *_sentinels_of(client)):
            await each.aclose()


def blocking_client(address: Address) -> Any:
    """Return a blocking client; its pool minds threads and forks.

    Raises:
        InvalidChannelLayerError: there is a ``connection_class`` and no ``sync_connection_class``.
    """
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
    options, cls = _own_class(module, {**limits, **address.options}, address)
    if address.kind == "cluster":
        if cls is not None:
            raise InvalidChannelLayerError(
                f"Redis at {address.label} has a class of its own for connections, which redis-py's client "
                "for clusters does not take: neither connection() nor layer.sync can be used."
            )
        options.pop("db", None)
        tls = options.pop("tls", False)
        return cluster(
            startup_nodes=[node(host, port) for host, port in address.endpoints], ssl=tls, **options
        )
    if address.kind == "sentinel":
        sentinel = module.sentinel.Sentinel([], sentinel_kwargs={})
        theirs, theirs_cls = _own_class(module, {**limits, **address.sentinel_options}, address)
        sentinel.sentinels = [_one(module, theirs, theirs_cls, endpoint) for endpoint in address.endpoints]
        tls = options.pop("tls", False)
        if cls is not None:
            options["connection_class"] = _managed(module, cls)
        return sentinel.master_for(address.master_name, ssl=tls, **options)
    return _one(module, options, cls)


def _own_class(
    module: Any, options: Mapping[str, Any], address: Address
) -> tuple[dict[str, Any], type[Any] | None]:
    """Return the options without the classes, and the class that is somebody's own."""
    rest = {"protocol": 2, **options}
    asynchronous, blocking = rest.pop("connection_class", None), rest.pop("sync_connection_class", None)
    if module is not redis:
        return rest, asynchronous
    if asynchronous is not None and blocking is None:
        raise InvalidChannelLayerError(
            f"Redis at {address.label} has {asynchronous.__qualname__} as `connection_class`, which sync "
            "code cannot use. Give `sync_connection_class` beside it in `hosts`, a class derived from those "
            "of redis.connection, or call async_to_sync(layer.group_send) instead of layer.sync."
        )
    return rest, blocking


def _one(
    module: Any, options: Mapping[str, Any], cls: type[Any] | None, endpoint: Endpoint | None = None
) -> Any:
    """Return a client for one server."""
    keywords = dict(options)
    tls = keywords.pop("tls", False)
    if endpoint is not None:
        keywords["host"], keywords["port"] = endpoint
    if cls is not None:
        return module.Redis.from_pool(module.ConnectionPool(connection_class=cls, **keywords))
    if "path" in keywords:
        keywords["unix_socket_path"] = keywords.pop("path")
    return module.Redis(ssl=tls, **keywords)


def _managed(module: Any, cls: type[Any]) -> type[Any]:
    """Return a class of connections that asks the sentinels for its endpoint."""
    return type(cls.__name__, (module.sentinel.SentinelManagedConnection, cls), {})
