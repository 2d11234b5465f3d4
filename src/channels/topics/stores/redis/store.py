"""The store over Redis."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import NoScriptError

from channels.layers.redis.connect.commands import Policy, Unavailable
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.hosts.addresses import Address
from channels.layers.redis.hosts.setting import Hosts
from channels.process.platforms import after_fork_in_child
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import (
    Append,
    Position,
    PresenceEntry,
    PresenceStats,
    Published,
    Receiver,
    StreamPage,
)
from channels.topics.stores.redis.errors import store_unavailable
from channels.topics.stores.redis.keys import TopicKeys
from channels.topics.stores.redis.leases import LeaseNotes
from channels.topics.stores.redis.listener import Listener
from channels.topics.stores.redis.pages import PageCollector
from channels.topics.stores.redis.requests import RENEWALS, Request, Requests
from channels.topics.stores.redis.sync import RedisSyncStore
from channels.topics.stores.values import Value

_T = TypeVar("_T")

#: Steps of one call that wait for their replies at the same time.
AT_ONCE: Final = 500


class RedisStore:
    """Keeps and carries topics for processes on many machines, over Redis 6 to 8 or Valkey.

    Streams are Redis Streams; a publication is numbered, stored and carried in one step. Receivers are told
    to compare positions after a connection was lost, a server was restarted or another has taken over. A
    server that takes over, or starts anew, begins a new epoch for each stream: it may have lost something.

    Args:
        hosts: list of servers, see :mod:`channels.layers.redis.hosts.addresses`; topics are spread over them.
        prefix: begins the names of everything in Redis; it has no braces.
        presence_lease: seconds that a presence entry lives without being renewed, at least 0.1.
        on_unavailable: "raise" StoreUnavailable while Redis is away, or "wait" for it.
        unavailable_timeout: seconds to wait before raising after all.

    Attributes:
        sync: the same for code without an event loop.
        presence_lease: see above.
        values: small ones beside the topics, see :mod:`channels.topics.stores.values`.

    Raises:
        ImproperlyConfigured: an option is out of range.
        ValueError: ``hosts`` is no list.
    """

    def __init__(
        self,
        hosts: Any = None,
        prefix: str = "topics",
        presence_lease: float = 60.0,
        *,
        on_unavailable: Unavailable = "raise",
        unavailable_timeout: float = 10.0,
    ) -> None:
        check_options(prefix, presence_lease, on_unavailable, unavailable_timeout)
        self.presence_lease = presence_lease
        self._hosts = Hosts(hosts)
        self._policy = Policy(on_unavailable, unavailable_timeout)
        self._keys = TopicKeys(prefix)
        self._requests = Requests(self._keys, presence_lease)
        self.sync = RedisSyncStore(self._addresses, self._requests)
        self.values = RedisValues(self._requests, self._run)
        self.begin()
        _stores.add(self)

    async def _write_note(self, topics: Sequence[str]) -> None:
        await self._run(self._requests.note(topics))

    def begin(self) -> None:
        """Start with nothing, in a new process or a forked one."""
        self._listener = Listener(self._addresses, self._keys, self._policy)
        self._notes = LeaseNotes(self.presence_lease, self._write_note)

    def __repr__(self) -> str:
        """Say where its servers are; no password."""
        return (
            f"<RedisStore {self._hosts.label} prefix={self._keys.control.key.decode()[: -len(':control')]!r}>"
        )

    def _addresses(self) -> tuple[Address, ...]:
        return self._hosts.addresses

    # Receivers

    def attach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._listener.attach(receiver)

    def detach(self, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._listener.detach(receiver)

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        try:
            await self._listener.subscribe(topic, receiver)
        except RedisUnavailable as error:
            raise store_unavailable(error) from error

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._listener.unsubscribe(topic, receiver)

    # Streams

    async def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._run(self._requests.publish(append))

    async def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`; those of one topic follow each other."""
        published: dict[int, Published] = {}

        async def publish_in_order(places: list[int]) -> None:
            for place in places:
                published[place] = await self.publish(appends[place])

        topics: dict[str, list[int]] = {}
        for place, append in enumerate(appends):
            topics.setdefault(append.topic, []).append(place)
        chains = list(topics.values())
        for start in range(0, len(chains), AT_ONCE):
            await asyncio.gather(*map(publish_in_order, chains[start : start + AT_ONCE]))
        return [published[place] for place in range(len(appends))]

    async def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`."""
        pages = PageCollector(since, limit, reverse)
        while not pages.complete:
            pages.add(await self._run(self._requests.read(topic, pages.since, pages.amount, reverse)))
        return pages.result()

    async def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self._run(self._requests.remove(topic))

    # Presence

    async def presence_add(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._notes.noting(topic, self._run(self._requests.join(topic, info, announce)))

    async def presence_remove(self, topic: str, info: ClientInfo, announce: bool = False) -> bool:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._run(self._requests.leave(topic, info, announce))

    async def presence_renew(self, entries: Iterable[PresenceEntry]) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        by_topic: dict[str, list[tuple[ClientInfo, bool]]] = {}
        for topic, info, announce in entries:
            by_topic.setdefault(topic, []).append((info, announce))
        self._notes.forget()
        await self._notes.note(by_topic)
        renewals = [
            self._requests.renew(topic, present[start : start + RENEWALS])
            for topic, present in by_topic.items()
            for start in range(0, len(present), RENEWALS)
        ]
        for start in range(0, len(renewals), AT_ONCE):  # so that other commands find a place between them
            await asyncio.gather(*map(self._run, renewals[start : start + AT_ONCE]))

    async def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._run(self._requests.presence(topic))

    async def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._run(self._requests.presence_stats(topic))

    async def lapsed(self) -> list[str]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return await self._run(self._requests.lapsed())

    # All processes

    async def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self._run(self._requests.broadcast(message))

    async def aclose(self) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        await self._listener.aclose()

    async def _run(self, request: Request[_T]) -> _T:
        """Do one step in Redis; a script that it does not know is sent to it."""
        topic, command, answer, key, tries = request
        commands = self._listener.commands()
        try:
            try:
                reply = await commands.execute(
                    topic, key, lambda sharded: command(_VERBS[sharded], False), tries
                )
            except NoScriptError:
                reply = await commands.execute(
                    topic, key, lambda sharded: command(_VERBS[sharded], True), tries
                )
        except RedisUnavailable as error:
            raise store_unavailable(error) from error
        return answer(reply)


class RedisValues:
    """See :class:`channels.topics.stores.values.Values`.

    Args:
        requests: what is asked of Redis.
        run: asks it.
    """

    def __init__(self, requests: Requests, run: Callable[[Request[Any]], Awaitable[Any]]) -> None:
        self._requests, self._run = requests, run

    async def get(self, key: str) -> Value | None:
        """See :class:`~channels.topics.stores.values.Values`."""
        found: Value | None = await self._run(self._requests.get(key))
        return found

    async def put(self, key: str, value: Value, ttl: float) -> bool:
        """See :class:`~channels.topics.stores.values.Values`."""
        written: bool = await self._run(self._requests.put(key, value, ttl))
        return written


#: By whether topics are sharded at the server.
_VERBS: Final = ("PUBLISH", "SPUBLISH")


def check_options(
    prefix: object, presence_lease: object, on_unavailable: object, unavailable_timeout: object
) -> None:
    """See :class:`RedisStore`; raises ImproperlyConfigured."""
    if not isinstance(prefix, str) or "{" in prefix or "}" in prefix:
        raise ImproperlyConfigured(f"`prefix` of a store in Redis is text without braces, got {prefix!r}.")
    if on_unavailable not in ("raise", "wait"):
        raise ImproperlyConfigured(
            f'`on_unavailable` of a store in Redis is "raise" or "wait", got {on_unavailable!r}.'
        )
    for name, value, least in (
        ("presence_lease", presence_lease, 0.1),
        ("unavailable_timeout", unavailable_timeout, 0),
    ):
        if not isinstance(value, int | float) or not value >= least:
            raise ImproperlyConfigured(
                f"`{name}` of a store in Redis is a number of at least {least}, got {value!r}."
            )


_stores: Final[weakref.WeakSet[RedisStore]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store.begin()


after_fork_in_child(_after_fork_in_child)
