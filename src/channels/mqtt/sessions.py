"""The sessions of one event loop: found again by user and client identifier, and ended in their time."""

from __future__ import annotations

import asyncio
from typing import Any

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.router import Router
from channels.mqtt.session import Session
from channels.protocols.mqtt.codes import Reason


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
        return session, present

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
