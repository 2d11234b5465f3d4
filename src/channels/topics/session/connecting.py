"""The commands that begin a session and make it last."""

from __future__ import annotations

import asyncio
import weakref
from typing import Final

from channels import __version__
from channels.protocols.centrifuge.codes import DisconnectCode
from channels.protocols.centrifuge.messages import (
    ConnectRequest,
    ConnectResult,
    RefreshRequest,
    RefreshResult,
)
from channels.topics.delivery.hub import Hub
from channels.topics.limits import Limits
from channels.topics.session.errors import Disconnected
from channels.topics.session.heartbeat import Heartbeat
from channels.topics.session.identity import identify
from channels.topics.session.session import Session

#: What the server calls itself.
VERSION: Final = f"fairway {__version__}"


async def connect(session: Session, request: ConnectRequest) -> ConnectResult:
    """Serve a client from now on, as the user that its handshake or its token shows."""
    identity = await identify(session.scope, request)
    if session.closed:
        raise Disconnected(DisconnectCode.CONNECTION_CLOSED)
    limits = session.limits
    session.connected(identity, heartbeat_of(session.hub, limits))
    return ConnectResult(
        client=session.id, version=VERSION, ping=round(limits.ping_interval), pong=True, session=session.id
    )


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
