"""The sessions of one event loop: found again by user and client identifier, and ended in their time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.metering.meter import MQTTMeter
from channels.mqtt.router import Router
from channels.mqtt.session import Session
from channels.mqtt.stored.durable import GRACE, Durable, Overtaken
from channels.mqtt.stored.record import OWNER_BITS, Record, decode_record, encode_record, record_key
from channels.mqtt.stored.snapshots import SessionSnapshot, restore
from channels.mqtt.stored.values import session_values
from channels.mqtt.system.topics import SystemTopics, staff_only
from channels.protocols.mqtt.codes import Reason
from channels.topics.control import Announcement, abroadcast, listen
from channels.topics.delivery.hub import Hub, running_hub
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.values import Value

#: How often a session is claimed that others claim at the same time.
TRIES: Final = 5


class TooManySessions(Exception):  # it is no mistake of ours
    """A user has as many sessions that last as one may have."""


class Sessions:
    """All sessions of one event loop, those without a connection included.

    A client identifier belongs to a user: whoever connects as somebody else has another session.

    Args:
        loop: the event loop.
        router: brings them what is published.
        limits: of the clients.
        may_read_system: says which user may have the topics below ``$SYS``.

    Attributes:
        meter: counts connections and messages; None where nobody has asked for that.
        system: the topics below ``$SYS``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        router: Router,
        limits: MQTTLimits,
        may_read_system: Callable[..., Any] = staff_only,
    ) -> None:
        self._loop = loop
        self._router = router
        self._limits = limits
        self.meter = MQTTMeter() if telemetry.metered else None
        self._sessions: dict[tuple[str, str], Session] = {}
        self._lasting: dict[str, set[Session]] = {}
        self._timers: dict[Session, asyncio.TimerHandle] = {}
        self._renewal: asyncio.TimerHandle | None = None
        self._opening: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        for closed in [each for each in _of_loop if each.is_closed()]:
            del _of_loop[closed]
        _of_loop.setdefault(loop, []).append(self)
        found = self._sessions.values
        self.system = SystemTopics(loop, found, may_read_system, router.spawn, self.meter)
        listen(CONNECTED, _connected_elsewhere)

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(
        self, key: tuple[str, str], user: Any, *, clean: bool, expiry: float
    ) -> tuple[Session, bool]:
        """Return the session of a client that connects, and whether it was there before.

        An older connection of the same client is closed, here and in other processes.

        Args:
            key: the user's id and the client's.
            user: Django's.
            clean: begin a new one.
            expiry: seconds that it outlives its connection.

        Raises:
            StoreUnavailable: the store does not answer.
            TooManySessions: the user may not have another one that lasts.
        """
        lasting = min(expiry, self._limits.max_session_expiry)
        if lasting and self._has_too_many(key):
            raise TooManySessions
        async with self._opening.setdefault(key, asyncio.Lock()):
            session, present = await self._opened(key, user, clean, lasting)
        session.user, session.expiry, session.opened = user, lasting, time.time()
        self._router.spawn(_tell_others(session))
        return session, present

    def _has_too_many(self, key: tuple[str, str]) -> bool:
        """Whether a user has as many sessions that last as one may, and none of this client."""
        session, others = self._sessions.get(key), self._lasting.get(key[0], ())
        return session not in others and len(others) >= self._limits.max_user_sessions

    async def _opened(
        self, key: tuple[str, str], user: Any, clean: bool, expiry: float
    ) -> tuple[Session, bool]:
        values = session_values()
        for _ in range(TRIES):
            stored = await values.get(record_key(key))
            session = self._here(key, stored, clean)
            if session is not None:
                with contextlib.suppress(Overtaken):
                    await self._keep_here(session, expiry, stored)
                    return session, True
                continue
            record = None if clean or stored is None else decode_record(stored.data, time.time())
            owner = _next_owner(stored)
            if await self._claimed(key, record, expiry, owner, stored):
                return await self._begun(key, user, record, expiry, owner), record is not None
        raise StoreUnavailable("Several processes take the session of one client from each other.")

    def _here(self, key: tuple[str, str], stored: Value | None, clean: bool) -> Session | None:
        """Return the session that this loop has, if it is to go on; another one ends."""
        session = self._sessions.get(key)
        if session is None:
            return None
        self._take_over(session)
        owner = 0 if stored is None or not stored.data else stored.version >> OWNER_BITS
        if not clean and owner == (0 if session.durable is None else session.durable.owner):
            return session
        self._end(session)
        return None

    async def _keep_here(self, session: Session, expiry: float, stored: Value | None) -> None:
        """Store a session that lasts from now on."""
        if session.durable is None and expiry:
            self._make_durable(session, _next_owner(stored))
            for name in list(session.attached):
                await self._router.mark(session, name)
        session.expiry = expiry
        if session.durable is not None:
            await session.durable.commit()

    async def _claimed(
        self, key: tuple[str, str], record: Record | None, expiry: float, owner: int, stored: Value | None
    ) -> bool:
        """Write that this process has a session from now on; returns False if another one was faster."""
        if record is None and not expiry and (stored is None or not stored.data):
            return True  # it ends with its connection, and there is nothing that it would take the place of
        claim = Record(expiry) if record is None else msgspec.structs.replace(record, deadline=0.0)
        data = encode_record(claim) if record is not None or expiry else b""
        value = Value(owner << OWNER_BITS, data)
        return await session_values().put(record_key(key), value, max(expiry, claim.expiry) + GRACE)

    async def _begun(
        self, key: tuple[str, str], user: Any, record: Record | None, expiry: float, owner: int
    ) -> Session:
        limits = self._limits
        session = Session(key, user, limits.max_queued, max_queued_bytes=limits.max_queued_bytes)
        session.expiry = expiry
        if record is not None or expiry:
            self._make_durable(session, owner)
        if record is not None:
            await self._restored(session, record)
        self._sessions[key] = session
        return session

    async def _restored(self, session: Session, record: Record) -> None:
        telemetry.count("mqtt.session_restored", client=session.client_id)
        try:
            await restore(session, record, self._router)
            self.system.join(session)
        except BaseException:
            self._end(session)
            raise

    def _make_durable(self, session: Session, owner: int) -> None:
        durable = Durable(record_key(session.key), owner, session_values(), self._router.spawn)
        durable.of(SessionSnapshot(session, self._router, self._overtaken))
        session.durable = durable
        self._lasting.setdefault(session.key[0], set()).add(session)
        if self._renewal is None:
            self._renewal = self._loop.call_later(GRACE / 2, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        self._router.spawn(self._renew_all())

    async def _renew_all(self) -> None:
        """Write the records of clients that are connected anew, before their time is over."""
        for session in [each for each in self._sessions.values() if each.durable is not None]:
            if session.peer is not None and session.durable is not None:
                await session.durable.settle()
            if self._renewal is None:
                self._renewal = self._loop.call_later(GRACE / 2, self._renew)

    def _overtaken(self, session: Session) -> None:
        """End a session whose client is in another process, and its connection."""
        session.moved = True
        self._take_over(session)
        self._end(session)

    def connected_elsewhere(self, key: tuple[str, str], owner: int, opened: float) -> None:
        """End the session of a client that has connected to another process, and its connection.

        Args:
            key: the user's id and the client's.
            owner: the number of that process among those that had the session; 0 if it does not last.
            opened: when it connected, in seconds since 1970.
        """
        session = self._sessions.get(key)
        if session is None:
            return
        mine = 0 if session.durable is None else session.durable.owner
        if (owner > mine) if owner and mine else opened > session.opened:
            self._overtaken(session)

    def _take_over(self, session: Session) -> None:
        self._stop_timer(session)
        if session.peer is not None:
            telemetry.count("mqtt.session_taken_over", client=session.client_id)
            peer, session.peer = session.peer, None
            peer.end(Reason.SESSION_TAKEN_OVER)

    def _stop_timer(self, session: Session) -> None:
        if (timer := self._timers.pop(session, None)) is not None:
            timer.cancel()

    def left(self, session: Session) -> None:
        """Note that the connection of a session has ended: the session ends in its time."""
        if self._sessions.get(session.key) is not session:
            return
        if not session.expiry:
            self._erase(session)
            return
        session.give_back(sent=False)
        if len(self._timers) >= self._limits.max_sessions:
            telemetry.count("mqtt.sessions_exceeded")
            self._erase(min(self._timers, key=lambda each: self._timers[each].when()))
        self._timers[session] = self._loop.call_later(session.expiry, self._end, session)

    def _erase(self, session: Session) -> None:
        """End a session here and in the store."""
        if session.durable is not None:
            self._router.spawn(session.durable.erase())
        self._end(session)

    def _end(self, session: Session) -> None:
        self._stop_timer(session)
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]
        if session.durable is not None:
            session.durable.close()
            self._lasts_no_longer(session)
        self._router.forget(session)
        session.give_back(sent=not session.moved)

    def _lasts_no_longer(self, session: Session) -> None:
        of_user = self._lasting.get(session.key[0], set())
        of_user.discard(session)
        if not of_user:
            self._lasting.pop(session.key[0], None)


def _next_owner(stored: Value | None) -> int:
    """Return the number of whoever takes a session from the process that has stored it."""
    return 1 if stored is None else (stored.version >> OWNER_BITS) + 1


#: Under this name processes tell each other who has connected.
CONNECTED = "mqtt.connected"
#: The sessions of each event loop, one for each broker; those of closed loops are dropped by the next one.
_of_loop: dict[asyncio.AbstractEventLoop, list[Sessions]] = {}


async def _tell_others(session: Session) -> None:
    """Tell all processes of a connection; while the store is away an older one elsewhere stays open."""
    owner = 0 if session.durable is None else session.durable.owner
    data = msgspec.json.encode((running_hub().node, *session.key, owner, session.opened))
    with contextlib.suppress(StoreUnavailable):
        await abroadcast(Announcement(CONNECTED, data))


def _connected_elsewhere(hub: Hub, data: bytes) -> None:
    told = msgspec.json.decode(data, type=tuple[str, str, str, int, float])
    node, user, client, owner, opened = told
    if node != hub.node:
        for sessions in _of_loop.get(asyncio.get_running_loop(), ()):
            sessions.connected_elsewhere((user, client), owner, opened)
