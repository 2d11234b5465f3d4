"""How this process is, in numbers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from channels import telemetry
from channels.observability.fleet.answers import NodeStatus
from channels.observability.fleet.facts.connections import is_inspector
from channels.observability.fleet.facts.loops import (
    LoopHeld,
    hubs_by_loop,
    in_loop,
    lag_of,
    loops,
    servers,
    workers,
)
from channels.observability.fleet.facts.topics import deliveries, groups, topics_here
from channels.sync.context import pool
from channels.topics.delivery.nodes import memory

#: Requests that inspectors have made, which are not counted.
own_requests: Counter[str] = Counter()


async def status() -> NodeStatus:
    """Return how this process is."""
    found = NodeStatus(
        draining=any(server.draining for server in servers()),
        memory=memory(),
        cpu=round(time.process_time(), 2),
        counts=dict(pool.statistics()),
        totals=_totals(),
    )
    found.counts = {f"threads_{name}" if name != "threads" else name: n for name, n in found.counts.items()}
    for counts in (
        _layers(),
        {"groups": len(groups()), "servers": len(servers()), "workers": len(workers())},
    ):
        found.counts |= counts
    for worker in workers():
        _add(found.counts, worker.statistics())
    for loop in loops():
        try:
            found.lag = max(found.lag, round(await lag_of(loop), 4))
            _add(found.counts, await in_loop(loop, _counts))
        except LoopHeld as error:
            found.lag, found.doing = -1.0, str(error)
            break
    return found


def _layers() -> dict[str, int]:
    """Count what waits in the layers."""
    channels = unread = 0
    for local in deliveries().values():
        statistics = local.statistics()
        channels += statistics["channels"]
        unread += statistics["unread"]
    return {"channels": channels, "unread": unread}


def _totals() -> dict[str, int]:
    totals: Counter[str] = Counter()
    for server in servers():
        statistics = server.statistics()
        totals.update({name: statistics.get(name, 0) for name in ("accepted", "requests", "websockets")})
    for local in deliveries().values():
        of_layer = local.statistics()
        totals["delivered"] += of_layer["delivered"]
        dropped: dict[str, int] = of_layer["dropped"]
        for reason, amount in dropped.items():
            totals[f"dropped.{reason}"] += amount
    totals["requests"] = max(0, totals["requests"] - own_requests["requests"])
    for name, amount in list(telemetry.counters.items()):
        if not name.startswith("fleet."):
            totals[name] += amount
    return dict(totals)


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for name, amount in more.items():
        counts[name] = counts.get(name, 0) + amount


async def _counts() -> dict[str, int]:
    """Count what the running loop has."""
    loop = asyncio.get_running_loop()
    counts: Counter[str] = Counter()
    for server in servers():
        if server.loop is loop:
            statistics = server.statistics()
            counts["connections"] += statistics["connections"]
            counts["applications"] += statistics["applications"]
            counts["websockets"] += sum(hasattr(stream, "opened_at") for stream in server.streams)
    hub = hubs_by_loop().get(loop)
    clients: list[Any] = [] if hub is None else list(hub.clients.values())
    lookers = [client for client in clients if is_inspector(client)]
    topics = await topics_here()
    counts["clients"] = len(clients) - len(lookers)
    counts["topics"] = len(topics)
    counts["subscriptions"] = sum(topics.values())
    looking = sum(client.scope.get("type") == "websocket" for client in lookers)
    for name in ("connections", "applications", "websockets"):
        counts[name] = max(0, counts[name] - looking)
    return dict(counts)
