"""What to know of a server that keeps tasks: whether its configuration may lose them."""

from __future__ import annotations

import contextlib
from typing import Any

from channels.layers.redis.connect.blocking import BlockingClient
from channels.layers.redis.connect.errors import ANSWERS

_EVICTS = (
    "Redis deletes tasks when its memory is full: its maxmemory-policy is {policy}. Set it to noeviction, so "
    "that enqueueing is refused instead, or keep tasks in another Redis than a cache."
)
_FORGETS = (
    "Redis keeps tasks in its memory only, or writes them to its disk now and then: what was enqueued since "
    "then is lost if it dies. Set appendonly to yes (redis.conf) if that is too little."
)


def what_to_know(client: BlockingClient) -> list[str]:
    """Return warnings about the server; none if it does not say how it is configured."""
    found: dict[str, Any] = {}
    with contextlib.suppress(*ANSWERS):  # the user has no right to ask, or it is a cluster of several nodes
        for section in ("memory", "persistence"):
            found |= client.redis.info(section)
    warnings = []
    policy = str(found.get("maxmemory_policy", ""))
    if policy.startswith("allkeys") and found.get("maxmemory"):
        warnings.append(_EVICTS.format(policy=policy))
    if found.get("aof_enabled") == 0:
        warnings.append(_FORGETS)
    return warnings
