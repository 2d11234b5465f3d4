"""Numbers on the wire."""

import pytest

from channels.protocols.centrifuge.messages import Scalar
from channels.protocols.centrifuge.varints import FROM_WIRE, TO_WIRE, decode_varint, encode_varint

BYTES = {
    0: b"\0",
    1: b"\x01",
    127: b"\x7f",
    128: b"\x80\x01",
    300: b"\xac\x02",
    16383: b"\xff\x7f",
    16384: b"\x80\x80\x01",
    2**64 - 1: b"\xff" * 9 + b"\x01",
}


@pytest.mark.parametrize("number", BYTES)
def test_numbers_are_written_seven_bits_a_byte(number):
    assert encode_varint(number) == BYTES[number]
    assert decode_varint(b"x" + BYTES[number] + b"x", 1) == (number, 1 + len(BYTES[number]))


def test_more_bytes_than_needed_are_read():
    assert decode_varint(b"\x81\x80\x00", 0) == (1, 3)


def test_bits_over_64_are_lost():
    assert decode_varint(b"\xff" * 9 + b"\x7f", 0) == (2**64 - 1, 10)


def test_no_number_has_more_than_ten_bytes():
    with pytest.raises(OverflowError, match="10 bytes"):
        decode_varint(b"\x80" * 10 + b"\x01", 0)
    with pytest.raises(IndexError):
        decode_varint(b"\x80", 0)


VALUES = [
    (Scalar.INT32, -1, 2**64 - 1),
    (Scalar.INT32, -(2**31), 2**64 - 2**31),
    (Scalar.INT64, -(2**63), 2**63),
    (Scalar.UINT32, 2**32 - 1, 2**32 - 1),
    (Scalar.UINT64, 2**63 - 1, 2**63 - 1),
    (Scalar.SINT64, 0, 0),
    (Scalar.SINT64, -1, 1),
    (Scalar.SINT64, 1, 2),
    (Scalar.SINT64, 2**63 - 1, 2**64 - 2),
    (Scalar.SINT64, -(2**63), 2**64 - 1),
    (bool, True, 1),
]


@pytest.mark.parametrize(("kind", "value", "number"), VALUES)
def test_types_differ_in_what_is_written(kind, value, number):
    assert TO_WIRE[kind](value) == number
    assert FROM_WIRE[kind](number) == value


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (Scalar.INT32, 2**31),
        (Scalar.INT32, 2**64 - 2**31 - 1),
        (Scalar.UINT32, 2**32),
        (Scalar.UINT64, 2**63),
    ],
)
def test_what_is_out_of_range_is_refused(kind, number):
    with pytest.raises(OverflowError, match="between"):
        FROM_WIRE[kind](number)


def test_any_number_but_zero_is_true():
    assert FROM_WIRE[bool](300) is True
