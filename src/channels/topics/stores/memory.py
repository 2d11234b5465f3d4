"""The store in memory: for one process; its loops and threads share it."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from channels.protocols.centrifuge.messages import ClientInfo, Join, Leave, Publication
from channels.topics.stores.base import (
    Append,
    Position,
    PresenceEntry,
    PresenceStats,
    Published,
    Receiver,
    Retention,
    StreamPage,
)
from channels.topics.stores.receivers import Receivers
from channels.topics.stores.records import carried
from channels.topics.stores.values import MemoryValues

#: Seconds between two looks for what has expired.
SWEEP = 10.0


def new_epoch() -> str:
    """Return a name for a stream that no other has."""
    return secrets.token_hex(4)


class Stream:
    """The last publications of one topic.

    Args:
        now: seconds, monotonic.
    """

    __slots__ = ("_expiries", "_publications", "ends", "epoch", "keys", "offset", "version", "version_epoch")

    def __init__(self, now: float) -> None:
        self.epoch = new_epoch()
        self.offset = 0
        self._publications: deque[Publication] = deque()
        self._expiries: deque[float] = deque()
        self.keys: dict[str, tuple[float, Position]] = {}
        self.version, self.version_epoch = 0, ""
        self.ends = now + Retention().position_ttl

    @property
    def position(self) -> Position:
        """The end of the stream."""
        return Position(self.offset, self.epoch)

    def seen_before(self, append: Append, now: float) -> Published | None:
        """Return what to answer to a publication that is to be left out."""
        if append.idempotency_key:
            expires, position = self.keys.get(append.idempotency_key, (0.0, self.position))
            if expires > now:
                return Published(position, accepted=False)
        if append.version and append.version_epoch == self.version_epoch and append.version <= self.version:
            return Published(self.position, accepted=False)
        return None

    def append(self, append: Append, now: float) -> Publication:
        """Number a publication and keep it as long as the topic's retention says."""
        retention = append.retention
        publication = append.publication
        if retention.size:
            self.offset += 1
            publication = msgspec.structs.replace(publication, offset=self.offset, epoch=self.epoch)
            self._publications.append(publication)
            self._expiries.append(now + retention.ttl)
            while len(self._publications) > retention.size:
                self._drop_first()
        self.ends = now + max(retention.position_ttl, retention.ttl)
        if append.idempotency_key:
            self.keys[append.idempotency_key] = now + retention.idempotency_ttl, self.position
        if append.version:
            self.version, self.version_epoch = append.version, append.version_epoch
        return publication

    def page(self, since: Position | None, limit: int, reverse: bool, now: float) -> StreamPage:
        """See :meth:`channels.topics.stores.base.Store.read`."""
        self.expire(now)
        if limit == 0:
            return StreamPage([], self.position)
        found: Iterable[Publication] = reversed(self._publications) if reverse else self._publications
        if since is not None and reverse:
            found = (each for each in found if each.offset < since.offset)
        elif since is not None:
            found = (each for each in found if each.offset > since.offset)
        return StreamPage(list(itertools.islice(found, limit if limit >= 0 else None)), self.position)

    def expire(self, now: float) -> None:
        """Drop what is older than it may be."""
        while self._expiries and self._expiries[0] <= now:
            self._drop_first()

    def forget_keys(self, now: float) -> None:
        """Forget the idempotency keys whose time is over."""
        self.keys = {key: kept for key, kept in self.keys.items() if kept[0] > now}

    def clear(self) -> None:
        """Remove the publications; the position stays."""
        self._publications.clear()
        self._expiries.clear()

    def _drop_first(self) -> None:
        self._publications.popleft()
        self._expiries.popleft()


class MemoryTopics:
    """The streams and who is present, for code without an event loop: the one place that changes them.

    Receivers are told under the lock, which keeps the order of offsets.

    Args:
        clock: seconds, monotonic.

    Attributes:
        receivers: who in this process is told.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.receivers = Receivers()
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self._present: dict[str, dict[str, ClientInfo]] = {}
        self._next_sweep = clock() + SWEEP

    def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            now = self._clock()
            if not append.changes_stream:
                publication = append.publication
                self.receivers.deliver(
                    append.topic, carried(publication, append.beside) if append.beside else publication
                )
                return Published(Position(0, ""))
            stream = self._stream(append.topic, now)
            seen = stream.seen_before(append, now)
            if seen is not None:
                return seen
            publication = stream.append(append, now)
            self.receivers.deliver(
                append.topic, carried(publication, append.beside) if append.beside else publication
            )
            return Published(Position(publication.offset, stream.epoch))

    def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            now = self._clock()
            return self._stream(topic, now).page(since, limit, reverse, now)

    def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            self._stream(topic, self._clock()).clear()

    def presence_add(self, topic: str, info: ClientInfo, announce: bool) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            present = self._present.setdefault(topic, {})
            first = not present
            new = info.client not in present
            present[info.client] = info
            if announce and new:
                self.receivers.deliver(topic, Join(info=info))
            return first

    def presence_remove(self, topic: str, info: ClientInfo, announce: bool) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            present = self._present.get(topic, {})
            if present.pop(info.client, None) is None:
                return False
            if announce:
                self.receivers.deliver(topic, Leave(info=info))
            if not present:
                del self._present[topic]
            return not present

    def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        with self._lock:
            return dict(self._present.get(topic, {}))

    def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        present = self.presence(topic)
        return PresenceStats(len(present), len({info.user for info in present.values()}))

    def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.receivers.control(message)

    def close(self) -> None:
        """Do nothing: there is no connection to close."""

    def _stream(self, topic: str, now: float) -> Stream:
        if now >= self._next_sweep:
            self._sweep(now)
        stream = self._streams.get(topic)
        if stream is None or stream.ends <= now:
            stream = self._streams[topic] = Stream(now)
        return stream

    def _sweep(self, now: float) -> None:
        """Forget what has expired, of all streams."""
        self._next_sweep = now + SWEEP
        for topic, stream in list(self._streams.items()):
            stream.expire(now)
            stream.forget_keys(now)
            if stream.ends <= now:
                del self._streams[topic]


class MemoryStore:
    """Keeps and carries topics within this process, for all its loops and threads.

    Args:
        clock: seconds, monotonic.
        options: settings of other stores are accepted, so that a project can switch.

    Attributes:
        sync: the same for code without an event loop.
        presence_lease: seconds; nobody but this process could leave an entry behind.
        spans_processes: whether what is published here reaches other processes.
        values: small ones beside the topics, see :mod:`channels.topics.stores.values`.
    """

    presence_lease = 60.0
    spans_processes = False

    def __init__(self, clock: Callable[[], float] = time.monotonic, **options: Any) -> None:
        self.sync = MemoryTopics(clock)
        self.values = MemoryValues(clock)

    def attach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.receivers.attach(receiver)

    def detach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.receivers.detach(receiver)

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.receivers.subscribe(topic, receiver)

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.receivers.unsubscribe(topic, receiver)

    async def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.publish(append)

    async def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.read(topic, since, limit, reverse)

    async def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.remove(topic)

    async def presence_add(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.presence_add(topic, info, announce)

    async def presence_remove(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.presence_remove(topic, info, announce)

    async def presence_renew(self, entries: Iterable[PresenceEntry]) -> None:
        """See :class:`~channels.topics.stores.base.Store`; no entry is ever gone by itself."""
        for topic, info, announce in entries:
            self.sync.presence_add(topic, info, announce)

    async def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.presence(topic)

    async def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self.sync.presence_stats(topic)

    async def lapsed(self) -> list[str]:
        """See :class:`~channels.topics.stores.base.Store`; nobody dies and leaves this process behind."""
        return []

    async def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self.sync.broadcast(message)

    async def aclose(self) -> None:
        """Do nothing: there is no connection to close."""
