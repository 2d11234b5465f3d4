"""Who comes and goes, told to receivers of signals.

Whether a topic is occupied is kept in a stream beside it. A change has its predecessor's offset as its
idempotency key, so that of many processes that see the same one of them makes it, and tells.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from django.dispatch import Signal
from msgspec import Raw

from channels.db import aclose_old_connections
from channels.protocols.centrifuge.messages import Publication
from channels.topics.signals import topic_joined, topic_left, topic_occupied, topic_vacated
from channels.topics.stores.base import Append, Retention, Store
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
    if first and topic_occupied.has_listeners(type(topic)) and await _changes(topic, _OCCUPIED):
        await _send(topic_occupied, topic)


async def announce_left(topic: Topic, user: Any, client: str, last: bool) -> None:
    """Tell that a client has gone; and that the topic is vacated, if nobody comes for a while."""
    await _send(topic_left, topic, user=user, client=client)
    if last and topic_vacated.has_listeners(type(topic)):
        await asyncio.sleep(GRACE)
        store = get_store(type(topic).store)
        if not (await store.presence_stats(str(topic))).clients and await _changes(topic, _VACATED):
            await _send(topic_vacated, topic)


async def _changes(topic: Topic, state: Raw) -> bool:
    """Note that a topic is occupied or vacated; False if it was already, or another process is first."""
    store: Store = get_store(type(topic).store)
    name = f"channels.occupied:{topic}"
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
