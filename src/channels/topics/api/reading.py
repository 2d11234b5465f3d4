"""Methods that only look: history, presence, channels, nodes."""

from __future__ import annotations

from typing import Final

from channels.protocols.centrifuge.codes import ErrorCode
from channels.topics.api import requests
from channels.topics.api.errors import APIError
from channels.topics.api.requests import Result
from channels.topics.control import NodeReport, SurveyAnswer
from channels.topics.delivery.deltas import Delta, pushed_in_turn
from channels.topics.delivery.hub import running_hub
from channels.topics.registry import require_topic
from channels.topics.stores.base import Position
from channels.topics.stores.manager import get_store
from channels.topics.topic import Topic

#: Characters of a pattern.
LONGEST_PATTERN: Final = 255


def topic_named(channel: str) -> Topic:
    """Return the topic of a channel; raises UnknownTopic, or APIError if none is named."""
    if not channel:
        raise APIError(ErrorCode.BAD_REQUEST, "channel is missing")
    found: Topic = require_topic(channel)
    return found


async def history(request: requests.History) -> Result:
    """Return a page of what was published."""
    topic = topic_named(request.channel)
    cls = type(topic)
    if cls.history is None:
        raise APIError(ErrorCode.NOT_AVAILABLE, f"{cls.__name__} has no history")
    since = None if request.since is None else Position(request.since.offset, request.since.epoch)
    if request.reverse and since is not None and since.offset == 0:
        raise APIError(ErrorCode.BAD_REQUEST, "nothing is before offset 0")
    page = await get_store(cls.store).read(str(topic), since, max(-1, request.limit), request.reverse)
    if since is not None and since.epoch not in ("", page.position.epoch):
        raise APIError(ErrorCode.UNRECOVERABLE_POSITION)
    publications = list(pushed_in_turn(page.publications, Delta.NONE, False, cls.message is bytes))
    return {"publications": publications, "offset": page.position.offset, "epoch": page.position.epoch}


async def presence(request: requests.Channel) -> Result:
    """Return who is there."""
    topic = _with_presence(request.channel)
    return {"presence": await get_store(type(topic).store).presence(str(topic))}


async def presence_stats(request: requests.Channel) -> Result:
    """Return how many are there."""
    topic = _with_presence(request.channel)
    stats = await get_store(type(topic).store).presence_stats(str(topic))
    return {"num_clients": stats.clients, "num_users": stats.users}


def _with_presence(channel: str) -> Topic:
    topic = topic_named(channel)
    if not type(topic).presence:
        raise APIError(ErrorCode.NOT_AVAILABLE, f"{type(topic).__name__} has no presence")
    return topic


async def channels(request: requests.Channels) -> Result:
    """Return the channels that have subscribers, on any node."""
    if len(request.pattern) > LONGEST_PATTERN:
        raise APIError(ErrorCode.BAD_REQUEST, f"a pattern has at most {LONGEST_PATTERN} characters")
    counts: dict[str, int] = {}
    for answer in await _survey(request.pattern):
        if not answer.complete:
            raise APIError(ErrorCode.LIMIT_EXCEEDED, "these are too many channels; narrow the pattern")
        for name, amount in answer.topics.items():
            counts[name] = counts.get(name, 0) + amount
    return {"channels": {name: {"num_clients": amount} for name, amount in counts.items()}}


async def info(request: requests.Info) -> Result:
    """Return the nodes."""
    return {"nodes": [_node(answer.report) for answer in await _survey(None)]}


async def _survey(pattern: str | None) -> list[SurveyAnswer]:
    hub = running_hub()
    hub.use(get_store())
    return await hub.nodes.survey(pattern)


def _node(report: NodeReport) -> Result:
    return {
        "uid": report.node,
        "name": report.name,
        "version": report.version,
        "num_clients": report.clients,
        "num_users": report.users,
        "num_channels": report.topics,
        "num_subs": report.subscriptions,
        "uptime": report.uptime,
        "process": {"cpu": report.cpu, "rss": report.rss},
    }
