"""Packets to bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.protocols.mqtt.codes import CONNECT_RETURN_CODES, Reason
from channels.protocols.mqtt.fields import write_binary, write_text, write_varint
from channels.protocols.mqtt.packets import (
    V5,
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
    UnsubAck,
    Unsubscribe,
    Will,
)
from channels.protocols.mqtt.properties import Properties, write_properties


def _properties(properties: Properties, version: int, packet: str) -> bytes:
    return write_properties(properties, packet) if version == V5 else b""


def _packet_id(number: int) -> bytes:
    if not 0 < number <= 0xFFFF:
        raise ValueError(f"A packet identifier is from 1 to 65535, not {number}.")
    return number.to_bytes(2)


def _connect(packet: Connect, version: int) -> tuple[int, bytes]:
    bits = packet.clean_start << 1 | (packet.username is not None) << 7 | (packet.password is not None) << 6
    if (will := packet.will) is not None:
        bits |= 4 | will.qos << 3 | will.retain << 5
    body = write_text("MQTT") + bytes([packet.version, bits]) + packet.keep_alive.to_bytes(2)
    body += _properties(packet.properties, packet.version, "CONNECT") + write_text(packet.client_id)
    body += _will(will, packet.version)
    body += b"" if packet.username is None else write_text(packet.username)
    return 0x10, body + (b"" if packet.password is None else write_binary(packet.password))


def _will(will: Will | None, version: int) -> bytes:
    if will is None:
        return b""
    properties = _properties(will.properties, version, "WILL")
    return properties + write_text(will.topic) + write_binary(will.payload)


def _connack(packet: ConnAck, version: int) -> tuple[int, bytes]:
    if version == V5:
        reason = bytes([packet.session_present, packet.reason])
        return 0x20, reason + write_properties(packet.properties, "CONNACK")
    code = CONNECT_RETURN_CODES.get(Reason(packet.reason), 3)
    return 0x20, bytes([packet.session_present, code])


def _publish(packet: Publish, version: int) -> tuple[int, bytes]:
    body = write_text(packet.topic)
    if packet.qos:
        body += _packet_id(packet.packet_id)
    first = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
    return first, body + _properties(packet.properties, version, "PUBLISH") + packet.payload


def _acknowledgement(first: int, name: str) -> Callable[[Acknowledgement, int], tuple[int, bytes]]:
    def encode(packet: Acknowledgement, version: int) -> tuple[int, bytes]:
        body = _packet_id(packet.packet_id)
        if version != V5 or not (packet.reason or packet.properties):
            return first, body
        more = write_properties(packet.properties, name) if packet.properties else b""
        return first, body + bytes([packet.reason]) + more

    return encode


def _subscribe(packet: Subscribe, version: int) -> tuple[int, bytes]:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, "SUBSCRIBE")
    for each in packet.subscriptions:
        options = each.qos | each.no_local << 2 | each.retain_as_published << 3 | each.retain_handling << 4
        body += write_text(each.filter) + bytes([options])
    return 0x82, body


def _suback(packet: SubAck, version: int) -> tuple[int, bytes]:
    reasons = packet.reasons if version == V5 else [min(reason, 0x80) for reason in packet.reasons]
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, "SUBACK")
    return 0x90, body + bytes(reasons)


def _unsubscribe(packet: Unsubscribe, version: int) -> tuple[int, bytes]:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, "UNSUBSCRIBE")
    return 0xA2, body + b"".join(map(write_text, packet.filters))


def _unsuback(packet: UnsubAck, version: int) -> tuple[int, bytes]:
    body = _packet_id(packet.packet_id)
    if version != V5:
        return 0xB0, body
    return 0xB0, body + write_properties(packet.properties, "UNSUBACK") + bytes(packet.reasons)


def _reason_alone(first: int, name: str) -> Callable[[Disconnect | Auth, int], tuple[int, bytes]]:
    def encode(packet: Disconnect | Auth, version: int) -> tuple[int, bytes]:
        if version != V5 or not (packet.reason or packet.properties):
            return first, b""
        return first, bytes([packet.reason]) + write_properties(packet.properties, name)

    return encode


_ENCODERS: dict[type[Packet], Callable[[Any, int], tuple[int, bytes]]] = {
    Connect: _connect,
    ConnAck: _connack,
    Publish: _publish,
    PubAck: _acknowledgement(0x40, "PUBACK"),
    PubRec: _acknowledgement(0x50, "PUBREC"),
    PubRel: _acknowledgement(0x62, "PUBREL"),
    PubComp: _acknowledgement(0x70, "PUBCOMP"),
    Subscribe: _subscribe,
    SubAck: _suback,
    Unsubscribe: _unsubscribe,
    UnsubAck: _unsuback,
    PingReq: lambda packet, version: (0xC0, b""),
    PingResp: lambda packet, version: (0xD0, b""),
    Disconnect: _reason_alone(0xE0, "DISCONNECT"),
    Auth: _reason_alone(0xF0, "AUTH"),
}


def encode_packet(packet: Packet, version: int) -> bytes:
    """Return a packet as bytes.

    Args:
        packet: the packet.
        version: 4 for 3.1.1, 5 for 5.0; CONNECT says its own.

    Raises:
        ValueError: a field holds what cannot be written.
    """
    first, body = _ENCODERS[type(packet)](packet, version)
    if len(body) < 0x80:  # without a call for it: each acknowledgement (row "mqtt-publish-50")
        return bytes((first, len(body))) + body
    return bytes([first]) + write_varint(len(body)) + body


def puback(packet_id: int) -> bytes:
    """Return PUBACK with the reason success, as both versions write it.

    Args:
        packet_id: of a PUBLISH that was read, so that it is in range.
    """
    return b"\x40\x02" + packet_id.to_bytes(2)
