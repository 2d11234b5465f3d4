"""The commands that begin a session and make it last."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Mapping
from typing import Final

from channels import __version__
from channels.protocols.centrifuge.codes import DisconnectCode
from channels.protocols.centrifuge.messages import (
    ConnectRequest,
    ConnectResult,
    RefreshRequest,
    RefreshResult,
    SubscribeRequest,
    SubscribeResult,
)
from channels.topics.delivery.hub import Hub
from channels.topics.limits import Limits
from channels.topics.registry import topic_classes
from channels.topics.session.errors import Disconnected
from channels.topics.session.heartbeat import Heartbeat
from channels.topics.session.identity import identify
from channels.topics.session.session import Session
from channels.topics.session.subscribing import entrance
from channels.topics.stores.manager import get_store

#: What the server calls itself.
VERSION: Final = f"fairway {__version__}"


async def connect(session: Session, request: ConnectRequest) -> ConnectResult:
    """Serve a client from now on, as the user that its handshake or its token shows."""
    identity = await identify(session.scope, request)
    if session.closed:
        raise Disconnected(DisconnectCode.CONNECTION_CLOSED)
    limits = session.limits
    session.hub.use(get_store())
    session.connected(identity, heartbeat_of(session.hub, limits))
    return ConnectResult(
        client=session.id,
        version=VERSION,
        subs=await subscribe_server_side(session, request.subs),
        ping=round(limits.ping_interval),
        pong=True,
        session=session.secret,
        node=session.hub.node if session.secret else "",
    )


async def subscribe_server_side(
    session: Session, positions: Mapping[str, SubscribeRequest]
) -> dict[str, SubscribeResult]:
    """Subscribe a client to what the server thinks it should have.

    Args:
        session: the client's.
        positions: where it was when it left, by the topic's name.
    """
    topics = [topic for cls in topic_classes() for topic in cls.server_side(session.user)]
    async with contextlib.AsyncExitStack() as stack:
        entrances = {}
        for topic in topics:
            request = positions.get(str(topic), SubscribeRequest())
            entrances[str(topic)] = await stack.enter_async_context(
                entrance(session, topic, request, server_side=True)
            )
        return {name: enter() for name, enter in entrances.items()}


async def refresh(session: Session, request: RefreshRequest) -> RefreshResult:
    """Refuse: the connection lasts as long as the session of its user."""
    raise Disconnected(DisconnectCode.BAD_REQUEST)


_heartbeats: weakref.WeakKeyDictionary[Hub, Heartbeat] = weakref.WeakKeyDictionary()


def heartbeat_of(hub: Hub, limits: Limits) -> Heartbeat:
    """Return what pings the clients of a hub."""
    heartbeat = _heartbeats.get(hub)
    if heartbeat is None:
        loop = asyncio.get_running_loop()
        heartbeat = _heartbeats[hub] = Heartbeat(loop, limits.ping_interval, limits.pong_timeout)
    return heartbeat
