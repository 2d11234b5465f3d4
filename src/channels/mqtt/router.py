"""What is published to topics, brought to the sessions of one event loop.

A session has the topics that its filters name. Of a filter with wildcards it has those whose names this
process knows: it learns a name from what is published in it, and from what other processes announce.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.messages import Outgoing
from channels.mqtt.session import Session, Subscribed
from channels.protocols.centrifuge.messages import Publication
from channels.protocols.mqtt.topics import is_wildcard, matches
from channels.server.io.timer_wheel import TimerWheel
from channels.topics.control import Announcement, abroadcast, listen
from channels.topics.delivery.hub import running_hub
from channels.topics.registry import resolve
from channels.topics.session.permissions import may_subscribe
from channels.topics.stores.base import Event, Position, Store, StoreUnavailable
from channels.topics.stores.manager import get_store

logger = logging.getLogger("channels.mqtt")

#: Under this name processes tell each other which topics there are.
ANNOUNCED = "mqtt.names"


class Router:
    """The topics that sessions of one event loop have; a receiver of their stores.

    Args:
        loop: the event loop; to be used from its thread only, but for what stores call.
        limits: of the clients.

    Attributes:
        timers: the time limits of all connections of the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: MQTTLimits) -> None:
        self._loop = loop
        self.timers = TimerWheel(loop)
        self._limits = limits
        self._names: dict[str, None] = {}
        self._members: dict[str, dict[Session, None]] = {}
        self._positions: dict[str, Position] = {}
        self._wild: dict[Session, None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lock = asyncio.Lock()
        running_hub().use(get_store())

    # Stores tell, in any thread

    def received(self, topic: str, event: Event) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        if isinstance(event, Publication):
            self._loop.call_soon_threadsafe(self._deliver, topic, event)

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

    def _deliver(self, name: str, publication: Publication) -> None:
        known = self._positions.get(name)
        same = publication.offset and known is not None and known.epoch == publication.epoch
        if same and known is not None and publication.offset <= known.offset:
            return  # it was read when the store had been away
        if publication.offset:
            self._positions[name] = Position(publication.offset, publication.epoch)
        outgoing = Outgoing(name, publication)
        if outgoing.properties is None:
            return
        sender = publication.info.client if publication.info is not None else ""
        for session in list(self._members.get(name, ())):
            wanted = session.attached[name]
            if sender == session.client_id:
                wanted = [each for each in wanted if not each.options.no_local]
            if outgoing.is_plain(wanted):
                session.deliver_plain(outgoing)
            elif wanted:
                session.deliver(outgoing.publish(wanted, retained=False))

    async def _catch_up(self, names: list[str]) -> None:
        """Read what was published while a store was away."""
        for name in names:
            known, topic = self._positions.get(name), resolve(name)
            if known is not None and topic is not None:
                page = await get_store(type(topic).store).read(name, known)
                for publication in page.publications:
                    self._deliver(name, publication)

    # Subscriptions

    async def subscribe(self, session: Session, topic_filter: str, subscribed: Subscribed) -> None:
        """Bring a session what a filter names; the filter is allowed, if it has no wildcards.

        Raises:
            StoreUnavailable: a store does not answer.
        """
        session.subscriptions[topic_filter] = subscribed
        for name in session.attached:
            if matches(topic_filter, name):
                session.attached[name] = _matching(session, name)
        if not is_wildcard(topic_filter):
            await self._attach(session, topic_filter)
            return
        self._wild[session] = None
        for name in [name for name in self._names if matches(topic_filter, name)]:
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
        async with self._lock:
            members = self._members.get(name)
            if members is None:
                await self._store_of(name).subscribe(name, self)
                members = self._members.setdefault(name, {})
            members[session] = None
        session.attached[name] = _matching(session, name)
        return True

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """End a subscription; returns whether there was one."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        if not any(is_wildcard(each) for each in session.subscriptions):
            self._wild.pop(session, None)
        for name in list(session.attached):
            session.attached[name] = _matching(session, name)
            if not session.attached[name]:
                self._detach(session, name)
        return True

    def _detach(self, session: Session, name: str) -> None:
        session.attached.pop(name, None)
        members = self._members.get(name)
        if members is None:
            return
        members.pop(session, None)
        if not members:
            del self._members[name]
            self._positions.pop(name, None)
            self.spawn(self._release(name))

    async def _release(self, name: str) -> None:
        async with self._lock:
            if name not in self._members:
                await self._store_of(name).unsubscribe(name, self)

    def forget(self, session: Session) -> None:
        """End all that a session has."""
        for topic_filter in list(session.subscriptions):
            self.unsubscribe(session, topic_filter)

    async def retained(self, session: Session, topic_filter: str) -> None:
        """Send a session the newest publication of each topic in cache mode that a filter names."""
        for name in [name for name in session.attached if matches(topic_filter, name)]:
            topic = resolve(name)
            cached = topic is not None and type(topic).cache
            publication = await self._newest(name) if cached else None
            subscribed = session.subscriptions.get(topic_filter)
            if publication is None or subscribed is None:
                continue
            outgoing = Outgoing(name, publication)
            if outgoing.properties is not None and publication.data:
                session.deliver(outgoing.publish([subscribed], retained=True))

    async def _newest(self, name: str) -> Publication | None:
        topic = resolve(name)
        if topic is None or type(topic).history is None:
            return None
        page = await self._store_of(name).read(name, limit=1, reverse=True)
        return page.publications[0] if page.publications else None

    @staticmethod
    def _store_of(name: str) -> Store:
        topic = resolve(name)
        return get_store() if topic is None else get_store(type(topic).store)

    # Names

    def knows(self, name: str) -> bool:
        """Whether a topic's name is known, so that wildcards bring it."""
        return name in self._names

    async def learn(self, name: str, *, announce: bool = True) -> None:
        """Know a topic's name: sessions whose filters have wildcards get it, if they may."""
        if name in self._names:
            return
        if len(self._names) >= self._limits.max_names:
            del self._names[next(iter(self._names))]
            telemetry.count("mqtt.names_forgotten")
        self._names[name] = None
        for session in [each for each in self._wild if _matching(each, name)]:
            await self._attach_if_allowed(session, name)
        if announce:
            try:
                await abroadcast(Announcement(ANNOUNCED, name.encode()))
            except StoreUnavailable:
                del self._names[name]  # it is announced the next time
                raise

    async def learn_of(self, name: str, *, announce: bool) -> None:
        """Know the name of a topic to which something was published already."""
        if name in self._names or resolve(name) is None:
            return
        await self.learn(name, announce=announce)
        publication = await self._newest(name)
        if publication is not None and name in self._members and name not in self._positions:
            self._deliver(name, publication)


def _matching(session: Session, name: str) -> list[Subscribed]:
    """Return the subscriptions of a session whose filters match a topic's name."""
    return [each for filter, each in session.subscriptions.items() if matches(filter, name)]


#: Of each event loop that serves MQTT; those of loops that are closed are dropped by the next one.
_routers: dict[asyncio.AbstractEventLoop, Router] = {}
#: What ends the hearing of this process, once it has begun.
_hearing: list[Callable[[], None]] = []


def running_router(limits: MQTTLimits) -> Router:
    """Return the router of the running loop."""
    loop = asyncio.get_running_loop()
    router = _routers.get(loop)
    if router is None:
        for closed in [each for each in _routers if each.is_closed()]:
            del _routers[closed]
        if not _hearing:
            _hearing.append(telemetry.attach(_hear))
            listen(ANNOUNCED, _announced)
        router = _routers[loop] = Router(loop, limits)
    return router


def _hear(event: str, facts: dict[str, Any]) -> None:
    """Learn of topics to which server code of this process publishes, in any thread."""
    if event == "topics.published":
        name = facts["topic"]
        for loop, router in tuple(_routers.items()):
            if not router.knows(name) and not loop.is_closed():
                loop.call_soon_threadsafe(_learn, router, name, True)


def _announced(hub: Any, data: bytes) -> None:
    router = _routers.get(asyncio.get_running_loop())
    if router is not None:
        _learn(router, data.decode(), False)


def _learn(router: Router, name: str, announce: bool) -> None:
    router.spawn(router.learn_of(name, announce=announce))
