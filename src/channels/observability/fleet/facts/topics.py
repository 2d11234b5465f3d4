"""The topics and groups of this process that have subscribers here."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from channels.diagnostics.delivery_log import is_internal
from channels.layers.engine import engine_of
from channels.layers.local.delivery import LocalDelivery
from channels.layers.manager import channel_layers
from channels.observability.fleet.answers import TopicRow, Topics
from channels.observability.fleet.facts.connections import is_inspector
from channels.observability.fleet.facts.loops import hubs_by_loop
from channels.observability.fleet.questions import MOST_ROWS, AskTopics
from channels.topics.registry import RESERVED
from channels.topics.session.session import Session


def deliveries() -> dict[str, LocalDelivery]:
    """Return the local halves of the layers that were made, by their aliases; those of ours."""
    found: dict[str, Any] = {
        alias: getattr(engine_of(layer), "local", None)
        for alias, layer in list(channel_layers.backends.items())
    }
    return {alias: local for alias, local in found.items() if local is not None}


def groups() -> dict[str, int]:
    """Return how many members each group has in this process, without those of our own."""
    found: dict[str, int] = {}
    for local in deliveries().values():
        for name, members in local.group_sizes().items():
            if is_internal(name):
                continue
            found[name] = found.get(name, 0) + members
    return found


async def topics_here() -> dict[str, int]:
    """Return how many subscribers each topic has in the running loop, without those of inspectors."""
    hub = hubs_by_loop().get(asyncio.get_running_loop())
    if hub is None:
        return {}
    sizes = Counter(hub.topics())
    for client in hub.clients.values():
        if isinstance(client, Session) and is_inspector(client):
            sizes.subtract(client.subscriptions.keys())
    return {name: size for name, size in sizes.items() if size > 0 and not name.startswith(RESERVED)}


def page(found: dict[str, int], ask: AskTopics) -> Topics:
    """Return what fits a question, a page of it."""
    text = ask.text.casefold()
    names = sorted(name for name in found if text in name.casefold())
    rows = [TopicRow(name, found[name]) for name in names if name > ask.after]
    return Topics(rows[: min(ask.limit, MOST_ROWS)], len(names))
