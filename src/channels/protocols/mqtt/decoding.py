"""Packets from bytes: one function for each kind, and a table that says which, with which flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from channels.protocols.mqtt.codes import CONNECT_RETURN_CODES, MQTTError, Reason, malformed, protocol_error
from channels.protocols.mqtt.fields import FieldReader
from channels.protocols.mqtt.packets import (
    V5,
    V311,
    Acknowledgement,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from channels.protocols.mqtt.properties import Properties, read_properties
from channels.protocols.mqtt.topics import read_topic_name, split_filter

_Ack = TypeVar("_Ack", bound=Acknowledgement)
#: The names of the protocol by its level (3.1.1 and 5.0 section 3.1.2.1).
_NAMES = {3: "MQIsdp", V311: "MQTT", V5: "MQTT"}
_PUBLISH_REASONS = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASE_REASONS = frozenset({0x00, 0x92})
_SUBSCRIBE_REASONS = frozenset({0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2})
_UNSUBSCRIBE_REASONS = frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91})
_DISCONNECT_REASONS = frozenset({0x00, 0x04, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0xA3)}) - {
    0x91,
    0x92,
}
_CONNECT_REASONS = frozenset({0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, *range(0x97, 0x9E), 0x9F}) - {0x98}
_AUTH_REASONS = frozenset({0x00, 0x18, 0x19})


def _packet_id(reader: FieldReader) -> int:
    number = reader.u16()
    if not number:
        raise protocol_error("A packet identifier is 0.")
    return number


def _properties(reader: FieldReader, version: int, packet: str) -> Properties:
    return read_properties(reader, packet) if version == V5 else {}


def _reason(reader: FieldReader, allowed: frozenset[int]) -> int:
    reason = reader.integer(1)
    if reason not in allowed:
        raise malformed(f"There is no reason code 0x{reason:02X} in this packet.")
    return reason


def _connect(reader: FieldReader, flags: int, version: int) -> Connect:
    name, level = reader.text(), reader.integer(1)
    if _NAMES.get(level) != name or level not in (V311, V5):
        raise MQTTError(
            Reason.UNSUPPORTED_PROTOCOL_VERSION, f"MQTT 3.1.1 and 5.0 are spoken here, not {name} {level}."
        )
    bits, keep_alive = reader.integer(1), reader.integer(2)
    if bits & 1:
        raise malformed("The reserved flag of CONNECT is set.")
    properties = _properties(reader, level, "CONNECT")
    client_id = reader.text()
    will = _will(reader, bits, level)
    username = reader.text() if bits & 0x80 else None
    password = reader.binary() if bits & 0x40 else None
    if level == V311 and password is not None and username is None:
        raise malformed("CONNECT has a password without a user name.")
    return Connect(client_id, level, bool(bits & 2), keep_alive, username, password, will, properties)


def _will(reader: FieldReader, bits: int, version: int) -> Will | None:
    qos, retain = bits >> 3 & 3, bool(bits & 0x20)
    if not bits & 4:
        if qos or retain:
            raise malformed("CONNECT has flags of a will, and no will.")
        return None
    if qos == 3:
        raise malformed("A will has QoS 3.")
    properties = _properties(reader, version, "WILL")
    topic = read_topic_name(reader.binary())
    if not topic:
        raise malformed("The topic of a will is empty.")
    return Will(topic, reader.binary(), qos, retain, properties)


def _connack(reader: FieldReader, flags: int, version: int) -> ConnAck:
    acknowledge = reader.integer(1)
    if acknowledge > 1:
        raise malformed("Reserved flags of CONNACK are set.")
    if version != V5:
        code = reader.integer(1)
        known = {code: reason for reason, code in reversed(CONNECT_RETURN_CODES.items())}
        if code not in known:
            raise malformed(f"There is no return code {code}.")
        return ConnAck(known[code], bool(acknowledge))
    reason = _reason(reader, _CONNECT_REASONS)
    return ConnAck(reason, bool(acknowledge), read_properties(reader, "CONNACK"))


def _publish(reader: FieldReader, flags: int, version: int) -> Publish:
    qos, dup = flags >> 1 & 3, bool(flags & 8)
    if qos == 3:
        raise malformed("A PUBLISH has QoS 3.")
    if dup and not qos:
        raise malformed("A PUBLISH with QoS 0 is no duplicate.")
    topic = read_topic_name(reader.binary())
    packet_id = _packet_id(reader) if qos else 0
    properties = _properties(reader, version, "PUBLISH")
    if not topic and "topic_alias" not in properties:
        raise protocol_error("A PUBLISH has neither a topic nor an alias of one.")
    return Publish(topic, reader.rest(), qos, bool(flags & 1), dup, packet_id, properties)


def _acknowledgement(
    kind: type[_Ack], name: str, allowed: frozenset[int]
) -> Callable[[FieldReader, int, int], _Ack]:
    def decode(reader: FieldReader, flags: int, version: int) -> _Ack:
        packet_id = _packet_id(reader)
        if version != V5 or not reader.left:
            return kind(packet_id)
        reason = _reason(reader, allowed)
        return kind(packet_id, reason, read_properties(reader, name) if reader.left else {})

    return decode


def _subscribe(reader: FieldReader, flags: int, version: int) -> Subscribe:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, "SUBSCRIBE")
    subscriptions = []
    while reader.left:
        subscriptions.append(_subscription(reader, version))
    if not subscriptions:
        raise protocol_error("A SUBSCRIBE has no topic filter.")
    return Subscribe(packet_id, subscriptions, properties)


def _subscription(reader: FieldReader, version: int) -> Subscription:
    text = reader.text()
    group, _ = split_filter(text)
    options = reader.integer(1)
    qos, no_local, handling = options & 3, bool(options & 4), options >> 4 & 3
    if options & (0xC0 if version == V5 else 0xFC):
        raise malformed("Reserved options of a subscription are set.")
    if qos == 3:
        raise protocol_error("A subscription has QoS 3.") if version == V5 else malformed("QoS 3.")
    if handling == 3:
        raise protocol_error("A subscription has retain handling 3.")
    if no_local and group:
        raise protocol_error("A shared subscription is not local.")
    return Subscription(text, qos, no_local, bool(options & 8), handling)


def _suback(reader: FieldReader, flags: int, version: int) -> SubAck:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, "SUBACK")
    reasons = [_reason(reader, _SUBSCRIBE_REASONS) for _ in range(reader.left)]
    return SubAck(packet_id, reasons, properties)


def _unsubscribe(reader: FieldReader, flags: int, version: int) -> Unsubscribe:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, "UNSUBSCRIBE")
    filters = []
    while reader.left:
        filters.append(reader.text())
        split_filter(filters[-1])
    if not filters:
        raise protocol_error("An UNSUBSCRIBE has no topic filter.")
    return Unsubscribe(packet_id, filters, properties)


def _unsuback(reader: FieldReader, flags: int, version: int) -> UnsubAck:
    packet_id = _packet_id(reader)
    if version != V5:
        return UnsubAck(packet_id)
    properties = read_properties(reader, "UNSUBACK")
    return UnsubAck(
        packet_id, [_reason(reader, _UNSUBSCRIBE_REASONS) for _ in range(reader.left)], properties
    )


def _disconnect(reader: FieldReader, flags: int, version: int) -> Disconnect:
    if version != V5 or not reader.left:
        return Disconnect()
    reason = _reason(reader, _DISCONNECT_REASONS)
    return Disconnect(reason, read_properties(reader, "DISCONNECT") if reader.left else {})


def _auth(reader: FieldReader, flags: int, version: int) -> Auth:
    if version != V5:
        raise malformed("AUTH is of MQTT 5.0.")
    if not reader.left:
        return Auth()
    return Auth(_reason(reader, _AUTH_REASONS), read_properties(reader, "AUTH"))


class _Kind(NamedTuple):
    """How packets of one type are read.

    Attributes:
        flags: the only ones allowed in the fixed header; None: they mean something.
        decode: reads what follows.
    """

    flags: int | None
    decode: Callable[[FieldReader, int, int], Packet]


_KINDS = {
    1: _Kind(0, _connect),
    2: _Kind(0, _connack),
    3: _Kind(None, _publish),
    4: _Kind(0, _acknowledgement(PubAck, "PUBACK", _PUBLISH_REASONS)),
    5: _Kind(0, _acknowledgement(PubRec, "PUBREC", _PUBLISH_REASONS)),
    6: _Kind(2, _acknowledgement(PubRel, "PUBREL", _RELEASE_REASONS)),
    7: _Kind(0, _acknowledgement(PubComp, "PUBCOMP", _RELEASE_REASONS)),
    8: _Kind(2, _subscribe),
    9: _Kind(0, _suback),
    10: _Kind(2, _unsubscribe),
    11: _Kind(0, _unsuback),
    12: _Kind(0, lambda reader, flags, version: PingReq()),
    13: _Kind(0, lambda reader, flags, version: PingResp()),
    14: _Kind(0, _disconnect),
    15: _Kind(0, _auth),
}


def check_first_byte(first: int) -> None:
    """Refuse the first byte of a packet if its type or its flags are reserved."""
    kind = _KINDS.get(first >> 4)
    if kind is None:
        raise malformed("There is no packet of type 0.")
    if kind.flags is not None and first & 0x0F != kind.flags:
        raise malformed("Reserved flags of the fixed header are set.")


def _is_first_byte(first: int) -> bool:
    try:
        check_first_byte(first)
    except MQTTError:
        return False
    return True


#: The first bytes that :func:`check_first_byte` lets pass.
FIRST_BYTES = frozenset(filter(_is_first_byte, range(256)))


def decode_packet(first: int, body: bytes, version: int) -> Packet:
    """Return a packet.

    Args:
        first: the first byte of the fixed header.
        body: what follows the fixed header.
        version: 4 for 3.1.1, 5 for 5.0; CONNECT says its own.

    Raises:
        MQTTError: it is malformed.
    """
    check_first_byte(first)
    return decode_body(first, body, version)


def decode_body(first: int, body: bytes, version: int) -> Packet:
    """Return a packet whose first byte was checked already; else as :func:`decode_packet`."""
    reader = FieldReader(body)
    packet = _KINDS[first >> 4].decode(reader, first & 0x0F, version)
    reader.end()
    return packet
