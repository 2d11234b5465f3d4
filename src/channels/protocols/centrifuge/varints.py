"""Numbers as Protobuf writes them: varints, and what each of its types makes of an integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from channels.protocols.centrifuge.messages import Scalar

_SMALL: Final = tuple(bytes([number]) for number in range(128))
_ALL_BITS: Final = 2**64 - 1
_MAX_BYTES: Final = 10


def encode_varint(number: int) -> bytes:
    """The bytes of a number, 0 to 2**64 - 1: seven bits each, the lowest first."""
    if number < 128:
        return _SMALL[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number; the bits over 64 are lost, as everywhere.

    Returns:
        The number, and the position behind it.

    Raises:
        IndexError: it goes on behind the end.
        OverflowError: it has more than ten bytes.
    """
    number = 0
    for place in range(_MAX_BYTES):
        byte = data[position + place]
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number & _ALL_BITS, position + place + 1
    raise OverflowError(f"a varint has more than {_MAX_BYTES} bytes")


def _within(low: int, high: int) -> Callable[[int], int]:
    def check(number: int) -> int:
        if low <= number <= high:
            return number
        raise OverflowError(f"a number is not between {low} and {high}")

    return check


_int32: Final = _within(-(2**31), 2**31 - 1)
_int64: Final = _within(-(2**63), 2**63 - 1)
_uint32: Final = _within(0, 2**32 - 1)
_uint64: Final = _within(0, 2**63 - 1)  # as in messages


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


#: From a value to the number that is written; OverflowError if it is out of the range of its type.
TO_WIRE: Final[dict[Any, Callable[[Any], int]]] = {
    bool: int,
    Scalar.INT32: lambda number: _int32(number) & _ALL_BITS,
    Scalar.INT64: lambda number: _int64(number) & _ALL_BITS,
    Scalar.UINT32: _uint32,
    Scalar.UINT64: _uint64,
    Scalar.SINT64: lambda number: _zigzag(_int64(number)),
}
#: From a number that was read to its value; OverflowError if it is out of the range of its type.
FROM_WIRE: Final[dict[Any, Callable[[int], Any]]] = {
    bool: bool,
    Scalar.INT32: lambda number: _int32(_signed(number)),
    Scalar.INT64: _signed,
    Scalar.UINT32: _uint32,
    Scalar.UINT64: _uint64,
    Scalar.SINT64: lambda number: (number >> 1) ^ -(number & 1),
}
