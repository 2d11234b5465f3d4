"""The live queries of one event loop: what they watch, what is told to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec
from django.conf import settings

from channels import telemetry
from channels.live.capture.changes import Hint
from channels.live.capture.hints import HINTS, read_hint
from channels.live.capture.triggers import TriggerThread
from channels.live.capture.watched import WATCHED, unwatch_here, watch_here
from channels.live.query import LiveQuery, has_views
from channels.live.serving.evaluated import EVALUATED, Evaluated, read_evaluated, tell_nodes
from channels.live.serving.source import LiveSource
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.control import listen
from channels.topics.delivery.hub import Hub
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.delivery.snapshots import give_snapshots
from channels.topics.stores.base import PresenceEntry, StoreUnavailable
from channels.topics.stores.manager import get_store

logger = logging.getLogger("channels.live")

#: Seconds between two evaluations of all rows, if nothing is heard meanwhile: ``CHANNELS_LIVE["POLL"]``.
POLL: Final = 60.0


class LiveNode:
    """The live queries of one event loop.

    Args:
        hub: of the loop.

    Attributes:
        id: of the hub, among all.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self.id = hub, hub.node
        self._sources: dict[str, LiveSource] = {}
        self._tables: Counter[str] = Counter()
        self._renewing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._triggers: dict[str, TriggerThread] = {}

    def make(self, topic: LiveQuery, live: LiveTopic) -> LiveSource:
        """Return the source of a live query."""
        poll = (getattr(settings, "CHANNELS_LIVE", None) or {}).get("POLL", POLL)
        source = self._sources[live.name] = LiveSource(topic, live, self, poll)
        return source

    def hinted(self, data: bytes) -> None:
        """Tell all queries what has changed."""
        try:
            hint = read_hint(data)
        except msgspec.MsgspecError as error:
            telemetry.count("live.hint_unknown", error=str(error))
            return
        self._told(hint)

    def listen_to_triggers(self, aliases: Iterable[str]) -> None:
        """Hear what triggers of databases tell, in this process."""
        for using in aliases:
            if using not in self._triggers:
                told, missed = partial(self._soon, self._told), partial(self._soon, self._missed)
                thread = self._triggers[using] = TriggerThread(using, told, missed, self._loop.is_closed)
                thread.start()

    def _soon(self, function: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *args)

    def _told(self, hint: Hint) -> None:
        for source in list(self._sources.values()):
            source.hinted(hint)

    def _missed(self) -> None:
        for source in list(self._sources.values()):
            source.interrupted()

    def evaluated(self, data: bytes) -> None:
        """Tell a query what another node has done."""
        try:
            evaluated = read_evaluated(data)
        except msgspec.MsgspecError as error:
            telemetry.count("live.hint_unknown", error=str(error))
            return
        source = self._sources.get(evaluated.topic)
        if source is not None and evaluated.node != self.id:
            source.evaluated(evaluated)

    async def tell(self, evaluated: Evaluated) -> None:
        """Tell all nodes what was done here; if that fails, another one does it too."""
        try:
            await tell_nodes(get_store(), evaluated)
        except StoreUnavailable as error:
            telemetry.count("live.hint_lost", error=repr(error))

    async def watch(self, source: LiveSource) -> bool:
        """Have other processes tell what changes in the tables of a query.

        Returns:
            Whether a process may exist that does not know of it yet.

        Raises:
            StoreUnavailable: they cannot be told.
        """
        store, new = get_store(), source.tables - self._tables.keys()
        self._hub.use(store)
        if not source.watched:
            source.watched = True
            self._tables.update(source.tables)
            watch_here(source.tables)
        for table in new:
            await store.presence_add(WATCHED, self._info(table))
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return bool(new) and getattr(store, "spans_processes", True)

    def discard(self, source: LiveSource) -> None:
        """Forget a query that nobody is subscribed to."""
        if self._sources.get(source.name) is source:
            del self._sources[source.name]
        if source.watched:
            self._tables.subtract(source.tables)
            self._tables += Counter()
            unwatch_here(source.tables)
            gone = source.tables - self._tables.keys()
            if not self._tables:
                for thread in self._triggers.values():
                    thread.close()
                self._triggers.clear()
            self._hub.spawn(self._leave(source.name, gone))

    async def _leave(self, topic: str, tables: frozenset[str]) -> None:
        await self.tell(Evaluated(topic, self.id, leaves=True))
        for table in tables - self._tables.keys():
            await get_store().presence_remove(WATCHED, self._info(table))

    async def _renew(self) -> None:
        """Say now and then that the tables are still watched."""
        while self._sources:
            store = get_store()
            await asyncio.sleep(store.presence_lease / 3)
            try:
                await store.presence_renew(
                    [PresenceEntry(WATCHED, self._info(each)) for each in self._tables]
                )
            except StoreUnavailable as error:
                logger.warning("It cannot be told which tables live queries watch: %s", error)
        self._renewing = None

    def _info(self, table: str) -> ClientInfo:
        return ClientInfo(table, f"{self.id}/{table}")


_nodes: Final[weakref.WeakKeyDictionary[Hub, LiveNode]] = weakref.WeakKeyDictionary()


def node_of(hub: Hub) -> LiveNode:
    """Return the live queries of a hub's loop."""
    node = _nodes.get(hub)
    if node is None:
        node = _nodes[hub] = LiveNode(hub)
    return node


def serve_live_queries() -> None:
    """Have live queries served by whatever serves topics."""
    give_snapshots(LiveQuery, _make, has_views)
    listen(HINTS, _hinted)
    listen(EVALUATED, _evaluated)


def _make(topic: Any, live: LiveTopic, hub: Any) -> LiveSource:
    return node_of(hub).make(topic, live)


def _hinted(hub: Any, data: bytes) -> None:
    if hub in _nodes:
        _nodes[hub].hinted(data)


def _evaluated(hub: Any, data: bytes) -> None:
    if hub in _nodes:
        _nodes[hub].evaluated(data)
