"""Who comes and goes, told to receivers of signals.

Whether a topic is occupied is kept in a stream beside it. A change has its predecessor's offset as its
idempotency key, so that of many processes that see the same one of them makes it, and tells. That a topic
has become empty as a process died is found by the others, which ask the store now and then.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import Any, Final

from django.dispatch import Signal
from msgspec import Raw

from channels import telemetry
from channels.db import aclose_old_connections
from channels.protocols.centrifuge.messages import Publication
from channels.topics.delivery.hub import TICK, Hub
from channels.topics.registry import RESERVED, resolve
from channels.topics.signals import topic_joined, topic_left, topic_occupied, topic_vacated
from channels.topics.stores.base import Append, Retention, Store, StoreUnavailable
from channels.topics.stores.manager import get_store
from channels.topics.topic import Topic

logger = logging.getLogger("channels.topics")

#: Seconds for which a topic has to be empty until it is called vacated: a reload is no leaving.
GRACE: Final = 5.0

_OCCUPIED, _VACATED = Raw(b'"occupied"'), Raw(b'"vacated"')
_KEPT: Final = Retention(size=1, ttl=30 * 86400.0, idempotency_ttl=3600.0)


def anybody_listens(topic: Topic) -> bool:
    """Whether some receiver wants to hear of who comes to ``topic`` and goes."""
    signals = (topic_joined, topic_left, topic_occupied, topic_vacated)
    return any(signal.has_listeners(type(topic)) for signal in signals)


async def announce_joined(topic: Topic, user: Any, client: str, first: bool) -> None:
    """Tell that a client has come; and that the topic is occupied, if it was empty before."""
    await _send(topic_joined, topic, user=user, client=client)
    listened = any(signal.has_listeners(type(topic)) for signal in (topic_occupied, topic_vacated))
    if first and listened and await _changes(topic, _OCCUPIED):
        await _send(topic_occupied, topic)


async def announce_left(topic: Topic, user: Any, client: str, last: bool) -> None:
    """Tell that a client has gone; and that the topic is vacated, if nobody comes for a while."""
    await _send(topic_left, topic, user=user, client=client)
    if last:
        await announce_vacated(topic)


async def announce_vacated(topic: Topic) -> None:
    """Tell that a topic is vacated, if that is so and nobody comes for a while."""
    listened = any(signal.has_listeners(type(topic)) for signal in (topic_occupied, topic_vacated))
    if listened:
        await asyncio.sleep(GRACE)
        store = get_store(type(topic).store)
        if not (await store.presence_stats(str(topic))).clients and await _changes(topic, _VACATED):
            await _send(topic_vacated, topic)


class Vacancies:
    """Finds topics that have become empty without anybody left to tell it, from one event loop.

    Args:
        hub: of the running loop.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = weakref.ref(hub)
        self._looks: dict[Store, float] = {}
        self._look()

    def _look(self) -> None:
        """Ask each store three times within its lease."""
        hub = self._hub()
        if hub is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(TICK, self._look)
            for store in hub.stores():
                if loop.time() >= self._looks.setdefault(store, loop.time() + store.presence_lease / 3):
                    self._looks[store] = loop.time() + store.presence_lease / 3
                    hub.spawn(self._ask(hub, store))

    async def _ask(self, hub: Hub, store: Store) -> None:
        try:
            for name in await store.lapsed():
                topic = resolve(name)
                if not (await store.presence_stats(name)).clients and topic is not None:
                    hub.spawn(announce_vacated(topic))
        except StoreUnavailable as error:
            telemetry.count("topics.lapsed_unknown", error=str(error))


_vacancies: weakref.WeakKeyDictionary[Hub, Vacancies] = weakref.WeakKeyDictionary()


def look_for_vacancies(hub: Hub) -> None:
    """Begin to look for topics whose last clients were those of a process that died; called in the loop."""
    if hub not in _vacancies:
        _vacancies[hub] = Vacancies(hub)


async def _changes(topic: Topic, state: Raw) -> bool:
    """Note that a topic is occupied or vacated; False if it was already, or another process is first."""
    store: Store = get_store(type(topic).store)
    name = f"{RESERVED}occupied:{topic}"
    page = await store.read(name, limit=1, reverse=True)
    before = bytes(page.publications[0].data) if page.publications else bytes(_VACATED)
    if before == bytes(state):
        return False
    append = Append(name, Publication(data=state), _KEPT, idempotency_key=str(page.position.offset))
    return (await store.publish(append)).accepted


async def _send(signal: Signal, topic: Topic, **facts: Any) -> None:
    """Call the receivers, sync ones in a thread; what one raises is logged, and concerns nobody else."""
    if not signal.has_listeners(type(topic)):
        return
    for receiver, answer in await signal.asend_robust(sender=type(topic), topic=topic, **facts):
        if isinstance(answer, Exception):
            logger.error("Receiver %r of a topic's signal failed.", receiver, exc_info=answer)
    await aclose_old_connections()
