"""The sessions of one event loop: found again by user and client identifier, and ended in their time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.router import Router
from channels.mqtt.session import Session
from channels.protocols.mqtt.codes import Reason
from channels.topics.control import Announcement, abroadcast, listen
from channels.topics.delivery.hub import Hub, running_hub
from channels.topics.stores.base import StoreUnavailable


class Sessions:
    """All sessions of one event loop, those without a connection included.

    A client identifier belongs to a user: whoever connects as somebody else has another session.

    Args:
        loop: the event loop.
        router: brings them what is published.
        limits: of the clients.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, router: Router, limits: MQTTLimits) -> None:
        self._loop = loop
        self._router = router
        self._limits = limits
        self._sessions: dict[tuple[str, str], Session] = {}
        self._timers: dict[Session, asyncio.TimerHandle] = {}
        for closed in [each for each in _of_loop if each.is_closed()]:
            del _of_loop[closed]
        _of_loop.setdefault(loop, []).append(self)
        listen(CONNECTED, _connected_elsewhere)

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, key: tuple[str, str], user: Any, *, clean: bool, expiry: float) -> tuple[Session, bool]:
        """Return the session of a client that connects, and whether it was there before.

        An older connection of the same client is closed.

        Args:
            key: the user's id and the client's.
            user: Django's.
            clean: begin a new one.
            expiry: seconds that it outlives its connection.
        """
        session = self._sessions.get(key)
        if session is not None:
            self._take_over(session)
        if session is not None and clean:
            self._end(session)
            session = None
        present = session is not None
        if session is None:
            session = self._sessions[key] = Session(key, user, self._limits.max_queued)
        session.user = user
        session.expiry = min(expiry, self._limits.max_session_expiry)
        self._router.spawn(_tell_others(key))
        return session, present

    def connected_elsewhere(self, key: tuple[str, str]) -> None:
        """End the session of a client that has connected to another process, and its connection."""
        session = self._sessions.get(key)
        if session is not None:
            self._take_over(session)
            self._end(session)

    def _take_over(self, session: Session) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()
        if session.peer is not None:
            telemetry.count("mqtt.session_taken_over", client=session.client_id)
            peer, session.peer = session.peer, None
            peer.end(Reason.SESSION_TAKEN_OVER)

    def left(self, session: Session) -> None:
        """Note that the connection of a session has ended: the session ends in its time."""
        if self._sessions.get(session.key) is not session:
            return
        if not session.expiry:
            self._end(session)
            return
        if len(self._timers) >= self._limits.max_sessions:
            telemetry.count("mqtt.sessions_exceeded")
            self._end(min(self._timers, key=lambda each: self._timers[each].when()))
        self._timers[session] = self._loop.call_later(session.expiry, self._end, session)

    def _end(self, session: Session) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]
        self._router.forget(session)


#: Under this name processes tell each other who has connected.
CONNECTED = "mqtt.connected"
#: The sessions of each event loop, one for each broker; those of closed loops are dropped by the next one.
_of_loop: dict[asyncio.AbstractEventLoop, list[Sessions]] = {}


async def _tell_others(key: tuple[str, str]) -> None:
    """Tell all processes of a connection; while the store is away an older one elsewhere stays open."""
    data = msgspec.json.encode((running_hub().node, *key))
    with contextlib.suppress(StoreUnavailable):
        await abroadcast(Announcement(CONNECTED, data))


def _connected_elsewhere(hub: Hub, data: bytes) -> None:
    node, user, client = msgspec.json.decode(data, type=tuple[str, str, str])
    if node != hub.node:
        for sessions in _of_loop.get(asyncio.get_running_loop(), ()):
            sessions.connected_elsewhere((user, client))
