"""Publications of topics as PUBLISH packets, and back; what only MQTT knows is kept in one tag."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from channels.mqtt.session import Subscribed
from channels.mqtt.stored.record import Mark
from channels.protocols.centrifuge.messages import Publication
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import Publish, Will
from channels.protocols.mqtt.properties import Properties

#: The tag of a publication that came over MQTT: JSON.
TAG: Final = "mqtt"
#: Properties of a PUBLISH that are handed on as they are (5.0 section 3.3.2.3).
_HANDED_ON: Final = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
    "user_property",
)


class Origin(msgspec.Struct, omit_defaults=True, frozen=True):
    """What a publication was as a PUBLISH.

    Attributes:
        qos: what it was published with; one of the server is worth any that was granted.
        retain: its flag.
        correlation_data: in JSON they are base64.
        properties: the others that are handed on.
    """

    qos: int = 2
    retain: bool = False
    correlation_data: bytes = b""
    properties: dict[str, Any] = {}


_SERVER: Final = Origin()


def _text_of(origin: Origin) -> str:
    return msgspec.json.encode(origin).decode()


#: The tag of what has no properties, as most have none, by QoS and the retain flag.
_WITHOUT_PROPERTIES: Final = {
    (qos, retain): _text_of(Origin(qos, retain)) for qos in range(3) for retain in (False, True)
}


def tags_of(publish: Publish | Will) -> dict[str, str]:
    """Return the tags of what a client publishes."""
    if not publish.properties:
        return {TAG: _WITHOUT_PROPERTIES[publish.qos, publish.retain]}
    kept: dict[str, Any] = {
        name: publish.properties[name] for name in _HANDED_ON if name in publish.properties
    }
    correlation = kept.pop("correlation_data", b"")
    origin = Origin(publish.qos, publish.retain, correlation, kept)
    return {TAG: _text_of(origin)}


def origin_of(publication: Publication) -> Origin:
    """Return what a publication was as a PUBLISH."""
    text = publication.tags.get(TAG)
    if text is None:
        return _SERVER
    try:
        return msgspec.json.decode(text, type=Origin)
    except msgspec.MsgspecError:  # somebody else has given it a tag of this name
        return _SERVER


class Outgoing:
    """A publication on its way to sessions: what is the same for all of them is made once.

    Args:
        name: of the topic.
        publication: what was published.

    Attributes:
        properties: of the packet; None if the publication has expired.
        sender: the client that has published it; "" if none has.
    """

    __slots__ = ("_encoded", "_name", "_publication", "_qos", "_retain", "properties", "sender")

    def __init__(self, name: str, publication: Publication) -> None:
        origin = origin_of(publication)
        self._name, self._publication = name, publication
        self._qos, self._retain = origin.qos, origin.retain
        self._encoded: dict[int, bytes] = {}
        self.properties = _properties_of(origin, publication)
        self.sender = "" if publication.info is None else publication.info.client

    @property
    def mark(self) -> Mark | None:
        """Where its topic has it; None if it has no history."""
        found = self._publication
        return Mark(found.offset, found.epoch, found.time) if found.offset else None

    def encoded(self, version: int) -> bytes:
        """Return the packet as most get it: QoS 0, and nothing that belongs to one subscription."""
        data = self._encoded.get(version)
        if data is None:
            packet = Publish(self._name, bytes(self._publication.data), properties=self.properties or {})
            data = self._encoded[version] = encode_packet(packet, version)
        return data

    def is_plain(self, subscribed: list[Subscribed]) -> bool:
        """Whether a session with these subscriptions gets what :meth:`encoded` returns."""
        if len(subscribed) != 1 or subscribed[0].identifier:
            return False
        options = subscribed[0].options
        return not (options.qos and self._qos) and not (self._retain and options.retain_as_published)

    def publish(self, subscribed: list[Subscribed], *, retained: bool) -> Publish:
        """Return the packet for one client.

        Args:
            subscribed: the subscriptions of the client that match.
            retained: it is sent because the client has just subscribed.
        """
        properties = dict(self.properties or {})
        if identifiers := [each.identifier for each in subscribed if each.identifier]:
            properties["subscription_identifier"] = identifiers
        qos = min(self._qos, max(each.options.qos for each in subscribed))
        retain = retained or (self._retain and any(each.options.retain_as_published for each in subscribed))
        return Publish(self._name, bytes(self._publication.data), qos, retain, properties=properties)


def _properties_of(origin: Origin, publication: Publication) -> Properties | None:
    """Return the properties of a publication; None if it has expired."""
    properties: Properties = dict(origin.properties)
    if "message_expiry_interval" in properties and publication.time:
        left = properties["message_expiry_interval"] - (time.time() - publication.time / 1000)
        if left <= 0:
            return None
        properties["message_expiry_interval"] = max(1, round(left))
    if origin.correlation_data:
        properties["correlation_data"] = origin.correlation_data
    if "user_property" in properties:
        properties["user_property"] = [tuple(pair) for pair in properties["user_property"]]
    return properties
