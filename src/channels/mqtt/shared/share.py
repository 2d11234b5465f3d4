"""One shared subscription in one event loop: its members here, and which of them gets a message."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from channels import telemetry
from channels.mqtt.session import GiveBack, Session, Subscribed
from channels.mqtt.shared.claims import ShareName, claim, claim_once, print_of
from channels.mqtt.stored.durable import GRACE
from channels.mqtt.stored.record import Mark
from channels.protocols.mqtt.packets import Publish, Subscription
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.values import Values

#: Messages that a member has not acknowledged before other processes may go first, and for how many seconds.
BUSY: Final = 20
POLITE: Final = 0.02


class Offered(NamedTuple):
    """A message that may be claimed."""

    publish: Publish
    mark: Mark | None


class Share(Session):
    """A session for a group: what the router brings it goes to one of the group's members.

    Args:
        name: of the shared subscription.
        user: whose permissions count: members of another user are another one of these.
        most: messages that may wait for being claimed.
        values: where they are claimed.
        spawn: runs a coroutine.
        hand_over: gives a message to other processes.
    """

    def __init__(
        self,
        name: ShareName,
        user: object,
        most: int,
        values: Values,
        spawn: Callable[[Coroutine[Any, Any, object]], None],
        hand_over: Callable[[Share, Offered], None],
    ) -> None:
        super().__init__(("", ""), user, most)
        self.name = name
        self.members: dict[Session, Subscribed] = {}
        self.offered: deque[Offered] = deque()
        self._values, self._spawn, self._hand_over = values, spawn, hand_over
        self._claiming = False

    def options(self) -> Subscribed:
        """Return the subscription of all members together; each gets what it asked for of that."""
        return Subscribed(Subscription(self.name.filter, 2, retain_as_published=True), identifier=1)

    @property
    def kept(self) -> float:
        """Seconds for which the group's place is kept after its members have left; GRACE besides."""
        return max((each.expiry for each in self.members), default=0.0)

    def connected(self) -> list[Session]:
        """Return the members with a connection."""
        return [each for each in self.members if each.peer is not None]

    def deliver(self, publish: Publish, mark: Mark | None = None, back: GiveBack | None = None) -> None:
        """Offer a message to the members; see :meth:`channels.mqtt.session.Session.deliver`."""
        if not self.connected():
            return  # another process has members, or one that comes reads it
        if len(self.offered) >= self.max_queued:
            telemetry.count("mqtt.message_dropped", reason="queue", client=self.name.group)
            return
        self.offer([Offered(publish, mark)])

    def offer(self, messages: list[Offered]) -> None:
        """Claim messages, those of a topic in their order, and hand them to members."""
        self.offered.extend(messages)
        if not self._claiming and self.offered:
            self._claiming = True
            self._spawn(self._claim_all())

    async def _claim_all(self) -> None:
        try:
            while self.offered:
                if all(each.load >= BUSY for each in self.connected()):
                    await asyncio.sleep(POLITE)
                message = self.offered.popleft()
                if self.connected() and await self._claim(message):
                    self.hand_on(message)
        except StoreUnavailable as error:
            self.offered.clear()  # it is not claimed: who reads the history has it
            telemetry.count("mqtt.share_failed", error=str(error))
        finally:
            self._claiming = False

    async def _claim(self, message: Offered) -> bool:
        publish, mark = message
        if mark is None:
            return await claim_once(self._values, self.name, publish.topic, print_of(publish.payload))
        return await claim(self._values, self.name, publish.topic, mark, self.kept + GRACE)

    def hand_on(self, message: Offered) -> None:
        """Hand a message that was claimed to the member with the least to do, or to another process."""
        members = self.connected()
        if not members:
            self._hand_over(self, message)
            return
        member = min(members, key=lambda each: each.load)
        subscribed = self.members.pop(member)
        self.members[member] = subscribed  # the next time it is the last of those that are alike
        publish = _as_asked(message.publish, subscribed)
        if not publish.qos:
            member.deliver(publish)
            return
        member.deliver(publish, message.mark, lambda back, mark: self.hand_on(message))


def _as_asked(publish: Publish, subscribed: Subscribed) -> Publish:
    """Return a message as one member's subscription says."""
    properties = {**publish.properties, "subscription_identifier": [subscribed.identifier]}
    if not subscribed.identifier:
        del properties["subscription_identifier"]
    options = subscribed.options
    retain = publish.retain and options.retain_as_published
    qos = min(publish.qos, options.qos)
    return dataclasses.replace(publish, qos=qos, retain=retain, properties=properties)
