"""Publications of topics as PUBLISH packets, and back; what only MQTT knows is kept in one tag."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from channels.mqtt.session import Subscribed
from channels.protocols.centrifuge.messages import Publication
from channels.protocols.mqtt.packets import Publish, Will

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


def tags_of(publish: Publish | Will) -> dict[str, str]:
    """Return the tags of what a client publishes."""
    kept: dict[str, Any] = {
        name: publish.properties[name] for name in _HANDED_ON if name in publish.properties
    }
    correlation = kept.pop("correlation_data", b"")
    origin = Origin(publish.qos, publish.retain, correlation, kept)
    return {TAG: msgspec.json.encode(origin).decode()}


def origin_of(publication: Publication) -> Origin:
    """Return what a publication was as a PUBLISH."""
    text = publication.tags.get(TAG)
    if text is None:
        return _SERVER
    try:
        return msgspec.json.decode(text, type=Origin)
    except msgspec.MsgspecError:  # somebody else has given it a tag of this name
        return _SERVER


def publish_of(
    name: str, publication: Publication, subscribed: list[Subscribed], *, retained: bool
) -> Publish | None:
    """Return what a client gets of a publication; None for one that has expired.

    Args:
        name: of the topic.
        publication: what was published.
        subscribed: the subscriptions of the client that match.
        retained: it is sent because the client has just subscribed.
    """
    origin = origin_of(publication)
    properties: dict[str, Any] = dict(origin.properties)
    if "message_expiry_interval" in properties and publication.time:
        left = properties["message_expiry_interval"] - (time.time() - publication.time / 1000)
        if left <= 0:
            return None
        properties["message_expiry_interval"] = max(1, round(left))
    if origin.correlation_data:
        properties["correlation_data"] = origin.correlation_data
    if "user_property" in properties:
        properties["user_property"] = [tuple(pair) for pair in properties["user_property"]]
    if identifiers := [each.identifier for each in subscribed if each.identifier]:
        properties["subscription_identifier"] = identifiers
    qos = min(origin.qos, max(each.options.qos for each in subscribed))
    retain = retained or (origin.retain and any(each.options.retain_as_published for each in subscribed))
    return Publish(name, bytes(publication.data), qos, retain, properties=properties)
