"""The names of topics that one event loop knows, for filters with wildcards."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from channels import telemetry
from channels.mqtt.stored.missed import store_of
from channels.mqtt.wildcards.young import Young
from channels.protocols.centrifuge.messages import Publication
from channels.topics.delivery.hub import running_hub
from channels.topics.names.telling import First, want_names
from channels.topics.registry import resolve
from channels.topics.stores.base import Position
from channels.topics.stores.records import decode_publication

#: Seconds for which a name is young after it was told: more than publications go along with names.
YOUTH: Final = 30.0


class Routing(Protocol):
    """What is needed of a router."""

    def wants(self, name: str) -> bool:
        """Whether a filter with wildcards matches a name."""
        ...

    def has(self, name: str) -> bool:
        """Whether the topic is subscribed to."""
        ...

    async def attach_wild(self, name: str) -> None:
        """Have those told of a topic whose filters match its name, if they may."""

    def bring(self, name: str, publication: Publication) -> None:
        """Hand on a publication that has not come before."""

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine."""


class Names:
    """The names of one event loop.

    Args:
        routing: has the sessions.
        most: names that are remembered.

    Attributes:
        young: by name, those that were new a moment ago.
    """

    def __init__(self, routing: Routing, most: int) -> None:
        self._routing, self._most = routing, most
        self._known: dict[str, None] = {}
        self.young: dict[str, Young] = {}
        self._begun = False
        self._lock = asyncio.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def known(self) -> list[str]:
        """Return all names."""
        return list(self._known)

    async def begin(self) -> None:
        """Know the names that were told so far, and have others told.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._lock:
            if self._begun:
                return
            await running_hub().hear_control()
            for name in await want_names():
                self._know(name)
            self._begun = True

    def _know(self, name: str) -> None:
        if name not in self._known and len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
            telemetry.count("mqtt.names_forgotten")
        self._known[name] = None

    async def learn(self, name: str) -> None:
        """Know a topic's name: sessions whose filters have wildcards have it from now on, if they may.

        Raises:
            StoreUnavailable: a store does not answer.
        """
        if name in self._known:
            return
        self._know(name)
        if self._routing.wants(name):
            await self._settle(name, self._new(name))

    def hear(self, first: First) -> None:
        """Take a name that was told, with one of the first publications to it."""
        name, young = first.topic, self.young.get(first.topic)
        if young is None:
            if name in self._known or self._routing.has(name) or resolve(name) is None:
                return  # what is published is brought already
            self._know(name)
            if not self._routing.wants(name):
                return
            young = self._new(name)
            self._note(young, first)
            self._routing.spawn(self._settle(name, young))
            return
        if young.full and not young.holding:
            return
        self._note(young, first)
        if not young.holding:
            young.holding = True
            if young.since is None:
                self._bring(name, young, [])
            else:
                self._routing.spawn(self._settle(name, young))

    def _new(self, name: str) -> Young:
        young = self.young[name] = Young()
        young.until = asyncio.get_running_loop().time() + YOUTH
        self._forget_later(name, young)
        return young

    def _note(self, young: Young, first: First) -> None:
        young.until = asyncio.get_running_loop().time() + YOUTH
        if first.record:
            young.wait(decode_publication(first.record, 0, ""), told=True)
        elif young.since is None:
            young.since = first.offset, first.time

    async def _settle(self, name: str, young: Young) -> None:
        """Bring what was published before the topic was subscribed to, and what has come meanwhile."""
        try:
            await self._routing.attach_wild(name)
            read: list[Publication] = []
            while young.since is not None:
                (offset, time), young.since = young.since, None
                read += await _read(name, offset, time)
        except BaseException:
            self._known.pop(name, None)  # it is told again
            self.young.pop(name, None)
            raise
        self._bring(name, young, read)

    def _bring(self, name: str, young: Young, read: list[Publication]) -> None:
        young.holding = False
        for publication in young.take(read):
            self._routing.bring(name, publication)

    def takes(self, name: str, publication: Publication) -> bool:
        """Whether a publication that has come from the store is to be brought now."""
        young = self.young.get(name)
        if young is None:
            return True
        if young.holding:
            young.wait(publication, told=False)
            return False
        return young.is_new(publication, told=False)

    def _forget_later(self, name: str, young: Young) -> None:
        loop = asyncio.get_running_loop()
        if self.young.get(name) is not young:
            return
        if not young.holding and loop.time() >= young.until:
            del self.young[name]
        else:
            loop.call_later(YOUTH, self._forget_later, name, young)


async def _read(name: str, offset: int, time: int) -> list[Publication]:
    """Return what a topic's history has from a publication on."""
    store = store_of(name)
    if offset:
        return (await store.read(name, Position(offset - 1, ""))).publications
    page = await store.read(name)
    return [each for each in page.publications if each.time >= time]
