"""The store of one machine: a file that keeps, a layer that carries."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from channels import telemetry
from channels.exceptions import ChannelLayerUnavailable
from channels.layers.host.layer import HostChannelLayer
from channels.layers.host.wire.runtime_dir import find_runtime_dir
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import (
    Append,
    Position,
    PresenceEntry,
    PresenceStats,
    Published,
    Receiver,
    StoreUnavailable,
    StreamPage,
)
from channels.topics.stores.host.database import (
    IMPATIENCE,
    PATIENCE,
    Busy,
    Database,
    Entered,
    Left,
    only_carried,
)
from channels.topics.stores.host.link import (
    CONTROL,
    Link,
    control_message,
    group_of,
    presence_message,
    publication_message,
)
from channels.topics.stores.values import Value

_T = TypeVar("_T")

#: Messages that wait for one event loop; what is more is read from the file.
CAPACITY: Final = 10_000
#: Seconds between two looks at what has expired.
SWEEP: Final = 30.0

#: Publications of one transaction: as long other processes wait for the file, and this one's loop for it.
PIECE: Final = 256

Messages = list[tuple[str, dict[str, Any]]]


class HostTopics:
    """The store for code without an event loop: what to keep, and then what to carry.

    Args:
        layer: carries.
        database: keeps.
        lease: seconds that a presence entry lives.
    """

    def __init__(self, layer: HostChannelLayer, database: Database, lease: float) -> None:
        self.layer, self._database, self._lease = layer, database, lease
        self._next_sweep = time.monotonic() + SWEEP

    # What to do in the file; returns the result and what has to be carried

    def append(self, append: Append, patience: float) -> tuple[Published, Messages]:
        """Keep a publication."""
        topic = append.topic
        if not append.changes_stream:
            published, record = only_carried(append)
        else:
            published, record = self._database.append(append, patience)
        if not published.accepted:
            return published, []
        return published, [(group_of(topic), publication_message(topic, record, published.position))]

    def append_many(self, appends: Sequence[Append], patience: float) -> tuple[list[Published], Messages]:
        """Keep several publications: all of them, or none."""
        if any(append.changes_stream for append in appends):
            kept = self._database.append_many(appends, patience)
        else:
            kept = [only_carried(append) for append in appends]
        messages = [
            (group_of(append.topic), publication_message(append.topic, record, published.position))
            for append, (published, record) in zip(appends, kept, strict=True)
            if published.accepted
        ]
        return [published for published, _ in kept], messages

    def enter(self, entries: Iterable[PresenceEntry], patience: float) -> tuple[bool, Messages]:
        """Note who is present; whether the last of them is the first of its topic."""
        found = self._database.enter(entries, self._lease, patience)
        messages = [message for each in found for message in _announcements(each)]
        return bool(found) and found[-1].first, messages

    def leave(self, topic: str, info: ClientInfo, announce: bool, patience: float) -> tuple[bool, Messages]:
        """Note who has left; whether nobody is left."""
        left: Left = self._database.leave(topic, info.client, patience)
        gone = [*left.lapsed, *([info] if announce and left.known else [])]
        return left.last, _departures(topic, gone)

    def look(self, topic: str, patience: float) -> tuple[dict[str, ClientInfo], Messages]:
        """Return who is present."""
        present, lapsed = self._database.present(topic, patience)
        return present, _departures(topic, lapsed)

    def count(self, topic: str, patience: float) -> tuple[PresenceStats, Messages]:
        """Return how many are present."""
        stats, lapsed = self._database.count(topic, patience)
        return stats, _departures(topic, lapsed)

    def lapsed(self, patience: float) -> list[str]:
        """Return topics that may have become empty."""
        return self._database.lapsed(patience)

    def due_for_sweep(self) -> bool:
        """Whether it is time to forget what has expired; once per interval."""
        now = time.monotonic()
        if now < self._next_sweep:
            return False
        self._next_sweep = now + SWEEP
        return True

    def page(
        self, topic: str, since: Position | None, limit: int, reverse: bool, patience: float
    ) -> StreamPage:
        """Return a piece of a stream."""
        return self._database.read(topic, since, limit, reverse, patience)

    def clear(self, topic: str, patience: float) -> None:
        """Remove the publications of a stream."""
        self._database.remove(topic, patience)

    def sweep(self, patience: float) -> None:
        """Forget what has expired."""
        self._database.sweep(patience)

    # The face for sync code

    def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        if self.due_for_sweep():
            self.sweep(PATIENCE)
        return self._carried(self.append(append, PATIENCE), kept=append.retention.size > 0)

    def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`."""
        if self.due_for_sweep():
            self.sweep(PATIENCE)
        published: list[Published] = []
        for piece in _pieces(appends):
            published += self._carried(self.append_many(piece, PATIENCE), kept=_are_kept(piece))
        return published

    def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.page(topic, since, limit, reverse, PATIENCE)

    def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.clear(topic, PATIENCE)

    def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._carried(self.look(topic, PATIENCE))

    def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._carried(self.count(topic, PATIENCE))

    def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._carried((None, [(CONTROL, control_message(message))]), kept=False)

    def close(self) -> None:
        """Close what this thread has opened."""
        self._database.close()

    def _carried(self, done: tuple[_T, Messages], kept: bool = True) -> _T:
        result, messages = done
        try:
            self.layer.sync.group_send_many(messages)
        except ChannelLayerUnavailable as error:
            not_carried(error, kept)
        return result


class HostStore:
    """Keeps topics for all processes of a project on one machine, and carries them between those.

    Args:
        path: the directory where the processes meet; by default one in the temporary directory.
        project: text that the processes have in common and no others; by default ``BASE_DIR``.
        presence_lease: seconds after which somebody is gone whose process has died.
        clock: seconds since 1970, the same in all processes.
        options: settings of other stores are accepted, so that a project can switch.

    Attributes:
        sync: the same for code without an event loop.
        presence_lease: see above.
        values: small ones beside the topics, see :mod:`channels.topics.stores.values`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        project: str | None = None,
        presence_lease: float = 60.0,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        runtime_dir = find_runtime_dir(path, project)
        runtime_dir.prepare()
        layer = HostChannelLayer(path=path, project=project, capacity=CAPACITY)
        self.presence_lease = presence_lease
        self._database = Database(runtime_dir.path / "topics", clock)
        self.sync = HostTopics(layer, self._database, presence_lease)
        self.values = HostValues(self._database)
        self._layer = layer
        self._links: dict[Receiver, Link] = {}

    def attach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        if receiver not in self._links:
            self._links[receiver] = Link(receiver, self._layer, self._database)

    def detach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        link = self._links.pop(receiver, None)
        if link is not None:
            link.close()

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.attach(receiver)
        try:
            await self._links[receiver].subscribe(topic)
        except ChannelLayerUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        link = self._links.get(receiver)
        if link is not None:
            await link.unsubscribe(topic)

    async def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        if self.sync.due_for_sweep():
            await asyncio.to_thread(self.sync.sweep, PATIENCE)
        done = await in_file(self.sync.append, append)
        return await self._carried(done, kept=append.retention.size > 0)

    async def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`."""
        if self.sync.due_for_sweep():
            await asyncio.to_thread(self.sync.sweep, PATIENCE)
        published: list[Published] = []
        for piece in _pieces(appends):
            done = await in_file(self.sync.append_many, piece)
            published += await self._carried(done, kept=_are_kept(piece))
        return published

    async def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await in_file(self.sync.page, topic, since, limit, reverse)

    async def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await in_file(self.sync.clear, topic)

    async def presence_add(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        entry = PresenceEntry(topic, info, announce)
        return await self._carried(await in_file(self.sync.enter, [entry]))

    async def presence_remove(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._carried(await in_file(self.sync.leave, topic, info, announce))

    async def presence_renew(self, entries: Iterable[PresenceEntry]) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self._carried(await asyncio.to_thread(self.sync.enter, list(entries), PATIENCE))

    async def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._carried(await in_file(self.sync.look, topic))

    async def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._carried(await in_file(self.sync.count, topic))

    async def lapsed(self) -> list[str]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await in_file(self.sync.lapsed)

    async def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self._carried((None, [(CONTROL, control_message(message))]), kept=False)

    async def aclose(self) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        loop = asyncio.get_running_loop()
        for receiver, link in list(self._links.items()):
            if link.loop is loop:
                self.detach(receiver)
        if not self._links:
            await self._layer.aclose()

    async def _carried(self, done: tuple[_T, Messages], kept: bool = True) -> _T:
        result, messages = done
        try:
            for group, message in messages:
                await self._layer.group_send(group, message)
        except ChannelLayerUnavailable as error:
            not_carried(error, kept)
        return result


def _pieces(appends: Sequence[Append]) -> Iterator[Sequence[Append]]:
    return (appends[start : start + PIECE] for start in range(0, len(appends), PIECE))


def _are_kept(appends: Iterable[Append]) -> bool:
    """Whether subscribers find all of them in the file."""
    return all(append.retention.size > 0 for append in appends)


class HostValues:
    """See :class:`channels.topics.stores.values.Values`: in the same file, and nothing to carry.

    Args:
        database: keeps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> Value | None:
        """See :class:`~channels.topics.stores.values.Values`."""
        return await in_file(self._database.value, key)

    async def put(self, key: str, value: Value, ttl: float) -> bool:
        """See :class:`~channels.topics.stores.values.Values`."""
        return await in_file(self._database.keep, key, value, ttl)


async def in_file(work: Callable[..., _T], *values: Any) -> _T:
    """Do something in the file; in a thread, if another process is at it."""
    try:
        return work(*values, IMPATIENCE)
    except Busy:
        telemetry.count("topics.store_waited")
        return await asyncio.to_thread(work, *values, PATIENCE)


def not_carried(error: Exception, kept: bool) -> None:
    """Go on without the layer where the file has it: subscribers find it there.

    Raises:
        StoreUnavailable: nobody would.
    """
    telemetry.count("topics.carry_failed", error=str(error))
    if not kept:
        raise StoreUnavailable(str(error)) from error


def _announcements(entered: Entered) -> Messages:
    topic, info, announce = entered.entry
    messages = _departures(topic, entered.lapsed)
    if announce and entered.new:
        messages.append((group_of(topic), presence_message(topic, info, came=True)))
    return messages


def _departures(topic: str, gone: Iterable[ClientInfo]) -> Messages:
    return [(group_of(topic), presence_message(topic, info, came=False)) for info in gone]
