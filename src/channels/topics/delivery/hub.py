"""What a process's stores tell one event loop, and who in that loop is to hear of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import uuid
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from threading import get_ident
from typing import Any, Final

from channels import telemetry
from channels.access.announcements import Change, hear
from channels.topics.control import (
    CONTROL_RETENTION,
    CONTROL_TOPIC,
    AccessChanged,
    Announcement,
    Control,
    DisconnectClients,
    EmulatedFrame,
    ForgetRecent,
    NodeReport,
    Recheck,
    RefreshClients,
    SubscribeClients,
    Survey,
    SurveyAnswer,
    UnknownControl,
    UnsubscribeClients,
    WakeUp,
    abroadcast,
    announcement_listener,
    decode_control,
)
from channels.topics.delivery.clients import Clients
from channels.topics.delivery.control_topic import ControlTopic, until_it_works
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.nodes import Nodes
from channels.topics.delivery.subscription import Client
from channels.topics.stores.base import Event, Retention, Store, StoreUnavailable
from channels.topics.stores.manager import get_store

logger = logging.getLogger("channels.topics")

#: Seconds that a topic nobody is subscribed to stays, as clients that reconnect come back at once.
LINGER: Final = 5.0
#: Events that wait for their turn of the loop; what is more is found by the check of positions.
EVENT_LIMIT: Final = 100_000
#: Seconds between two looks at whether a live topic is still where its stream is.
CHECK_INTERVAL: Final = 40.0
#: Seconds between two turns of what has to be done now and then.
TICK: Final = 1.0


class Hub:
    """The live topics and the connected clients of one event loop; a receiver of its stores.

    Attributes:
        loop, thread, node: where it lives, and its name among all hubs of all processes.
        clients: by id, those that have connected.
        upstreams: who takes frames that come by other requests, by the session's secret.
        nodes: what is known of all of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread = get_ident()
        self._stores: list[Store] = []
        self._topics: dict[str, LiveTopic] = {}
        self._starting: dict[str, asyncio.Task[LiveTopic]] = {}
        self._numbers = itertools.count(1)
        self._events: deque[tuple[str, Event]] = deque()
        self._scheduled = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.node = uuid.uuid4().hex
        self.clients = Clients()
        self.upstreams: dict[str, Callable[[bytes], None]] = {}
        self.nodes = Nodes(
            self.node,
            lambda: (len(self.clients), self.clients.users),
            self.topics,
            lambda message: self.spawn(_tell(message)),
        )
        self._renewed: dict[Store, float] = {}
        self._incomplete = self._check_again = False
        self._checking: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._next_check = loop.time() + CHECK_INTERVAL

    # Stores tell, in any thread

    def received(self, topic: str, event: Event) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        if len(self._events) >= EVENT_LIMIT:
            telemetry.count("topics.events_dropped", topic=topic)
            self._incomplete = True
            return
        self._events.append((topic, event))
        if not self._scheduled:
            self._scheduled = True
            self._call(self._deliver_soon)

    def controlled(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        self._call(self._obey, message)

    def interrupted(self) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        self._call(self._interrupted)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        here = self.thread == get_ident()
        try:
            (self.loop.call_soon if here else self.loop.call_soon_threadsafe)(function, *args)
        except RuntimeError:  # the loop is closed
            self.detach()

    def detach(self) -> None:
        """Hear nothing more."""
        for store in self._stores:
            store.detach(self)
        self._stores.clear()

    # Topics

    @contextlib.asynccontextmanager
    async def entered(
        self, name: str, retention: Retention, is_bytes: bool, store: Store
    ) -> AsyncIterator[LiveTopic]:
        """Yield a live topic, its position known if it has a history; it stays live within the block.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        live = await self._enter(name, retention, is_bytes, store)
        live.expected += 1
        try:
            yield live
        finally:
            live.expected -= 1
            live.unused_since = self.loop.time()

    async def _enter(self, name: str, retention: Retention, is_bytes: bool, store: Store) -> LiveTopic:
        """Return a live topic; the store is asked once for all who wait."""
        task = self._starting.get(name)
        if task is None:
            live = self._topics.get(name)
            if live is not None:
                return live
            task = self._starting[name] = self.loop.create_task(self._start(name, retention, is_bytes, store))
            task.add_done_callback(lambda done: self._starting.pop(name, None))
        return await asyncio.shield(task)

    async def _start(self, name: str, retention: Retention, is_bytes: bool, store: Store) -> LiveTopic:
        self.use(store)
        if name == CONTROL_TOPIC:
            live: LiveTopic = ControlTopic(store, self.spawn, self._obey, self._control_lost)
        else:
            live = LiveTopic(name, next(self._numbers), retention, is_bytes, store, self.spawn)
        self._topics[name] = live
        self._start_ticking()
        try:
            await store.subscribe(name, self)
            await live.start()
        except BaseException:
            del self._topics[name]
            raise
        live.unused_since = self.loop.time()
        return live

    def find(self, name: str) -> LiveTopic | None:
        """Return a topic that is live here."""
        return self._topics.get(name)

    def topics(self) -> dict[str, int]:
        """Return how many subscriptions each topic has here, without those that have none."""
        return {name: len(live) for name, live in list(self._topics.items()) if len(live)}

    # Clients

    def connected(self, client: Client) -> None:
        """Have ``client`` found by its id and its user."""
        self.clients.add(client)
        self._start_ticking()

    def disconnected(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)

    def _start_ticking(self) -> None:
        if self._ticker is None:
            self._ticker = self.loop.call_later(TICK, self._tick)

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine until it ends; what it raises is logged."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            telemetry.count("topics.background_failed", error=repr(error))
            level = logging.WARNING if isinstance(error, StoreUnavailable) else logging.ERROR
            logger.log(level, "Work for topics failed: %s", error, exc_info=error)

    def stores(self) -> tuple[Store, ...]:
        """Return the stores that tell this loop something."""
        return tuple(self._stores)

    def use(self, store: Store) -> None:
        """Hear of what concerns all nodes through ``store``."""
        if store not in self._stores:
            self._stores.append(store)
            store.attach(self)
            self.nodes.start()
            if store is get_store():
                self.spawn(until_it_works(partial(self._control, store), lambda: store in self._stores))

    async def hear_control(self) -> None:
        """Return when what all nodes are told is heard here, or cannot be yet."""
        with contextlib.suppress(StoreUnavailable):
            await self._control(get_store())

    async def _control(self, store: Store) -> None:
        await self._enter(CONTROL_TOPIC, CONTROL_RETENTION, True, store)

    def _control_lost(self) -> None:
        """Find by checks what messages have said that nobody has any more."""
        self._access_changed(AccessChanged(permissions=True))
        self._recheck(Recheck())

    # In the loop

    def _deliver_soon(self) -> None:
        """Let the loop look at its sockets first: what has come meanwhile goes into the same frames."""
        self.loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        by_topic: dict[str, list[Event]] = {}
        events = self._events
        while events:
            topic, event = events.popleft()
            by_topic.setdefault(topic, []).append(event)
        for topic, its_events in by_topic.items():
            live = self._topics.get(topic)
            if live is not None:
                live.take(its_events)
        if self._incomplete:
            self._incomplete = False
            self._check_positions()

    def _obey(self, message: bytes) -> None:
        try:
            control = decode_control(message)
        except UnknownControl as error:
            telemetry.count("topics.control_unknown", error=str(error))
            return
        _OBEY[type(control)](self, control)

    def _disconnect(self, control: DisconnectClients) -> None:
        for client in self.clients.chosen(control.user, control.client, control.session):
            if client.id not in control.keep:
                client.disconnect(control.code, control.reason)

    def _unsubscribe(self, control: UnsubscribeClients) -> None:
        for client in self.clients.chosen(control.user, control.client, control.session):
            client.unsubscribe(control.topic, control.code, control.reason)

    def _subscribe(self, control: SubscribeClients) -> None:
        for client in self.clients.chosen(control.user, control.client, control.session):
            client.subscribe_by_server(control)

    def _refresh(self, control: RefreshClients) -> None:
        for client in self.clients.chosen(control.user, control.client, control.session):
            client.refresh_by_server(control)

    def _recheck(self, control: Recheck) -> None:
        for client in self.clients.chosen(control.user):
            client.recheck(control.topic)

    def _take_emulated(self, control: EmulatedFrame) -> None:
        upstream = self.upstreams.get(control.session) if control.node == self.node else None
        if upstream is not None:
            upstream(control.data)

    def _access_changed(self, control: AccessChanged) -> None:
        hear(Change(control.user, control.session, control.permissions))

    def _forget_recent(self, control: ForgetRecent) -> None:
        live = self._topics.get(control.topic)
        if live is not None:
            live.forget_recent()

    def _announced(self, control: Announcement) -> None:
        listener = announcement_listener(control.name)
        if listener is not None:
            listener(self, control.data)

    # Now and then

    def _interrupted(self) -> None:
        self._check_positions()
        for live in self._topics.values():
            if live.source is not None:
                live.source.interrupted()

    def _tick(self) -> None:
        now = self.loop.time()
        for name, live in list(self._topics.items()):
            if live.is_unused and name not in self._starting and now - live.unused_since >= LINGER:
                del self._topics[name]
                if live.source is not None:
                    live.source.close()
                self.spawn(live.store.unsubscribe(name, self))
        self._renew_presence(now)
        if now >= self._next_check:
            self._check_positions()
        idle = not (self.clients or any(name != CONTROL_TOPIC for name in self._topics))
        self._ticker = None if idle else self.loop.call_later(TICK, self._tick)

    def _renew_presence(self, now: float) -> None:
        """Renew the leases of all who are present here, three times within a lease."""
        for store in self._stores:
            if now - self._renewed.get(store, 0.0) >= store.presence_lease / 3:
                self._renewed[store] = now
                of_store = [live for live in self._topics.values() if live.store is store]
                entries = [entry for live in of_store for entry in live.present()]
                if entries:
                    self.spawn(store.presence_renew(entries))

    def _check_positions(self) -> None:
        """Look whether live topics are where their streams are; one after the other."""
        self._next_check = self.loop.time() + CHECK_INTERVAL
        if self._checking is None or self._checking.done():
            self._checking = self.loop.create_task(self._check_each())
        else:
            self._check_again = True

    async def _check_each(self) -> None:
        self._check_again = True
        while self._check_again:
            self._check_again = False
            for live in list(self._topics.values()):
                try:
                    await live.check()
                except StoreUnavailable as error:
                    logger.warning("The position of topic %s cannot be checked: %s", live.name, error)
                    break


_OBEY: Final[dict[type[Control], Callable[[Hub, Any], None]]] = {
    DisconnectClients: Hub._disconnect,
    UnsubscribeClients: Hub._unsubscribe,
    Recheck: Hub._recheck,
    ForgetRecent: Hub._forget_recent,
    EmulatedFrame: Hub._take_emulated,
    SubscribeClients: Hub._subscribe,
    RefreshClients: Hub._refresh,
    NodeReport: lambda hub, report: hub.nodes.reported(report),
    Survey: lambda hub, survey: hub.nodes.asked(survey),
    SurveyAnswer: lambda hub, answer: hub.nodes.answered(answer),
    AccessChanged: Hub._access_changed,
    WakeUp: lambda hub, wakeup: None,  # other receivers of the store are meant
    Announcement: Hub._announced,
}


async def _tell(message: Control) -> None:
    """Tell all nodes, unless the store is away: the next report follows soon."""
    with contextlib.suppress(StoreUnavailable):
        await abroadcast(message)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def running_hub() -> Hub:
    """Return the hub of the running loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        for closed in [each for each in _hubs if each.is_closed()]:
            _hubs.pop(closed).detach()
        hub = _hubs[loop] = Hub(loop)
    return hub


def all_hubs() -> list[Hub]:
    """Return the hubs of this process."""
    return list(_hubs.values())
