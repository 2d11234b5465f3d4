"""Packets that are malformed or not allowed, with the reason code that the standard names."""

from __future__ import annotations

from typing import NamedTuple

from channels.protocols.mqtt.packets import V5, V311


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2) + data


def packet(first: int, body: bytes) -> bytes:
    length, out = len(body), bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        out.append(low | 0x80 if length else low)
        if not length:
            return bytes([first]) + bytes(out) + body


def connect(
    version: int = V5, bits: int = 2, name: str = "MQTT", properties: bytes = b"\0", rest: bytes = b""
) -> bytes:
    head = text(name) + bytes([version, bits, 0, 0])
    return packet(0x10, head + (properties if version == V5 else b"") + (rest or text("c")))


CONNECT = {V311: connect(V311), V5: connect()}


class Case(NamedTuple):
    """One line of the table.

    Attributes:
        statement: of the standard: 5.0's, or 3.1.1's where the version says so.
        what: in words.
        data: what the client sends, behind its CONNECT if that is not the case itself.
        reason: the code.
        version: of the CONNECT before it; 0: there is none.
    """

    statement: str
    what: str
    data: bytes
    reason: int
    version: int = V5


def prop(number: int, value: bytes) -> bytes:
    return bytes([number]) + value


def publish(flags: int = 0, topic: bytes | str = "t", rest: bytes = b"\0") -> bytes:
    return packet(0x30 | flags, text(topic) + rest)


def subscribe(options: int = 0, topic: bytes | str = "t", properties: bytes = b"\0") -> bytes:
    return packet(0x82, b"\0\1" + properties + text(topic) + bytes([options]))


def with_properties(properties: bytes) -> bytes:
    return connect(properties=bytes([len(properties)]) + properties)


MALFORMED, PROTOCOL = 0x81, 0x82

CASES = [
    Case("MQTT-2.1.3-1", "type 0", b"\x00\0", MALFORMED),
    Case("MQTT-2.1.3-1", "reserved flags of PINGREQ", b"\xc1\0", MALFORMED),
    Case("MQTT-2.1.3-1", "reserved flags of CONNECT", b"\x11\0", MALFORMED, 0),
    Case("MQTT-3.6.1-1", "flags of PUBREL that are not 2", packet(0x60, b"\0\1"), MALFORMED),
    Case("MQTT-3.8.1-1", "flags of SUBSCRIBE that are not 2", packet(0x80, b"\0\1\0\0\1t\0"), MALFORMED),
    Case("MQTT-3.10.1-1", "flags of UNSUBSCRIBE that are not 2", packet(0xA0, b"\0\1\0\0\1t"), MALFORMED),
    Case("MQTT-3.8.1-1", "flags of SUBSCRIBE that are not 2", packet(0x80, b"\0\1\0\1t\0"), MALFORMED, V311),
    Case("2.1.4", "a remaining length of five bytes", b"\x30\xff\xff\xff\xff\x01", MALFORMED),
    Case(
        "MQTT-1.5.5-1",
        "a length of properties with more bytes than it needs",
        publish(rest=b"\x80\0"),
        MALFORMED,
    ),
    Case("MQTT-2.2.1-2", "a packet identifier with QoS 0 is payload: no topic", publish(topic=""), PROTOCOL),
    Case("MQTT-2.2.1-3", "PUBLISH with packet identifier 0", publish(2, rest=b"\0\0\0"), PROTOCOL),
    Case("MQTT-2.2.1-3", "SUBSCRIBE with packet identifier 0", packet(0x82, b"\0\0\0\0\1t\0"), PROTOCOL),
    Case("MQTT-2.2.1-3", "UNSUBSCRIBE with packet identifier 0", packet(0xA2, b"\0\0\0\0\1t"), PROTOCOL),
    Case("MQTT-1.5.4-1", "a surrogate in UTF-8", publish(topic=b"\xed\xa0\x80"), MALFORMED),
    Case("MQTT-1.5.4-1", "no UTF-8", publish(topic=b"\xff"), MALFORMED),
    Case("MQTT-1.5.4-2", "U+0000", publish(topic=b"a\0b"), MALFORMED),
    Case("MQTT-1.5.3-2", "U+0000", publish(topic=b"a\0b", rest=b""), MALFORMED, V311),
    Case("2.2.2", "an unknown property", with_properties(prop(0x7F, b"\0")), MALFORMED, 0),
    Case("2.2.2", "a property of another packet", with_properties(prop(0x23, b"\0\1")), MALFORMED, 0),
    Case("2.2.2", "a property twice", with_properties(2 * prop(0x21, b"\0\1")), PROTOCOL, 0),
    Case(
        "2.2.2",
        "properties longer than the packet",
        with_properties(b"")[:-4] + b"\x7f" + text("c"),
        MALFORMED,
        0,
    ),
    Case("MQTT-3.1.0-1", "a packet before CONNECT", b"\xc0\0", PROTOCOL, 0),
    Case("MQTT-3.1.0-2", "a second CONNECT", connect(), PROTOCOL),
    Case("MQTT-3.1.0-2", "a second CONNECT", connect(V311), PROTOCOL, V311),
    Case("MQTT-3.1.2-1", "another protocol's name", connect(name="HTTP"), 0x84, 0),
    Case("MQTT-3.1.2-2", "version 6", connect(6), 0x84, 0),
    Case("MQTT-3.1.2-2", "version 3 (MQIsdp)", connect(3, name="MQIsdp"), 0x84, 0),
    Case("MQTT-3.1.2-3", "the reserved flag", connect(bits=3), MALFORMED, 0),
    Case("MQTT-3.1.2-3", "the reserved flag", connect(V311, bits=3), MALFORMED, 0),
    Case("MQTT-3.1.2-11", "QoS of a will without a will", connect(bits=0x0A), MALFORMED, 0),
    Case("MQTT-3.1.2-13", "retain of a will without a will", connect(bits=0x22), MALFORMED, 0),
    Case(
        "MQTT-3.1.2-12",
        "a will with QoS 3",
        connect(bits=0x1E, rest=text("c") + b"\0" + text("w") + text("")),
        MALFORMED,
        0,
    ),
    Case("MQTT-3.1.2-9", "a will flag without a will", connect(bits=6), MALFORMED, 0),
    Case("MQTT-3.1.2-17", "a user name flag without one", connect(bits=0x82), MALFORMED, 0),
    Case("MQTT-3.1.2-16", "a user name without its flag", connect(rest=text("c") + text("u")), MALFORMED, 0),
    Case(
        "MQTT-3.1.2-19",
        "a password flag without one",
        connect(bits=0xC2, rest=text("c") + text("u")),
        MALFORMED,
        0,
    ),
    Case(
        "MQTT-3.1.2-22",
        "a password without a user name",
        connect(V311, bits=0x42, rest=text("c") + text("p")),
        MALFORMED,
        0,
    ),
    Case(
        "MQTT-3.1.3-11",
        "a will's topic with a surrogate",
        connect(bits=6, rest=text("c") + b"\0" + text(b"\xed\xa0\x80") + text("")),
        MALFORMED,
        0,
    ),
    Case("3.1.2.11.3", "receive maximum 0", with_properties(prop(0x21, b"\0\0")), PROTOCOL, 0),
    Case("3.1.2.11.4", "maximum packet size 0", with_properties(prop(0x27, bytes(4))), PROTOCOL, 0),
    Case("3.1.2.11.6", "request response information 2", with_properties(prop(0x19, b"\2")), PROTOCOL, 0),
    Case("3.1.2.11.7", "request problem information 2", with_properties(prop(0x17, b"\2")), PROTOCOL, 0),
    Case(
        "3.1.2.11.10",
        "authentication data without a method",
        with_properties(prop(0x16, text("x"))),
        PROTOCOL,
        0,
    ),
    Case("MQTT-3.3.1-2", "a duplicate with QoS 0", publish(8), MALFORMED),
    Case("MQTT-3.3.1-4", "QoS 3", publish(6, rest=b"\0\1\0"), MALFORMED),
    Case("MQTT-3.3.1-4", "QoS 3", publish(6, rest=b"\0\1"), MALFORMED, V311),
    Case("MQTT-3.3.2-2", "a topic with #", publish(topic="a/#"), MALFORMED),
    Case("MQTT-3.3.2-2", "a topic with +", publish(topic="a/+/b", rest=b""), MALFORMED, V311),
    Case("MQTT-4.7.3-1", "an empty topic without an alias", publish(topic=""), PROTOCOL),
    Case("MQTT-3.3.2-8", "topic alias 0", publish(rest=b"\3" + prop(0x23, b"\0\0")), 0x94),
    Case("3.3.2.3.2", "payload format 2", publish(rest=b"\2" + prop(1, b"\2")), PROTOCOL),
    Case(
        "MQTT-3.3.2-14", "a response topic with wildcards", publish(rest=b"\4" + prop(8, text("#"))), PROTOCOL
    ),
    Case("3.3.2.3.8", "subscription identifier 0", subscribe(properties=b"\2" + prop(0x0B, b"\0")), PROTOCOL),
    Case(
        "3.8.2.1.2",
        "two subscription identifiers",
        subscribe(properties=b"\4" + 2 * prop(0x0B, b"\1")),
        PROTOCOL,
    ),
    Case("3.4.2.1", "an unknown reason in PUBACK", packet(0x40, b"\0\1\x42\0"), MALFORMED),
    Case("MQTT-3.8.3-2", "SUBSCRIBE without a filter", packet(0x82, b"\0\1\0"), PROTOCOL),
    Case("MQTT-3.8.3-3", "SUBSCRIBE without a filter", packet(0x82, b"\0\1"), PROTOCOL, V311),
    Case("MQTT-3.8.3-5", "reserved options of a subscription", subscribe(0x40), MALFORMED),
    Case(
        "MQTT-3-8.3-4",
        "reserved options of a subscription",
        packet(0x82, b"\0\1" + text("t") + b"\4"),
        MALFORMED,
        V311,
    ),
    Case("3.8.3.1", "a subscription with QoS 3", subscribe(3), PROTOCOL),
    Case("3.8.3.1", "retain handling 3", subscribe(0x30), PROTOCOL),
    Case("MQTT-3.8.3-4", "no local of a shared subscription", subscribe(4, "$share/g/t"), PROTOCOL),
    Case("MQTT-4.8.2-1", "a shared subscription without a name", subscribe(topic="$share//t"), MALFORMED),
    Case("MQTT-4.8.2-2", "a shared subscription without a filter", subscribe(topic="$share/g"), MALFORMED),
    Case("MQTT-4.7.1-1", "# that is not the last level", subscribe(topic="a/#/b"), MALFORMED),
    Case("MQTT-4.7.1-1", "# beside a letter", subscribe(topic="a/b#"), MALFORMED),
    Case("MQTT-4.7.1-2", "+ beside a letter", subscribe(topic="a+/b"), MALFORMED),
    Case("MQTT-4.7.3-1", "an empty filter", subscribe(topic=""), MALFORMED),
    Case("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter", packet(0xA2, b"\0\1\0"), PROTOCOL),
    Case(
        "MQTT-3.10.3-1",
        "UNSUBSCRIBE from what is no UTF-8",
        packet(0xA2, b"\0\1\0" + text(b"\xff")),
        MALFORMED,
    ),
    Case("3.2", "a CONNACK of a client", packet(0x20, b"\0\0\0"), PROTOCOL),
    Case("3.9", "a SUBACK of a client", packet(0x90, b"\0\1\0\0"), PROTOCOL),
    Case("3.14.2.1", "an unknown reason in DISCONNECT", packet(0xE0, b"\x42\0"), MALFORMED),
    Case("3.15", "AUTH in 3.1.1", packet(0xF0, b""), MALFORMED, V311),
    Case("MQTT-3.15.1-1", "flags of AUTH", b"\xf1\0", MALFORMED),
    Case("MQTT-3.14.1-1", "flags of DISCONNECT", b"\xe1\0", MALFORMED),
    Case("4.13.1", "a packet that ends within a field", packet(0x82, b"\0"), MALFORMED),
    Case("4.13.1", "bytes behind the last field", packet(0xC0, b"\0"), MALFORMED),
    Case("MQTT-3.2.2-15", "a packet above the maximum", b"\x30\xff\xff\x7f", 0x95),
    # Text that is no UTF-8, wherever text may be.
    Case("MQTT-3.1.3-4", "a client identifier that is no UTF-8", connect(rest=text(b"\xff")), MALFORMED, 0),
    Case(
        "MQTT-3.1.3-12",
        "a user name that is no UTF-8",
        connect(bits=0x82, rest=text("c") + text(b"\xff")),
        MALFORMED,
        0,
    ),
    Case("MQTT-3.8.3-1", "SUBSCRIBE to what is no UTF-8", subscribe(topic=b"\xff"), MALFORMED),
    Case(
        "MQTT-3.3.2-13",
        "a response topic that is no UTF-8",
        publish(rest=b"\4" + prop(8, text(b"\xff"))),
        MALFORMED,
    ),
    Case(
        "MQTT-3.3.2-19",
        "a content type that is no UTF-8",
        publish(rest=b"\4" + prop(3, text(b"\xff"))),
        MALFORMED,
    ),
    Case(
        "MQTT-1.5.7-1",
        "a user property that is no UTF-8",
        publish(rest=b"\7" + prop(0x26, text("a") + text(b"\xff"))),
        MALFORMED,
    ),
    # What is there may not be.
    Case(
        "MQTT-3.1.2-18",
        "a password without its flag",
        connect(bits=0x82, rest=text("c") + text("u") + text("p")),
        MALFORMED,
        0,
    ),
    Case(
        "MQTT-3.1.3-3", "no client identifier at all", connect()[:1] + b"\x0b" + connect()[2:-3], MALFORMED, 0
    ),
    Case(
        "MQTT-3.3.4-6",
        "a subscription identifier in PUBLISH",
        publish(rest=b"\2" + prop(0x0B, b"\1")),
        PROTOCOL,
    ),
]
