from __future__ import annotations

import pytest

from channels.protocols.mqtt.codes import MQTTError, Reason
from channels.protocols.mqtt.decoding import check_first_byte, decode_packet
from channels.protocols.mqtt.packets import V5, V311, ConnAck, Connect, PubAck, Will
from tests.protocols.mqtt.cases import text


def test_a_connect_with_all_that_there_may_be() -> None:
    body = (
        text("MQTT") + b"\x05\xee\0\x3c" + b"\x05\x11\0\0\0\x0a" + text("c")
        + b"\x05\x18\0\0\0\x05" + text("w/t") + text("gone") + text("u") + text(b"\xff")
    )  # fmt: skip
    will = Will("w/t", b"gone", 1, True, {"will_delay_interval": 5})
    expected = Connect("c", V5, True, 60, "u", b"\xff", will, {"session_expiry_interval": 10})
    assert decode_packet(0x10, body, V5) == expected


def test_a_password_may_come_alone_in_5() -> None:
    body = text("MQTT") + b"\x05\x42\0\0\0" + text("c") + text("token")
    assert decode_packet(0x10, body, V5) == Connect("c", password=b"token")


def test_an_acknowledgement_may_end_behind_its_identifier_or_its_reason() -> None:
    assert decode_packet(0x40, b"\0\1", V5) == PubAck(1)
    assert decode_packet(0x40, b"\0\1\x10", V5) == PubAck(1, 0x10)
    assert decode_packet(0x40, b"\0\1", V311) == PubAck(1)


def test_a_return_code_of_3_1_1_is_told_as_its_reason() -> None:
    assert decode_packet(0x20, b"\0\4", V311) == ConnAck(Reason.BAD_USER_NAME_OR_PASSWORD)
    for body in (b"\0\x09", b"\2\0"):
        with pytest.raises(MQTTError):
            decode_packet(0x20, body, V311)


def test_the_first_byte_alone_may_be_enough() -> None:
    check_first_byte(0x3D)
    with pytest.raises(MQTTError, match="type 0"):
        check_first_byte(0x00)
