"""The Redis below a layer or a store: its version, its clock, and policies that lose messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import redis

from channels.observability.doctor.steps import Status, Step

#: Seconds that clocks may differ.
_SKEW: Final = 1.0
#: Bytes that a subscriber may leave unread, below which Redis cuts processes that are busy for a moment.
_BUFFER: Final = 8 * 1024 * 1024


def redis_step(name: str, config: Mapping[str, Any]) -> Step:
    """Look at the first Redis of a layer.

    Args:
        name: of the layer's steps.
        config: its CONFIG.
    """
    name, did = f"{name} redis", "asked Redis for its version, its clock and its policies"
    try:
        with _client(config) as client:
            version = client.info("server")["redis_version"]
            wrong = list(_wrong(client))
    except (redis.RedisError, OSError) as error:
        return Step(name, did, f"{type(error).__name__}: {error}", Status.ERROR, "See that Redis runs.")
    if not wrong:
        return Step(name, did, f"version {version}")
    saw = "; ".join(saw for saw, _ in wrong)
    return Step(
        name, did, (f"version {version}; {saw}"), Status.WARNING, " ".join(remedy for _, remedy in wrong)
    )


def _client(config: Mapping[str, Any]) -> redis.Redis:
    hosts = config.get("hosts") or ["redis://localhost:6379"]
    first = hosts[0] if isinstance(hosts, list | tuple) else hosts
    timeouts: dict[str, Any] = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}
    if isinstance(first, Mapping) and "address" in first:
        first = first["address"]
    if isinstance(first, str):
        return redis.Redis.from_url(first, **timeouts)
    if isinstance(first, Mapping):
        return redis.Redis(host=first["host"], port=first.get("port", 6379), **timeouts)
    return redis.Redis(host=first[0], port=first[1], **timeouts)


def _wrong(client: Any) -> Iterator[tuple[str, str]]:
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
        yield (
            f"client-output-buffer-limit pubsub is {limit} bytes",
            "Processes that are busy for a moment are cut off: set it to 32mb 8mb 60.",
        )
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
