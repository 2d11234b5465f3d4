"""The store of topics in a database."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS

from channels.journal.carrying import Carrying
from channels.journal.receiver import JournalReceiver
from channels.journal.relay import Relay
from channels.journal.sync import JournalTopics
from channels.journal.threads import Combined, in_thread
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import (
    Append,
    Position,
    PresenceEntry,
    PresenceStats,
    Published,
    Receiver,
    Store,
    StreamPage,
)
from channels.topics.stores.manager import BESIDE_LAYER, DEFAULT_STORE, get_store

#: Seconds that closing waits for a relay.
PATIENCE: Final = 2.0


class DatabaseStore:
    """Keeps topics in a database of Django's; what is published in a transaction leaves with its commit.

    Args:
        using: the alias of the database.
        carrier: the store, or the alias of one, that brings what was published to the other processes, and
            keeps who is present; by default the one beside the channel layer.
        clock: seconds since 1970, the same in all processes.
        options: settings of other stores are accepted, so that a project can switch.

    Attributes:
        using: see above.
        sync: the same for code without an event loop.

    Raises:
        ImproperlyConfigured: the app ``channels.journal`` is not installed.
    """

    def __init__(
        self,
        using: str = DEFAULT_DB_ALIAS,
        carrier: Store | str | None = None,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        if not apps.is_installed("channels.journal"):
            raise ImproperlyConfigured(
                "A topic is to be kept in the database, but 'channels.journal' is not in INSTALLED_APPS. "
                "Add it, and run `manage.py migrate`."
            )
        self.using = using
        self._carrier, self._clock = carrier, clock
        self._lock = threading.Lock()
        self._receivers: dict[Receiver, JournalReceiver] = {}
        self._relay: Relay | None = None
        self._ending: list[Relay] = []
        self._carrying: Carrying | None = None
        self.sync = JournalTopics(using, clock, self.carrying)
        self._publishing = Combined(self.sync.keep_many)

    def carrying(self) -> Carrying:
        """Return what hands publications on."""
        if self._carrying is None:
            self._carrying = Carrying(self._find_carrier(), self._loops)
        return self._carrying

    def _find_carrier(self) -> Store:
        if self._carrier is not None and not isinstance(self._carrier, str):
            return self._carrier
        found = get_store(self._carrier or DEFAULT_STORE)
        return get_store(BESIDE_LAYER) if isinstance(found, DatabaseStore) else found

    def _tells_control(self) -> bool:
        """Whether receivers hear control messages from here: those are sent through the default store."""
        own = self._carrier is not None and not isinstance(self._carrier, str)
        return own or get_store(DEFAULT_STORE) is self

    def _loops(self) -> list[asyncio.AbstractEventLoop]:
        return [each.loop for each in self._receivers.values() if not each.loop.is_closed()]

    @property
    def presence_lease(self) -> float:
        """The carrier's."""
        return self.carrying().carrier.presence_lease

    @property
    def spans_processes(self) -> bool:
        """Whether the carrier reaches other processes."""
        return self.carrying().spans_processes

    # Receivers

    def attach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        carrying = self.carrying()
        with self._lock:
            if receiver in self._receivers:
                return
            if self._relay is None:
                self._relay = Relay(self.using, self._clock, carrying, lambda: list(self._receivers.values()))
                self._relay.start()
            fetch, tells = self._relay.fetch, self._tells_control()
            ours = self._receivers[receiver] = JournalReceiver(receiver, fetch, tells)
        carrying.carrier.attach(ours)

    def detach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            ours = self._receivers.pop(receiver, None)
            relay = self._relay
            if relay is not None and not self._receivers:
                self._relay = None
                self._ending.append(relay)
                relay.close()
        if ours is not None:
            self.carrying().carrier.detach(ours)

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.attach(receiver)
        ours = self._receivers[receiver]
        ours.expect(topic)
        try:
            await self.carrying().carrier.subscribe(topic, ours)
            found = await in_thread(self.sync.positions, [topic])
        except BaseException:
            if ours.position(topic) is None:
                ours.forget(topic)
            raise
        ours.begin(topic, found.get(topic, Position(0, "")))

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        ours = self._receivers.get(receiver)
        if ours is not None:
            ours.forget(topic)
            await self.carrying().carrier.unsubscribe(topic, ours)

    # Streams

    async def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        if not append.changes_stream:
            return await self.carrying().carrier.publish(append)
        return await self._publishing.do(append)

    async def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`."""
        return await in_thread(self.sync.publish_many, appends)

    async def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await in_thread(self.sync.read, topic, since, limit, reverse)

    async def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await in_thread(self.sync.remove, topic)

    # What is the carrier's

    async def presence_add(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self.carrying().carrier.presence_add(topic, info, announce)

    async def presence_remove(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self.carrying().carrier.presence_remove(topic, info, announce)

    async def presence_renew(self, entries: Iterable[PresenceEntry]) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self.carrying().carrier.presence_renew(entries)

    async def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self.carrying().carrier.presence(topic)

    async def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self.carrying().carrier.presence_stats(topic)

    async def lapsed(self) -> list[str]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self.carrying().carrier.lapsed()

    async def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self.carrying().carrier.broadcast(message)

    async def aclose(self) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        loop = asyncio.get_running_loop()
        for receiver, ours in list(self._receivers.items()):
            if ours.loop is loop:
                self.detach(receiver)
        while self._ending:
            await asyncio.to_thread(self._ending.pop().join, PATIENCE)
        await self.carrying().carrier.aclose()
