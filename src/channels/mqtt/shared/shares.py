"""The shared subscriptions of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import msgspec

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.messages import Outgoing
from channels.mqtt.session import Session, Subscribed
from channels.mqtt.shared.claims import ShareName, claim, claim_once, claimed
from channels.mqtt.shared.share import Offered, Share
from channels.mqtt.stored.durable import GRACE
from channels.mqtt.stored.missed import end_of, find_sent, read_missed, store_of
from channels.mqtt.stored.record import Mark
from channels.mqtt.stored.values import session_values
from channels.protocols.mqtt.topics import split_filter
from channels.topics.control import Announcement, abroadcast
from channels.topics.registry import resolve
from channels.topics.stores.base import StoreUnavailable

#: Under this name a process hands over a message whose member has left, and nobody else is here.
HANDED_OVER: Final = "mqtt.handed_over"


class Routing(Protocol):
    """What is needed of a router."""

    async def subscribe(self, session: Session, topic_filter: str, subscribed: Subscribed) -> None:
        """Bring a session what a filter names."""

    def forget(self, session: Session) -> None:
        """End all that a session has."""

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine."""


class HandedOver(msgspec.Struct, array_like=True, frozen=True):
    """A message for another member of a group."""

    share: ShareName
    topic: str
    mark: Mark


class Shares:
    """The shared subscriptions that clients of one event loop have.

    Args:
        routing: brings what is published.
        limits: of the clients.
    """

    def __init__(self, routing: Routing, limits: MQTTLimits) -> None:
        self._routing, self._limits = routing, limits
        self._shares: dict[tuple[ShareName, str], Share] = {}
        self._lock = asyncio.Lock()

    async def join(self, session: Session, topic_filter: str, subscribed: Subscribed) -> None:
        """Make a session a member of the group that its filter names.

        Raises:
            StoreUnavailable: a store does not answer.
        """
        name = ShareName(*split_filter(topic_filter))
        key = (name, session.key[0])
        async with self._lock:
            share = self._shares.get(key)
            if share is None:
                values, spawn = session_values(), self._routing.spawn
                most = self._limits.max_queued
                share = Share(name, session.user, most, values, spawn, self._hand_over)
                await self._routing.subscribe(share, name.filter, share.options())
                self._shares[key] = share
            share.members[session] = subscribed
        session.subscriptions[topic_filter] = subscribed
        for topic in list(share.attached):
            await self._begin(share, topic)

    def leave(self, session: Session, topic_filter: str) -> None:
        """End the membership of a session."""
        key = (ShareName(*split_filter(topic_filter)), session.key[0])
        share = self._shares.get(key)
        if share is not None and share.members.pop(session, None) is not None and not share.members:
            del self._shares[key]
            self._routing.forget(share)

    async def resume(self, session: Session) -> None:
        """Hand a member that is back what its groups have missed, if nobody was there."""
        for share in [each for each in self._shares.values() if session in each.members]:
            for topic in list(share.attached):
                try:
                    await self._catch_up(share, topic)
                except StoreUnavailable as error:
                    telemetry.count("mqtt.share_failed", error=str(error))

    async def _begin(self, share: Share, name: str) -> None:
        """Note where a new group begins in a topic with history."""
        end = await end_of(name)
        if end is None or await claimed(session_values(), share.name, name, end.epoch) is not None:
            return
        if share.kept:
            await claim(session_values(), share.name, name, end, share.kept + GRACE)

    async def _catch_up(self, share: Share, name: str) -> None:
        topic = resolve(name)
        if topic is None or type(topic).history is None:
            return
        store = store_of(name)
        end = (await store.read(name, limit=0)).position
        mark = await claimed(session_values(), share.name, name, end.epoch)
        if mark is None or mark.offset >= end.offset:
            return
        missed = await read_missed(store, name, mark)
        found = [Outgoing(name, each) for each in missed.publications]
        told = [each for each in found if each.properties is not None]
        waiting = {each.mark for each in share.offered}
        more = [Offered(each.publish([share.options()], retained=False), each.mark) for each in told]
        share.offered = type(share.offered)(
            sorted([*share.offered, *(each for each in more if each.mark not in waiting)], key=_offset)
        )
        share.offer([])

    # Between processes

    def _hand_over(self, share: Share, message: Offered) -> None:
        if message.mark is None:
            telemetry.count("mqtt.message_dropped", reason="group", client=share.name.group)
            return
        told = HandedOver(share.name, message.publish.topic, message.mark)
        data = msgspec.json.encode(told)
        self._routing.spawn(abroadcast(Announcement(HANDED_OVER, data)))

    def handed_over(self, data: bytes) -> None:
        """Take a message that another process has no member for."""
        told = msgspec.json.decode(data, type=HandedOver)
        for (name, _), share in list(self._shares.items()):
            if name == told.share and told.topic in share.attached and share.connected():
                self._routing.spawn(self._take_over(share, told))

    async def _take_over(self, share: Share, told: HandedOver) -> None:
        what = f"{told.mark.epoch}.{told.mark.offset}"
        topic = resolve(told.topic)
        if topic is None or not await claim_once(session_values(), told.share, told.topic, what):
            return
        publication = await find_sent(store_of(told.topic), told.topic, told.mark)
        outgoing = None if publication is None else Outgoing(told.topic, publication)
        if outgoing is not None and outgoing.properties is not None:
            share.hand_on(Offered(outgoing.publish([share.options()], retained=False), told.mark))


def _offset(message: Offered) -> int:
    return 0 if message.mark is None else message.mark.offset
