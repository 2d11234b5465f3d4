from __future__ import annotations

import pytest

from channels.protocols.mqtt.codes import MQTTError
from channels.protocols.mqtt.fields import FieldReader, write_binary, write_text, write_varint


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\x01"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ],
)
def test_a_variable_byte_integer_at_its_borders(number: int, data: bytes) -> None:
    assert write_varint(number) == data
    assert FieldReader(data).varint() == number


def test_fields_come_one_after_the_other() -> None:
    reader = FieldReader(write_text("ä") + write_binary(b"\0") + b"\x01\x02rest")
    assert (reader.text(), reader.binary(), reader.integer(2), reader.left) == ("ä", b"\0", 0x0102, 4)
    with pytest.raises(MQTTError, match="behind its last field"):
        reader.end()
    assert reader.rest() == b"rest"
    reader.end()


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\x01", b"\x80\x00", b"\x80"])
def test_no_variable_byte_integer(data: bytes) -> None:
    with pytest.raises(MQTTError):
        FieldReader(data).varint()
