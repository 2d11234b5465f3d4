"""What is published to topics, brought to the sessions of one event loop.

A session has the topics that its filters name. Of a filter with wildcards it has those whose names are known
here: whoever publishes in a topic first tells its name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from threading import get_ident
from typing import Any

import msgspec

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.messages import Outgoing
from channels.mqtt.session import Session, Subscribed
from channels.mqtt.shared.shares import HANDED_OVER, Shares
from channels.mqtt.stored.catch_up import CatchUp
from channels.mqtt.stored.missed import Missed, end_of, newest_of, read_missed, store_of
from channels.mqtt.stored.record import Mark
from channels.mqtt.wildcards.names import Names
from channels.protocols.centrifuge.messages import Publication
from channels.protocols.mqtt.topics import SHARE, is_wildcard, matches
from channels.server.io.timer_wheel import TimerWheel
from channels.topics.control import listen
from channels.topics.delivery.hub import running_hub
from channels.topics.names.telling import FIRST, First, note_names
from channels.topics.registry import resolve
from channels.topics.session.permissions import may_subscribe
from channels.topics.stores.base import Event, Position
from channels.topics.stores.manager import get_store

logger = logging.getLogger("channels.mqtt")


class Router:
    """The topics that sessions of one event loop have; a receiver of their stores.

    Args:
        loop: the event loop; to be used from its thread only, but for what stores call.
        limits: of the clients.

    Attributes:
        timers: the time limits of all connections of the loop.
        names: the topics that filters with wildcards bring.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: MQTTLimits) -> None:
        self._loop = loop
        self.timers = TimerWheel(loop)
        self._thread = get_ident()
        self._limits = limits
        self.names = Names(self, limits.max_names)
        self._members: dict[str, dict[Session, None]] = {}
        self._positions: dict[str, Mark] = {}
        self._catching_up: dict[str, dict[Session, CatchUp]] = {}
        self._wild: dict[Session, None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lock = asyncio.Lock()
        self.shares = Shares(self, limits)
        running_hub().use(get_store())
        note_names()

    # Stores tell, in any thread

    def received(self, topic: str, event: Event) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        if isinstance(event, Publication):
            here = self._thread == get_ident()  # then no system call has to wake the loop
            (self._loop.call_soon if here else self._loop.call_soon_threadsafe)(self._deliver, topic, event)

    def controlled(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`: the hub of topics obeys."""

    def interrupted(self) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        self._loop.call_soon_threadsafe(lambda: self.spawn(self._catch_up(list(self._positions))))

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine until it ends; what it raises is logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            telemetry.count("mqtt.background_failed", error=type(error).__name__)
            logger.warning("Work for MQTT clients failed: %s", error, exc_info=error)

    def bring(self, name: str, publication: Publication) -> None:
        """See :class:`~channels.mqtt.wildcards.names.Routing`."""
        self._deliver(name, publication, sure=True)

    def _deliver(self, name: str, publication: Publication, *, sure: bool = False) -> None:
        if self.names.young and not sure and not self.names.takes(name, publication):
            return
        known = self._positions.get(name)
        same = publication.offset and known is not None and known.epoch == publication.epoch
        late = same and known is not None and publication.offset <= known.offset
        if late and not sure:
            return  # it was read when the store had been away
        if publication.offset and not late:
            self._positions[name] = Mark(publication.offset, publication.epoch, publication.time)
        outgoing = Outgoing(name, publication)
        behind = self._told_behind(name, publication) if name in self._catching_up else ()
        if outgoing.properties is None:
            return
        sender = outgoing.sender
        for session in list(self._members.get(name, ())):
            if sender != session.key[1] and outgoing.is_plain(session.attached[name]):  # most: no more calls
                session.deliver_plain(outgoing)
            else:
                _hand_on(session, name, outgoing)
        for session in behind:
            _hand_on(session, name, outgoing)
        if name in self._catching_up:
            self._promote(name)

    def _told_behind(self, name: str, publication: Publication) -> list[Session]:
        """Return which of those that read what they have missed are to be told of something new."""
        behind = self._catching_up[name]
        return [session for session, each in list(behind.items()) if each.is_new(publication)]

    async def _catch_up(self, names: list[str]) -> None:
        """Read what was published while a store was away."""
        for name in names:
            known, topic = self._positions.get(name), resolve(name)
            if known is not None and topic is not None:
                page = await get_store(type(topic).store).read(name, Position(known.offset, known.epoch))
                for publication in page.publications:
                    self._deliver(name, publication)

    # Subscriptions

    async def subscribe(self, session: Session, topic_filter: str, subscribed: Subscribed) -> None:
        """Bring a session what a filter names; the filter is allowed, if it has no wildcards.

        Raises:
            StoreUnavailable: a store does not answer.
        """
        if topic_filter.startswith(SHARE):
            await self.shares.join(session, topic_filter, subscribed)
            return
        session.subscriptions[topic_filter] = subscribed
        for name in session.attached:
            if matches(topic_filter, name):
                session.attached[name] = _matching(session, name)
        if not is_wildcard(topic_filter):
            await self._learn_if_wild(topic_filter)
            await self._attach(session, topic_filter)
            await self._learn_if_wild(topic_filter)  # a filter with wildcards may have come meanwhile
            return
        await self.names.begin()
        self._wild[session] = None
        names = {**dict.fromkeys(self.names.known()), **self._members}
        for name in [name for name in names if matches(topic_filter, name)]:
            await self._attach_if_allowed(session, name)

    async def _learn_if_wild(self, name: str) -> None:
        if self._wild:
            await self.names.learn(name)

    def has(self, name: str) -> bool:
        """See :class:`~channels.mqtt.wildcards.names.Routing`."""
        return name in self._members

    def wants(self, name: str) -> bool:
        """See :class:`~channels.mqtt.wildcards.names.Routing`."""
        return any(_matching(each, name) for each in self._wild)

    async def attach_wild(self, name: str) -> None:
        """See :class:`~channels.mqtt.wildcards.names.Routing`."""
        for session in [each for each in self._wild if _matching(each, name)]:
            await self._attach_if_allowed(session, name)

    async def _attach_if_allowed(self, session: Session, name: str) -> bool:
        topic = resolve(name)
        known = name in session.attached
        if not known and (topic is None or not await may_subscribe(topic, session.user)):
            return False
        return await self._attach(session, name)

    async def _attach(self, session: Session, name: str) -> bool:
        """Have a session told of a topic; returns False if it has too many."""
        if name not in session.attached and len(session.attached) >= self._limits.max_names:
            telemetry.count("mqtt.names_exceeded", client=session.client_id)
            return False
        if session in self._catching_up.get(name, ()):
            session.attached[name] = _matching(session, name)
            return True
        async with self._lock:
            members = self._members.get(name)
            if members is None:
                await store_of(name).subscribe(name, self)
                members = self._members.setdefault(name, {})
            if session.durable is None or name not in session.durable.behind:
                members[session] = None
        session.attached[name] = _matching(session, name)
        if session not in members:
            await self._bring_up(session, name)
        elif session.durable is not None:
            await self.mark(session, name)
        return True

    async def mark(self, session: Session, name: str) -> None:
        """Note from where on a session that lasts is to have a topic.

        Raises:
            StoreUnavailable: a store does not answer.
        """
        durable, topic = session.durable, resolve(name)
        if durable is None or topic is None or type(topic).history is None or name in durable.marks:
            return
        if not any(each.options.qos for each in session.attached.get(name, ())):
            return
        if len(durable.marks) >= self._limits.max_stored_topics:
            telemetry.count("mqtt.positions_exceeded", client=session.client_id)
            return
        if (end := await end_of(name)) is not None:
            durable.marks.setdefault(name, end)

    async def _bring_up(self, session: Session, name: str) -> None:
        """Hand a session what it has missed in a topic, and then what comes."""
        durable = session.durable
        assert durable is not None  # a session without a record has missed nothing
        catching_up = self._catching_up.setdefault(name, {})[session] = CatchUp()
        while True:
            catching_up.begin()
            missed = await read_missed(store_of(name), name, durable.marks[name])
            self._hand_on_missed(session, name, missed)
            if catching_up.has_all(missed.position):
                break
        durable.behind.discard(name)
        self._promote(name)

    def _hand_on_missed(self, session: Session, name: str, missed: Missed) -> None:
        assert session.durable is not None
        if not missed.complete:
            telemetry.count("mqtt.history_lost", client=session.client_id, topic=name)
        for publication in missed.publications:
            outgoing = Outgoing(name, publication)
            if outgoing.properties is not None:
                _hand_on(session, name, outgoing)
        time = missed.publications[-1].time if missed.publications else session.durable.marks[name].time
        session.durable.marks[name] = Mark(*missed.position, time)

    def _promote(self, name: str) -> None:
        """Count those as members who have all that came so far."""
        behind = self._catching_up[name]
        for session in [
            each for each, reading in behind.items() if reading.is_over(self._positions.get(name))
        ]:
            del behind[session]
            self._members[name][session] = None
        if not behind:
            del self._catching_up[name]

    def marks_of(self, session: Session) -> dict[str, Mark]:
        """Return up to where a session that lasts was handed its topics."""
        assert session.durable is not None
        marks = {}
        for name, mark in session.durable.marks.items():
            known = None if name in session.durable.behind else self._positions.get(name)
            late = known is not None and known.epoch == mark.epoch and known.offset < mark.offset
            marks[name] = mark if known is None or late else known
        return marks

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """End a subscription; returns whether there was one."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        if topic_filter.startswith(SHARE):
            self.shares.leave(session, topic_filter)
            return True
        if not any(is_wildcard(each) for each in session.subscriptions):
            self._wild.pop(session, None)
        for name in list(session.attached):
            session.attached[name] = _matching(session, name)
            if not session.attached[name]:
                self._detach(session, name)
        return True

    def _detach(self, session: Session, name: str) -> None:
        session.attached.pop(name, None)
        if session.durable is not None:
            session.durable.marks.pop(name, None)
        members, behind = self._members.get(name), self._catching_up.get(name, {})
        if members is None:
            return
        members.pop(session, None)
        if behind.pop(session, None) is not None and not behind:
            del self._catching_up[name]
        if not members and not behind:
            del self._members[name]
            self._positions.pop(name, None)
            self.spawn(self._release(name))

    async def _release(self, name: str) -> None:
        async with self._lock:
            if name not in self._members:
                await store_of(name).unsubscribe(name, self)

    def forget(self, session: Session) -> None:
        """End all that a session has."""
        for topic_filter in list(session.subscriptions):
            self.unsubscribe(session, topic_filter)

    async def retained(self, session: Session, topic_filter: str) -> None:
        """Send a session the newest publication of each topic in cache mode that a filter names."""
        for name in [name for name in session.attached if matches(topic_filter, name)]:
            topic = resolve(name)
            cached = topic is not None and type(topic).cache
            publication = await newest_of(name) if cached else None
            subscribed = session.subscriptions.get(topic_filter)
            if publication is None or subscribed is None:
                continue
            outgoing = Outgoing(name, publication)
            if outgoing.properties is not None and publication.data:
                session.deliver(outgoing.publish([subscribed], retained=True), outgoing.mark)


def _hand_on(session: Session, name: str, outgoing: Outgoing) -> None:
    """Bring a session what was published in a topic that it has."""
    wanted = session.attached[name]
    if outgoing.sender and outgoing.sender == session.client_id:
        wanted = [each for each in wanted if not each.options.no_local]
    if outgoing.is_plain(wanted):
        session.deliver_plain(outgoing)
    elif wanted:
        session.deliver(outgoing.publish(wanted, retained=False), outgoing.mark)


def _matching(session: Session, name: str) -> list[Subscribed]:
    """Return the subscriptions of a session whose filters match a topic's name."""
    return [each for filter, each in session.subscriptions.items() if matches(filter, name)]


#: Of each event loop that serves MQTT; those of loops that are closed are dropped by the next one.
_routers: dict[asyncio.AbstractEventLoop, Router] = {}


def running_router(limits: MQTTLimits) -> Router:
    """Return the router of the running loop."""
    loop = asyncio.get_running_loop()
    router = _routers.get(loop)
    if router is None:
        for closed in [each for each in _routers if each.is_closed()]:
            del _routers[closed]
        listen(FIRST, _told)
        listen(HANDED_OVER, _handed_over)
        router = _routers[loop] = Router(loop, limits)
    return router


def _told(hub: Any, data: bytes) -> None:
    router = _routers.get(asyncio.get_running_loop())
    if router is not None:
        router.names.hear(msgspec.msgpack.decode(data, type=First))


def _handed_over(hub: Any, data: bytes) -> None:
    router = _routers.get(asyncio.get_running_loop())
    if router is not None:
        router.shares.handed_over(data)
