"""The commands that begin a session and make it last."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from channels import __version__, telemetry
from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import (
    EMPTY,
    ConnectRequest,
    ConnectResult,
    Push,
    RefreshRequest,
    RefreshResult,
    Subscribe,
    SubscribeRequest,
    SubscribeResult,
)
from channels.topics.access.expiry import CONNECTION, ttl_until
from channels.topics.access.grants import Grant, grant_of
from channels.topics.control import SubscribeClients
from channels.topics.delivery.hub import Hub
from channels.topics.limits import Limits
from channels.topics.registry import resolve, topic_classes
from channels.topics.session.errors import CommandFailed, Disconnected, token_refusal
from channels.topics.session.heartbeat import Heartbeat
from channels.topics.session.identity import identify, identify_by_token
from channels.topics.session.session import Session
from channels.topics.session.subscribing import admitted, entrance, size_of
from channels.topics.stores.manager import get_store
from channels.topics.tokens.claims import Override, TokenSubscription
from channels.topics.tokens.errors import TokenError
from channels.topics.topic import Topic

#: What the server calls itself.
VERSION: Final = f"fairway {__version__}"


async def connect(session: Session, request: ConnectRequest) -> ConnectResult:
    """Serve a client from now on, as the user that its handshake or its token shows."""
    if session.has_tried:
        raise Disconnected(DisconnectCode.BAD_REQUEST)
    session.has_tried = True
    session.hub.use(get_store())
    await session.hub.hear_control()
    identity = await identify(session.scope, request)
    if session.closed:
        raise Disconnected(DisconnectCode.CONNECTION_CLOSED)
    limits = session.limits
    session.connected(identity, heartbeat_of(session.hub, limits))
    session.by_server = subscribe_by_server
    return ConnectResult(
        client=session.id,
        version=VERSION,
        expires=identity.expires_at > 0,
        ttl=ttl_until(identity.expires_at),
        subs=await subscribe_server_side(session, request.subs),
        ping=round(limits.ping_interval),
        pong=True,
        session=session.secret,
        node=session.hub.node if session.secret else "",
    )


async def subscribe_server_side(
    session: Session, requests: Mapping[str, SubscribeRequest]
) -> dict[str, SubscribeResult]:
    """Subscribe a client to what the server thinks it should have, and to what it wants and may have.

    Args:
        session: the client's.
        requests: where it was in topics of the server when it left, and what else it wants, by their names.
    """
    topics = server_side_topics(session)
    names = {str(topic) for topic in topics}
    wanted = {name: request for name, request in requests.items() if name not in names}
    topics = {**await _wished(session, wanted), **topics}
    if len(topics) > session.limits.max_subscriptions:
        raise Disconnected(DisconnectCode.CHANNEL_LIMIT)
    async with contextlib.AsyncExitStack() as stack:
        entrances = {}
        for topic, grant in topics.items():
            request = requests.get(str(topic), SubscribeRequest())
            entrances[str(topic)] = await stack.enter_async_context(
                entrance(session, topic, request, grant, server_side=True)
            )
        room, results = session.outbox.room, {}
        for name, enter in entrances.items():
            results[name] = enter(room)
            room -= size_of(results[name].publications)
        return results


def server_side_topics(session: Session) -> dict[Topic, Grant | None]:
    """Return what the server subscribes a client to: what classes of topics say, and what its token says."""
    identity = session.identity
    assert identity is not None  # it has just connected
    topics: dict[Topic, Grant | None] = {
        topic: None for cls in topic_classes() for topic in cls.server_side(identity.user)
    }
    for name, subscription in identity.subscriptions.items():
        topic = resolve(name)
        if topic is None:
            telemetry.count("topics.token_topic_unknown", topic=name)
        else:
            topics[topic] = _grant_of(subscription)
    return topics


async def _wished(session: Session, requests: Mapping[str, SubscribeRequest]) -> dict[Topic, Grant | None]:
    """Return what a client wants and may have; what it may not is passed over, as nothing could answer it."""
    if len(requests) > session.limits.max_subscriptions:
        raise Disconnected(DisconnectCode.CHANNEL_LIMIT)
    topics: dict[Topic, Grant | None] = {}
    for name, request in requests.items():
        with contextlib.suppress(CommandFailed):
            topic, grant = await admitted(session, msgspec.structs.replace(request, channel=name))
            topics[topic] = grant
    return topics


async def subscribe_by_server(session: Session, control: SubscribeClients) -> None:
    """Subscribe a client that is connected, and tell it."""
    name, topic = control.topic, resolve(control.topic)
    if topic is None or len(session.subscriptions) >= session.limits.max_subscriptions:
        session.end(DisconnectCode.CHANNEL_LIMIT)
        return
    offset, epoch = control.since or (0, "")
    request = SubscribeRequest(name, recover=control.since is not None, offset=offset, epoch=epoch)
    override = Override(**control.override)
    grant = Grant(_json(control.info), _json(control.data), override, control.expires_at)
    async with entrance(session, topic, request, grant, server_side=True) as enter:
        if session.closed or name in session.subscriptions:
            return
        result = enter(session.outbox.room)
        told = {field: getattr(result, field) for field in Subscribe.__struct_fields__}
        session.push(Push(channel=name, subscribe=Subscribe(**told)))
        for publication in result.publications:
            session.push(Push(channel=name, pub=publication))


def _json(text: bytes) -> Raw:
    return Raw(text) if text else EMPTY


def _grant_of(subscription: TokenSubscription) -> Grant:
    try:
        return grant_of(subscription)
    except TokenError as error:
        raise token_refusal(error, Disconnected(DisconnectCode.INVALID_TOKEN)) from None


async def refresh(session: Session, request: RefreshRequest) -> RefreshResult:
    """Have the connection last as long as another token of its user says.

    A connection that came without a token lasts as long as the session of its user, and is not refreshed.
    """
    known = session.identity
    assert known is not None  # commands before that are refused
    if not known.by_token or not request.token:
        raise Disconnected(DisconnectCode.BAD_REQUEST)
    try:
        identity = await identify_by_token(request.token)
    except CommandFailed as failed:
        if failed.error.code in (ErrorCode.TOKEN_EXPIRED, ErrorCode.EXPIRED):
            raise Disconnected(DisconnectCode.CONNECTION_EXPIRED) from None
        raise
    if identity.user_id != known.user_id:
        raise Disconnected(DisconnectCode.INVALID_TOKEN)
    if identity.subscriptions.keys() != known.subscriptions.keys():
        raise Disconnected(DisconnectCode.INSUFFICIENT_STATE)
    session.identity = identity
    session.expiry.set(CONNECTION, identity.expires_at)
    return RefreshResult(expires=identity.expires_at > 0, ttl=ttl_until(identity.expires_at))


_heartbeats: weakref.WeakKeyDictionary[Hub, Heartbeat] = weakref.WeakKeyDictionary()


def heartbeat_of(hub: Hub, limits: Limits) -> Heartbeat:
    """Return what pings the clients of a hub."""
    heartbeat = _heartbeats.get(hub)
    if heartbeat is None:
        loop = asyncio.get_running_loop()
        heartbeat = _heartbeats[hub] = Heartbeat(loop, limits.ping_interval, limits.pong_timeout)
    return heartbeat
