"""What a client publishes, on its way into its topic."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from channels.mqtt.messages import tags_of
from channels.mqtt.router import Router
from channels.mqtt.session import Session
from channels.protocols.centrifuge.messages import ClientInfo
from channels.protocols.mqtt.codes import MQTTError, Reason, protocol_error
from channels.protocols.mqtt.packets import Publish, Will
from channels.topics.actions import aremove_history
from channels.topics.payloads import InvalidData, decode
from channels.topics.publishing import apublish_now
from channels.topics.registry import resolve
from channels.topics.session.permissions import may_publish
from channels.topics.topic import append_for

#: Seconds that a message of QoS 2 is known whose broker was killed before it had said that it has it.
KEY_TTL: Final = 3600.0


class Publisher:
    """Publishes what one connection sends.

    Args:
        router: learns of the topics.
        most_aliases: how many topic aliases the client may use.
    """

    __slots__ = ("_aliases", "_most_aliases", "_router", "_topic")

    def __init__(self, router: Router, most_aliases: int) -> None:
        self._router, self._most_aliases = router, most_aliases
        self._topic: Any = None
        self._aliases: dict[int, str] | None = None

    def resolve_alias(self, packet: Publish) -> None:
        """Give a packet the topic that its alias stands for, or note what it stands for from now on.

        Raises:
            MQTTError: there are not so many, or it stands for nothing.
        """
        alias = packet.properties.pop("topic_alias", 0)
        if not alias:
            return
        if alias > self._most_aliases:
            raise MQTTError(Reason.TOPIC_ALIAS_INVALID, "A topic alias is larger than the server has said.")
        if self._aliases is None:
            self._aliases = {}
        if packet.topic:
            self._aliases[alias] = packet.topic
        elif alias not in self._aliases:
            raise protocol_error("A topic alias stands for no topic.")
        packet.topic = self._aliases[alias]

    async def publish(self, session: Session, packet: Publish | Will, key: str = "") -> Reason:
        """Publish to the topic, if the client may; returns when it is in the topic's history.

        Args:
            session: of the client.
            packet: what it sent.
            key: a second publication with this key, within an hour, is left out; "" for none.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        topic = self._topic
        if topic is None or str(topic) != packet.topic:  # most devices publish to one topic again and again
            topic = self._topic = resolve(packet.topic)
        if topic is None:
            return Reason.TOPIC_NAME_INVALID
        kind = type(topic).message
        if not packet.payload and packet.retain and kind is not bytes:
            return await self._forget(session, topic)
        try:
            data = decode(packet.payload, kind)
            if not await may_publish(topic, session.user, data):
                return Reason.NOT_AUTHORIZED
            info = ClientInfo(user=session.key[0], client=session.client_id)
            append = append_for(topic, data, tags=tags_of(packet), info=info, idempotency_key=key)
        except InvalidData:
            return Reason.PAYLOAD_FORMAT_INVALID
        if packet.topic not in self._router.names:
            await self._router.names.learn(packet.topic)
        if key:
            retention = dataclasses.replace(append.retention, idempotency_ttl=KEY_TTL)
            append = dataclasses.replace(append, retention=retention)
        await apublish_now(type(topic).store, append)
        return Reason.SUCCESS

    async def _forget(self, session: Session, topic: Any) -> Reason:
        """Remove what is retained: a topic of JSON has no publication that is empty."""
        if not await may_publish(topic, session.user, None):
            return Reason.NOT_AUTHORIZED
        await aremove_history(topic)
        return Reason.SUCCESS
