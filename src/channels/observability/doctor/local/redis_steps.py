"""The Redis below a layer or a store: its version, its clock, and policies that lose messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import redis

from channels.exceptions import ChannelsError
from channels.layers.redis.connect.clients import blocking_client, close_blocking_client
from channels.layers.redis.hosts.addresses import Address
from channels.layers.redis.hosts.setting import Hosts
from channels.observability.doctor.steps import Status, Step, wrong
from channels.observability.problems import Problem, said

#: Seconds that clocks may differ.
_SKEW: Final = 1.0
#: Bytes that a subscriber may leave unread, below which Redis cuts processes that are busy for a moment.
_BUFFER: Final = 8 * 1024 * 1024
_DID: Final = "asked Redis for its version, its clock and its policies"


def redis_steps(name: str, config: Mapping[str, Any]) -> Iterator[Step]:
    """Look at each Redis of a layer: all shards, the master and the sentinels, all primaries of a cluster.

    Args:
        name: of the layer's steps.
        config: its CONFIG.
    """
    try:
        addresses = Hosts(config.get("hosts")).addresses
    except (ValueError, TypeError) as error:
        yield Step(f"{name} redis", "read its hosts", str(error), Status.ERROR, "Mend hosts in its CONFIG.")
        return
    for number, address in enumerate(addresses):
        yield from _address(f"{name} redis" if len(addresses) == 1 else f"{name} redis {number}", address)


def _address(name: str, address: Address) -> Iterator[Step]:
    client = None
    try:
        client = blocking_client(address)
        if address.kind == "sentinel":
            yield _sentinels(f"{name} sentinels", client.connection_pool.sentinel_manager.sentinels)
        for place, server in _servers(client, address):
            yield _server(name, place, server)
    except (redis.RedisError, OSError, ChannelsError) as error:
        yield wrong(name, _DID, Problem("redis_away", {"name": address.label, "error": said(error)}))
    finally:
        if client is not None:
            close_blocking_client(client)


def _servers(client: Any, address: Address) -> Iterator[tuple[str, Any]]:
    """Return clients of all servers that are written to, with what they are called."""
    if address.kind == "cluster":
        for node in client.get_primaries():
            yield f"{address.label}, {node.host}:{node.port}", client.get_redis_connection(node)
    else:
        yield address.label, client


def _server(name: str, place: str, client: Any) -> Step:
    try:
        version = client.info("server")["redis_version"]
        mistakes = list(_mistakes(client))
    except (redis.RedisError, OSError) as error:
        return wrong(name, _DID, Problem("redis_away", {"name": place, "error": said(error)}))
    saw = "; ".join([f"{place}: version {version}", *(each for each, _ in mistakes)])
    remedy = " ".join(remedy for _, remedy in mistakes)
    return Step(name, _DID, saw, Status.WARNING if mistakes else Status.OK, remedy)


def _sentinels(name: str, sentinels: Sequence[Any]) -> Step:
    """Ask each sentinel: where fewer than most are there, none is made master when the master goes."""
    away = [text for each in sentinels if (text := _what_is_wrong(each))]
    saw = "; ".join([f"{len(sentinels) - len(away)} of {len(sentinels)} answer", *away])
    if not away:
        return Step(name, "asked each sentinel", saw)
    remedy = "See that all run and are named in hosts: fewer than most of them make no other server master."
    return Step(name, "asked each sentinel", saw, Status.WARNING, remedy)


def _what_is_wrong(sentinel: Any) -> str:
    try:
        sentinel.ping()
    except (redis.RedisError, OSError) as error:
        place = sentinel.connection_pool.connection_kwargs
        return f"{place.get('host')}:{place.get('port')}: {type(error).__name__}"
    return ""


def _mistakes(client: Any) -> Iterator[tuple[str, str]]:
    """Return what is wrong, each with its remedy."""
    seconds, micros = client.time()
    if abs(skew := seconds + micros / 1e6 - time.time()) > _SKEW:
        yield f"its clock is {skew:+.1f} s off", "Let machines set their clocks by NTP."
    policy = _setting(client, "maxmemory-policy")
    if policy is None:
        yield "it does not tell its settings", "Let this user call CONFIG GET to have them looked at."
        return
    if policy != "noeviction" and int(_setting(client, "maxmemory") or 0):
        yield (
            f"maxmemory-policy is {policy}",
            "Groups and messages vanish when memory is full: set maxmemory-policy noeviction.",
        )
    limit = _pubsub_limit(_setting(client, "client-output-buffer-limit") or "")
    if 0 < limit < _BUFFER:
        problem = Problem("redis_buffer", {"limit": limit})
        yield problem.text(), problem.remedy()
    timeout = int(_setting(client, "timeout") or 0)
    if 0 < timeout < 60:
        yield f"timeout is {timeout} s", "Idle connections are cut: set timeout 0."


def _setting(client: Any, name: str) -> str | None:
    try:
        found = client.config_get(name)
    except redis.ResponseError:
        return None
    value = found.get(name, found.get(name.encode()))
    return value.decode() if isinstance(value, bytes) else value


def _pubsub_limit(text: str) -> int:
    """Return the hard limit for subscribers, in bytes; 0 for none."""
    words = text.split()
    return int(words[words.index("pubsub") + 1]) if "pubsub" in words else 0
