"""Subscribing a client: what was published before, joined without a gap to what comes."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec
from django.conf import settings

from channels import telemetry
from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode, UnsubscribeCode
from channels.protocols.centrifuge.filters import FilterError, compile_filter
from channels.protocols.centrifuge.messages import (
    Publication,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from channels.topics.access.expiry import ttl_until
from channels.topics.access.grants import UNGRANTED, Grant, granted_by
from channels.topics.delivery.deltas import Delta, pushed_in_turn
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.snapshots import SnapshotUnavailable, prepare
from channels.topics.delivery.subscription import Subscription
from channels.topics.patterns import MAX_NAME
from channels.topics.registry import UnknownTopic, require_topic, resolve
from channels.topics.session.announcing import announce_joined, anybody_listens
from channels.topics.session.errors import CommandFailed, Disconnected, require_future, token_refusal
from channels.topics.session.permissions import may_subscribe
from channels.topics.session.session import Session
from channels.topics.stores.manager import get_store
from channels.topics.stores.noting import note_recovery
from channels.topics.tokens.errors import TokenError
from channels.topics.topic import Topic, retention_of

logger = logging.getLogger("channels.topics")

#: Flags of a subscribe request: pushes may carry a number; an error rather than "not recovered".
NUMBERED, REJECT_UNRECOVERED = 1, 2
#: Bytes of a publication beside its data, about.
ENVELOPE = 100
#: The only delta there is.
FOSSIL = "fossil"


async def subscribe(session: Session, request: SubscribeRequest) -> SubscribeResult:
    """Subscribe a client that asks for it."""
    name = request.channel
    if name in session.subscriptions:
        raise CommandFailed(ErrorCode.ALREADY_SUBSCRIBED)
    if len(session.subscriptions) >= session.limits.max_subscriptions:
        raise CommandFailed(ErrorCode.LIMIT_EXCEEDED)
    topic, grant = await admitted(session, request)
    async with entrance(session, topic, request, grant) as enter:
        return enter(session.outbox.room)


async def admitted(session: Session, request: SubscribeRequest) -> tuple[Topic, Grant | None]:
    """Return the topic that a client wants and may have, and what its token grants of it.

    Raises:
        CommandFailed: there is none, or the client may not have it.
        Disconnected: its token is another's.
    """
    name = request.channel
    topic = find_topic(name)
    if request.type:
        raise CommandFailed(ErrorCode.PERMISSION_DENIED, "topics have subscriptions of type 0 only")
    grant = None
    if request.token:
        grant = await _grant(session, name, request.token, CommandFailed(ErrorCode.PERMISSION_DENIED))
    elif not await may_subscribe(topic, session.user):
        if telemetry.listeners:
            telemetry.emit("topics.subscription_refused", topic=name, user=session.user_id)
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    return topic, grant


async def unsubscribe(session: Session, request: UnsubscribeRequest) -> UnsubscribeResult:
    """End a subscription; that there is none is fine."""
    if not request.channel:
        raise Disconnected(DisconnectCode.BAD_REQUEST)
    session.leave(request.channel)
    return UnsubscribeResult()


async def refresh(session: Session, request: SubRefreshRequest) -> SubRefreshResult:
    """Have a subscription last as long as another token says.

    If that has expired already the subscription ends, and the client subscribes again with a new one.
    """
    name = request.channel
    subscription = session.subscriptions.get(name)
    if subscription is None or subscription.server_side:
        raise CommandFailed(ErrorCode.PERMISSION_DENIED)
    if not request.token or request.type:
        raise CommandFailed(ErrorCode.BAD_REQUEST)
    try:
        grant = await _grant(session, name, request.token, Disconnected(DisconnectCode.INVALID_TOKEN))
    except CommandFailed as failed:
        if failed.error.code in (ErrorCode.TOKEN_EXPIRED, ErrorCode.EXPIRED):
            code = UnsubscribeCode.SUBSCRIPTION_EXPIRED
            session.unsubscribe(name, code, code.reason)
        raise
    if session.subscriptions.get(name) is subscription:
        session.grant(name, grant.expires_at)
    return SubRefreshResult(expires=grant.expires_at > 0, ttl=ttl_until(grant.expires_at))


async def _grant(session: Session, name: str, text: str, invalid: CommandFailed | Disconnected) -> Grant:
    """Return what a subscription token grants; ends the command with ``invalid`` if it is worth nothing."""
    try:
        grant = await granted_by(text, session.user_id, session.id, name)
    except TokenError as error:
        raise token_refusal(error, invalid) from None
    if grant is None:
        raise Disconnected(DisconnectCode.INVALID_TOKEN)
    require_future(grant.expires_at)
    return grant


def find_topic(name: str) -> Topic:
    """Return the topic that a client has named.

    Raises:
        Disconnected: it has named none.
        CommandFailed: there is none of that name.
    """
    if not name:
        raise Disconnected(DisconnectCode.BAD_REQUEST)
    if len(name.encode()) > MAX_NAME:
        raise CommandFailed(ErrorCode.BAD_REQUEST, f"a topic name has at most {MAX_NAME} bytes")
    topic: Topic | None = resolve(name)
    if topic is None:
        if settings.DEBUG:
            _show_patterns(name)
        raise CommandFailed(ErrorCode.UNKNOWN_CHANNEL)
    return topic


def _show_patterns(name: str) -> None:
    """Tell who develops a page what a client is not told."""
    try:
        require_topic(name)
    except UnknownTopic as unknown:
        logger.warning("A client was refused: %s", unknown)


@contextlib.asynccontextmanager
async def entrance(
    session: Session,
    topic: Topic,
    request: SubscribeRequest,
    grant: Grant | None = None,
    server_side: bool = False,
) -> AsyncIterator[Callable[[int], SubscribeResult]]:
    """Prepare a subscription that the client may have; the function that it yields makes it.

    Call that in the step in which the reply is written: what comes later than the position that it says goes
    to the subscription. Its argument is how many bytes of what the client has missed may be in the reply.
    """
    cls, name = type(topic), str(topic)
    store = get_store(cls.store)
    subscription = new_subscription(session, topic, request, grant or UNGRANTED, server_side)
    async with session.hub.entered(name, retention_of(cls), cls.message is bytes, store) as live:
        if wants_recovery(cls, request):
            await live.load_recent()
        await prepare_snapshot(session, topic, live)
        first = False
        if subscription.present:
            first = await store.presence_add(name, subscription.info, announce=subscription.announced)
        try:
            yield functools.partial(_enter, session, live, cls, grant, request, subscription)
        finally:
            if session.subscriptions.get(name) is subscription:
                if anybody_listens(topic):
                    session.hub.spawn(announce_joined(topic, session.user, session.id, first))
            elif subscription.present:
                session.hub.spawn(session.forget_presence(store, subscription))


async def prepare_snapshot(session: Session, topic: Topic, live: LiveTopic) -> None:
    """Have at hand what subscribers begin with, where that is a snapshot.

    Raises:
        CommandFailed: there is none.
    """
    try:
        await prepare(topic, live, session.hub)
    except SnapshotUnavailable as error:
        code = ErrorCode.INTERNAL_SERVER_ERROR if error.temporary else ErrorCode.LIMIT_EXCEEDED
        raise CommandFailed(code, str(error)) from error


def _enter(
    session: Session,
    live: LiveTopic,
    cls: type[Topic],
    grant: Grant | None,
    request: SubscribeRequest,
    subscription: Subscription,
    room: int,
) -> SubscribeResult:
    """Make a subscription; returns the reply."""
    if session.closed:
        raise Disconnected(DisconnectCode.CONNECTION_CLOSED)
    if live.source is not None:
        subscription.view = live.source.view_of(session)
    result = result_for(live, cls, request, subscription, room)
    live.join(subscription)
    session.subscriptions[live.name] = subscription
    if telemetry.listeners:
        telemetry.emit("topics.subscribed", topic=live.name, user=session.user_id, client=session.id)
    return result if grant is None else _granted(session, live.name, grant, result)


def _granted(session: Session, name: str, grant: Grant, result: SubscribeResult) -> SubscribeResult:
    """Note what a token grants; returns the reply with what the token says in it."""
    session.grant(name, grant.expires_at)
    recovers = result.recoverable and _decided(grant.override.force_recovery, True)
    return msgspec.structs.replace(
        result,
        data=grant.data,
        expires=grant.expires_at > 0,
        ttl=ttl_until(grant.expires_at),
        recoverable=recovers,
        positioned=recovers or (result.positioned and _decided(grant.override.force_positioning, True)),
    )


def _decided(override: bool | None, by_topic: bool) -> bool:
    return by_topic if override is None else override


def new_subscription(
    session: Session, topic: Topic, request: SubscribeRequest, grant: Grant, server_side: bool
) -> Subscription:
    """Return a subscription as the topic, or a token, allows and the client wants it."""
    cls, override = type(topic), grant.override
    keeps = cls.history is not None
    joins = _decided(override.force_push_join_leave, cls.join_leave and request.join_leave)
    recovers = _decided(override.force_recovery, keeps)
    binary = session.outbox.framing.codec.binary
    return Subscription(
        client=session,
        outbox=session.outbox_for(topic),
        slow=cls.slow_clients,
        topic=str(topic),
        info=session.info_for(grant.info),
        # npm's client reads a number of 64 bits from Protobuf as an object, and never finds it again.
        numbered=bool(request.flag & NUMBERED) and not binary,
        positioned=keeps and (recovers or _decided(override.force_positioning, keeps)),
        join_leave=joins,
        delta=delta_for(cls, request, binary),
        server_side=server_side,
        present=_decided(override.presence, cls.presence),
        announced=_decided(override.join_leave, cls.join_leave),
        passes=filter_for(topic, request),
    )


def delta_for(cls: type[Topic], request: SubscribeRequest, binary: bool) -> Delta:
    """Return how publications are sent. With a filter a client lacks some that patches would be made for."""
    asked = cls.delta and request.delta == FOSSIL and request.tf is None
    return Delta.WHOLE if asked and (binary or cls.message is not bytes) else Delta.NONE


def filter_for(topic: Topic, request: SubscribeRequest) -> Any:
    """Return whether publications with certain tags are wanted; None if all are.

    Raises:
        CommandFailed: the topic has no filters, or this one cannot be read.
    """
    if request.tf is None:
        return None
    if not type(topic).tags_filter:
        raise CommandFailed(ErrorCode.BAD_REQUEST, "this topic has no filter by tags")
    try:
        return compile_filter(request.tf)
    except FilterError as error:
        raise CommandFailed(ErrorCode.BAD_REQUEST, str(error)) from error


def result_for(
    live: LiveTopic, cls: type[Topic], request: SubscribeRequest, subscription: Subscription, room: int
) -> SubscribeResult:
    """Return the reply: where the stream is, and what the client has missed of it.

    Args:
        live: the topic.
        cls: its class.
        request: what the client wants.
        subscription: as it will be.
        room: bytes that may be sent to the client: of what is more it is told that it cannot be recovered. It
            would be cut off as one that does not read, come back, and be cut off again.

    Raises:
        CommandFailed: that is not known, and the client rather wants an error.
    """
    delta = subscription.delta is not Delta.NONE
    result = SubscribeResult(id=live.number if subscription.numbered else 0, delta=delta)
    if live.position is None:
        return result
    offset, epoch = live.position
    result = msgspec.structs.replace(
        result,
        recoverable=True,
        positioned=True,
        offset=offset,
        epoch=epoch,
        was_recovering=live.source is not None or wants_recovery(cls, request),
    )
    if not result.was_recovering:
        return result
    missed = missed_by(live, cls, request, subscription, room)
    if request.recover:
        note_recovery(live.name, request.offset, missed)
    if missed is None:
        if request.flag & REJECT_UNRECOVERED:
            raise CommandFailed(ErrorCode.UNRECOVERABLE_POSITION)
        return result
    return msgspec.structs.replace(
        result,
        recovered=True,
        publications=recovered(live, subscription, missed, request.offset),
        offset=offset if cls.cache or live.source is not None else request.offset,
    )


def size_of(publications: Iterable[Publication]) -> int:
    """Return about how many bytes publications have on the wire."""
    return sum(len(each.data) + ENVELOPE for each in publications)


def missed_by(
    live: LiveTopic, cls: type[Topic], request: SubscribeRequest, subscription: Subscription, room: int
) -> list[Publication] | None:
    """Return what brings a client from where it was to where the topic is; None if that is not known.

    Raises:
        CommandFailed: there is no snapshot, or it has more bytes than may wait for a client.
    """
    if live.source is not None and (not request.recover or subscription.view is not None):
        return snapshot_of(live, subscription, room)
    missed = newest_missed(live, request) if cls.cache else live.missed(request.offset, request.epoch)
    if missed and size_of(missed) > room:
        telemetry.count("topics.recovery_too_large", topic=live.name)
        missed = None
    if missed is None and live.source is not None:
        return snapshot_of(live, subscription, room)
    return missed


def snapshot_of(live: LiveTopic, subscription: Subscription, room: int) -> list[Publication]:
    """Return what a client begins with; see :func:`missed_by`."""
    assert live.source is not None  # else there are no snapshots
    snapshot = live.source.snapshot(subscription.client)
    if snapshot is None:  # it was lost a moment ago
        raise CommandFailed(ErrorCode.INTERNAL_SERVER_ERROR)
    if size_of([snapshot]) > room:
        telemetry.count("topics.recovery_too_large", topic=live.name)
        raise CommandFailed(
            ErrorCode.LIMIT_EXCEEDED, "the snapshot is larger than what may wait for a client"
        )
    return [snapshot]


def wants_recovery(cls: type[Topic], request: SubscribeRequest) -> bool:
    """Whether it is looked for what was published before: the client asks, or the topic is a cache."""
    return cls.history is not None and (request.recover or cls.cache)


def recovered(
    live: LiveTopic, subscription: Subscription, missed: list[Publication], offset: int
) -> list[Publication]:
    """Return what a client has missed, as it is sent; after that, patches fit if it has the last one now."""
    passes = subscription.passes
    wanted = [each for each in missed if passes is None or passes(each.tags)]
    binary = subscription.outbox.framing.codec.binary
    sent = list(pushed_in_turn(wanted, subscription.delta, binary, live.is_bytes))
    has = wanted[-1].offset if wanted else offset
    if subscription.delta is Delta.WHOLE and live.last is not None and live.last.offset == has > 0:
        subscription.delta = Delta.PATCH
    return sent


def newest_missed(live: LiveTopic, request: SubscribeRequest) -> list[Publication] | None:
    """Return the newest publication, unless the client has it; None if it is not known."""
    if live.position is not None and (request.offset, request.epoch) == live.position:
        return []
    newest = live.newest()
    return None if newest is None else [newest]
