"""The properties of MQTT 5.0 (section 2.2.2) as a table: number, name, type, packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from channels.protocols.mqtt.codes import MQTTError, Reason, malformed, protocol_error
from channels.protocols.mqtt.fields import FieldReader, write_binary, write_text, write_varint

#: By name; user_property is a list of pairs, subscription_identifier a list of numbers.
Properties: TypeAlias = dict[str, Any]


class _Type(NamedTuple):
    """How values are read and written."""

    read: Callable[[FieldReader], Any]
    write: Callable[[Any], bytes]


def _number(size: int) -> _Type:
    return _Type(lambda reader: reader.integer(size), lambda value: int(value).to_bytes(size))


def _read_bit(reader: FieldReader) -> int:
    value = reader.integer(1)
    if value > 1:
        raise protocol_error("A property that is 0 or 1 has another value.")
    return value


def _read_positive(read: Callable[[FieldReader], int]) -> Callable[[FieldReader], int]:
    def read_positive(reader: FieldReader) -> int:
        value = read(reader)
        if not value:
            raise protocol_error("A property that must not be 0 is 0.")
        return value

    return read_positive


def _read_alias(reader: FieldReader) -> int:
    alias = reader.integer(2)
    if not alias:
        raise MQTTError(Reason.TOPIC_ALIAS_INVALID, "A topic alias is 0.")
    return alias


def _read_topic(reader: FieldReader) -> str:
    topic = reader.text()
    if "+" in topic or "#" in topic:
        raise protocol_error("A response topic has wildcards.")
    return topic


BIT = _Type(_read_bit, lambda value: bytes([value]))
U16, U32 = _number(2), _number(4)
U16_POSITIVE = _Type(_read_positive(U16.read), U16.write)
U32_POSITIVE = _Type(_read_positive(U32.read), U32.write)
VARINT_POSITIVE = _Type(_read_positive(FieldReader.varint), write_varint)
ALIAS = _Type(_read_alias, U16.write)
TEXT = _Type(FieldReader.text, write_text)
TOPIC = _Type(_read_topic, write_text)
BINARY = _Type(FieldReader.binary, write_binary)
PAIR = _Type(
    lambda reader: (reader.text(), reader.text()), lambda pair: write_text(pair[0]) + write_text(pair[1])
)

_ANSWERS = "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"
_ALL = f"{_ANSWERS} CONNECT PUBLISH SUBSCRIBE UNSUBSCRIBE WILL"
#: name: number, type, packets
_TABLE: dict[str, tuple[int, _Type, str]] = {
    "payload_format_indicator": (0x01, BIT, "PUBLISH WILL"),
    "message_expiry_interval": (0x02, U32, "PUBLISH WILL"),
    "content_type": (0x03, TEXT, "PUBLISH WILL"),
    "response_topic": (0x08, TOPIC, "PUBLISH WILL"),
    "correlation_data": (0x09, BINARY, "PUBLISH WILL"),
    "subscription_identifier": (0x0B, VARINT_POSITIVE, "PUBLISH SUBSCRIBE"),
    "session_expiry_interval": (0x11, U32, "CONNECT CONNACK DISCONNECT"),
    "assigned_client_identifier": (0x12, TEXT, "CONNACK"),
    "server_keep_alive": (0x13, U16, "CONNACK"),
    "authentication_method": (0x15, TEXT, "CONNECT CONNACK AUTH"),
    "authentication_data": (0x16, BINARY, "CONNECT CONNACK AUTH"),
    "request_problem_information": (0x17, BIT, "CONNECT"),
    "will_delay_interval": (0x18, U32, "WILL"),
    "request_response_information": (0x19, BIT, "CONNECT"),
    "response_information": (0x1A, TEXT, "CONNACK"),
    "server_reference": (0x1C, TEXT, "CONNACK DISCONNECT"),
    "reason_string": (0x1F, TEXT, _ANSWERS),
    "receive_maximum": (0x21, U16_POSITIVE, "CONNECT CONNACK"),
    "topic_alias_maximum": (0x22, U16, "CONNECT CONNACK"),
    "topic_alias": (0x23, ALIAS, "PUBLISH"),
    "maximum_qos": (0x24, BIT, "CONNACK"),
    "retain_available": (0x25, BIT, "CONNACK"),
    "user_property": (0x26, PAIR, _ALL),
    "maximum_packet_size": (0x27, U32_POSITIVE, "CONNECT CONNACK"),
    "wildcard_subscription_available": (0x28, BIT, "CONNACK"),
    "subscription_identifier_available": (0x29, BIT, "CONNACK"),
    "shared_subscription_available": (0x2A, BIT, "CONNACK"),
}


class Property(NamedTuple):
    """One line of the table."""

    name: str
    number: int
    type: _Type
    packets: frozenset[str]


PROPERTIES = {name: Property(name, row[0], row[1], frozenset(row[2].split())) for name, row in _TABLE.items()}
_BY_NUMBER = {each.number: each for each in PROPERTIES.values()}


def _repeats(name: str, packet: str) -> bool:
    return name == "user_property" or (name == "subscription_identifier" and packet == "PUBLISH")


def read_properties(reader: FieldReader, packet: str) -> Properties:
    """Read the properties of a packet.

    Args:
        reader: at their length.
        packet: the packet's name, or ``WILL``.

    Raises:
        MQTTError: one is unknown, not of this packet, comes twice, or has a value that it may not have.
    """
    found: Properties = {}
    size = reader.varint()
    if not size:
        return found
    fields = FieldReader(reader.take(size))
    while fields.left:
        each = _BY_NUMBER.get(fields.varint())
        if each is None or packet not in each.packets:
            raise malformed(f"A {packet} has a property that it may not have.")
        value = each.type.read(fields)
        if _repeats(each.name, packet):
            found.setdefault(each.name, []).append(value)
        elif each.name in found:
            raise protocol_error(f"A {packet} has {each.name} twice.")
        else:
            found[each.name] = value
    if "authentication_data" in found and "authentication_method" not in found:
        raise protocol_error("There are authentication data without a method.")
    return found


def write_properties(properties: Mapping[str, Any], packet: str) -> bytes:
    """Return the properties of a packet, behind their length.

    Raises:
        ValueError: one is unknown or not of this packet, or a value cannot be written.
    """
    out = bytearray()
    for name, value in properties.items():
        each = PROPERTIES.get(name)
        if each is None or packet not in each.packets:
            raise ValueError(f"A {packet} has no property {name!r}.")
        for one in value if _repeats(name, packet) else (value,):
            out += bytes([each.number]) + each.type.write(one)
    return write_varint(len(out)) + bytes(out)
