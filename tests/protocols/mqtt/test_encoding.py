"""Packets by the examples of the standard, byte for byte, and what cannot be written."""

from __future__ import annotations

from typing import Any

import pytest

from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import (
    V5,
    V311,
    ConnAck,
    Connect,
    Disconnect,
    PingResp,
    PubAck,
    Publish,
    PubRel,
    SubAck,
    UnsubAck,
    Will,
)

BYTES = [
    (V311, ConnAck(Reason.CLIENT_IDENTIFIER_NOT_VALID), "20020002"),
    (V311, ConnAck(0, True), "20020100"),
    (V311, ConnAck(Reason.QUOTA_EXCEEDED), "20020003"),
    (V5, ConnAck(Reason.NOT_AUTHORIZED), "2003008700"),
    (V5, ConnAck(0, False, {"receive_maximum": 20}), "200600000321" + "0014"),
    (V311, Publish("a/b", b"x", 1, True, False, 10), "3308" + "0003612f62" + "000a" + "78"),
    (
        V5,
        Publish("a", b"", 0, False, False, 0, {"subscription_identifier": [1, 128]}),
        "3009" + "000161" + "050b010b8001",
    ),
    (V5, PubAck(1), "40020001"),
    (V5, PubAck(1, 0x10), "4003000110"),
    (V311, PubRel(1), "62020001"),
    (V311, SubAck(1, [0, 2, 0x87]), "9005" + "0001" + "000280"),
    (V5, SubAck(1, [0, 0x87]), "9005" + "000100" + "0087"),
    (V311, UnsubAck(1, [0]), "b0020001"),
    (V5, UnsubAck(1, [0x11]), "b0040001" + "0011"),
    (V5, PingResp(), "d000"),
    (V5, Disconnect(), "e000"),
    (V5, Disconnect(0x8B), "e0028b00"),
    (
        V5,
        Connect("c", will=Will("w", b"x", 1, True)),
        "1015" + "00044d5154540 52e0000".replace(" ", "") + "00" + "000163" + "00" + "000177" + "000178",
    ),
]


@pytest.mark.parametrize(("version", "packet", "expected"), BYTES)
def test_a_packet_byte_by_byte(version: int, packet: Any, expected: str) -> None:
    assert encode_packet(packet, version).hex() == expected


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (Publish("t", b"", 1), "identifier is from 1 to 65535"),
        (Publish("t\0", b""), "U\\+0000"),
        (Publish("t" * 65536, b""), "at most 65535 bytes"),
        (Publish("t", b"", properties={"receive_maximum": 1}), "has no property 'receive_maximum'"),
        (Publish("\ud800", b""), "surrogates not allowed"),
        (Publish("t", bytes(268_435_455)), "from 0 to 268435455"),
    ],
)
def test_what_cannot_be_written_is_refused(packet: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode_packet(packet, V5)
