"""What a client may read of a topic beside what is pushed: history and presence."""

from __future__ import annotations

from channels.protocols.centrifuge.codes import ErrorCode
from channels.protocols.centrifuge.messages import (
    HistoryRequest,
    HistoryResult,
    PresenceRequest,
    PresenceResult,
    PresenceStatsRequest,
    PresenceStatsResult,
)
from channels.topics.delivery.deltas import Delta, pushed_in_turn
from channels.topics.delivery.snapshots import has_views
from channels.topics.session.errors import CommandFailed
from channels.topics.session.permissions import may_subscribe
from channels.topics.session.session import Session
from channels.topics.session.subscribing import find_topic
from channels.topics.stores.base import Position
from channels.topics.stores.manager import get_store
from channels.topics.topic import Topic


async def readable(session: Session, name: str) -> Topic:
    """Return a topic that the client may read: one that it is subscribed to, or may subscribe to.

    Raises:
        CommandFailed: it may not.
    """
    topic = find_topic(name)
    if name not in session.subscriptions and not await may_subscribe(topic, session.user):
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    return topic


async def history(session: Session, request: HistoryRequest) -> HistoryResult:
    """Return a page of what was published."""
    topic = await readable(session, request.channel)
    if type(topic).history is None or has_views(type(topic)):
        raise CommandFailed(ErrorCode.NOT_AVAILABLE)
    since = None if request.since is None else Position(request.since.offset, request.since.epoch)
    page = session.limits.history_page
    limit = page if request.limit < 0 else min(request.limit, page)
    found = await get_store(type(topic).store).read(str(topic), since, limit, request.reverse)
    if since is not None and since.epoch and since.epoch != found.position.epoch:
        raise CommandFailed(ErrorCode.UNRECOVERABLE_POSITION)
    binary = session.outbox.framing.codec.binary
    publications = list(pushed_in_turn(found.publications, Delta.NONE, binary, type(topic).message is bytes))
    return HistoryResult(publications, found.position.epoch, found.position.offset)


async def presence(session: Session, request: PresenceRequest) -> PresenceResult:
    """Return who is there."""
    topic = await readable(session, request.channel)
    if not type(topic).presence:
        raise CommandFailed(ErrorCode.NOT_AVAILABLE)
    present = await get_store(type(topic).store).presence(str(topic))
    if len(present) > session.limits.presence_page:
        raise CommandFailed(ErrorCode.LIMIT_EXCEEDED, "too many are present; ask for presence_stats")
    return PresenceResult(present)


async def presence_stats(session: Session, request: PresenceStatsRequest) -> PresenceStatsResult:
    """Return how many are there."""
    topic = await readable(session, request.channel)
    if not type(topic).presence:
        raise CommandFailed(ErrorCode.NOT_AVAILABLE)
    stats = await get_store(type(topic).store).presence_stats(str(topic))
    return PresenceStatsResult(stats.clients, stats.users)
