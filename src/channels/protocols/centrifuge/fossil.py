"""Deltas in the format of Fossil: what turns one version of some bytes into the next.

A delta is the target's length and a line feed, then commands, each after a number: ``COUNT@OFFSET,``
copies from the source, ``COUNT:`` inserts the bytes behind it, and ``CHECKSUM;`` ends the delta. Numbers are
written in base 64, the most significant digit first. The checksum is the sum of the target's big-endian words
of 32 bits.

A change is mostly in one place, so what source and target have in common at both ends is found first, by
comparing large pieces. Only what is between them is looked up in blocks of the source. The work has a bound
however little the two have in common; behind it bytes are inserted as they are.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Bytes that :func:`apply_delta` makes at most, unless its caller says otherwise.
MAX_TARGET: Final = 16 * 1024 * 1024

_BLOCK: Final = 16  # bytes of the source that are looked up together
_MAX_BLOCKS: Final = 4096  # of one source; in a source above 64 KiB there are gaps between them
_MAX_LOOKUPS: Final = 16384  # of blocks, for one delta
_LOOKUPS_PER_COPY: Final = 32  # a copy takes as long as so many lookups
_WORTH: Final = 10  # bytes from which a copy is shorter than what it copies, another insert's head included
_FIRST_STEP: Final = 32  # bytes that are compared first, then twice as many

_DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_LENGTH: Final = re.compile(rb"([0-9A-Z_a-z~]{1,6})\n")
_COMMAND: Final = re.compile(rb"([0-9A-Z_a-z~]{1,6})(?:@([0-9A-Z_a-z~]{1,6}),|([:;]))")


class DeltaError(ValueError):
    """A delta is malformed, is too large, or belongs to another source.

    Args:
        args: the sentence for people; it never shows the bytes.
    """


class _Copy(NamedTuple):
    """Bytes ``start`` to ``end`` of the target, which are in the source from ``offset`` on."""

    start: int
    end: int
    offset: int


def create_delta(source: bytes, target: bytes) -> bytes:
    """Return a delta that makes ``target`` from ``source``.

    It may be longer than the target where the two have little in common.

    Args:
        source: the bytes that whoever applies the delta has.
        target: the bytes that it is to have.
    """
    return _write(target, _copies(source, target))


def create_binary_delta(source: bytes, target: bytes) -> bytes | None:
    """Return a delta that is shorter than ``target``, or None: then the target is to be sent as it is.

    Args:
        source: the bytes that whoever applies the delta has.
        target: the bytes that it is to have.
    """
    delta = create_delta(source, target)
    return delta if len(delta) < len(target) else None


def create_text_delta(source: bytes, target: bytes) -> bytes | None:
    """Return a delta that is UTF-8 as the target is, or None: then the target is to be sent as it is.

    Copies and inserts begin and end between characters, so that the delta can travel in a JSON string.

    Args:
        source: the bytes that whoever applies the delta has.
        target: the bytes that it is to have; None is returned if they are no UTF-8.
    """
    if target.isascii():
        return create_binary_delta(source, target)
    try:
        target.decode()
    except UnicodeDecodeError:
        return None
    delta = _write(target, (_between_characters(copy, target) for copy in _copies(source, target)))
    return delta if len(delta) < len(target) else None


def apply_delta(source: bytes, delta: bytes, *, limit: int = MAX_TARGET) -> bytes:
    """Return the target that a delta makes from its source.

    Args:
        source: the bytes that the delta was made for.
        delta: the delta; it may come from anybody.
        limit: bytes that the target may have.

    Raises:
        DeltaError: the delta is malformed, its target is longer than ``limit``, or the source is another one.
    """
    length = _LENGTH.match(delta)
    if length is None:
        raise DeltaError("The delta does not begin with the length of its target.")
    size = _value(length[1])
    if size > limit:
        raise DeltaError(f"The delta makes {size} bytes; {limit} are allowed.")
    target, checksum = _run_commands(source, delta, length.end(), size)
    if len(target) != size:
        raise DeltaError(f"The delta made {len(target)} bytes and had announced {size}.")
    if _checksum(target) != checksum:
        raise DeltaError("The checksum is wrong: the delta was made for another source, or was changed.")
    return target


# -- reading


def _run_commands(source: bytes, delta: bytes, position: int, size: int) -> tuple[bytes, int]:
    """Return what the commands make, of ``size`` bytes at most, and the checksum at their end."""
    pieces: list[bytes] = []
    room = size
    while (command := _COMMAND.match(delta, position)) is not None:
        number, position = _value(command[1]), command.end()
        if command[3] == b";":
            _demand(position == len(delta), "the end of the delta", position)
            return b"".join(pieces), number
        room -= number
        _demand(room >= 0, "no more bytes than announced", position)
        if command[3] is None:
            offset = _value(command[2])
            piece = source[offset : offset + number]
        else:
            piece = delta[position : position + number]
            position += number
        _demand(len(piece) == number, "bytes that are there", position)
        pieces.append(piece)
    raise DeltaError(f"Expected a command at byte {position} of the delta.")


def _demand(holds: bool, what: str, position: int) -> None:
    if not holds:
        raise DeltaError(f"Expected {what} at byte {position} of the delta.")


def _value(digits: bytes) -> int:
    value = 0
    for digit in digits:
        value = value << 6 | _VALUES[digit]
    return value


# -- writing


def _write(target: bytes, copies: Iterator[_Copy]) -> bytes:
    """Return the delta that copies what is worth it and inserts the rest."""
    parts = [_number(len(target)), b"\n"]
    done = 0
    for start, end, offset in copies:
        if end - start < _WORTH:
            continue
        _insert(parts, target[done:start])
        parts += (_number(end - start), b"@", _number(offset), b",")
        done = end
    _insert(parts, target[done:])
    parts += (_number(_checksum(target)), b";")
    return b"".join(parts)


def _insert(parts: list[bytes], piece: bytes) -> None:
    if piece:
        parts += (_number(len(piece)), b":", piece)


def _number(value: int) -> bytes:
    digits = bytearray((_DIGITS[value & 63],))
    while value := value >> 6:
        digits.append(_DIGITS[value & 63])
    digits.reverse()
    return bytes(digits)


def _checksum(data: bytes) -> int:
    words = array("I", data + bytes(-len(data) % 4))
    if sys.byteorder == "little":
        words.byteswap()
    return sum(words) & 0xFFFFFFFF


def _between_characters(copy: _Copy, target: bytes) -> _Copy:
    """Return the part of a copy that begins and ends between characters of the target."""
    start, end, offset = copy
    while start < end and _is_inside_character(target, start):
        start, offset = start + 1, offset + 1
    while start < end and _is_inside_character(target, end):
        end -= 1
    return _Copy(start, end, offset)


def _is_inside_character(text: bytes, position: int) -> bool:
    return position < len(text) and text[position] & 0xC0 == 0x80


# -- finding what is in both


def _copies(source: bytes, target: bytes) -> Iterator[_Copy]:
    """Yield what the target has from the source, in the target's order and without overlaps."""
    start = _equal_bytes(source, 0, target, 0)
    yield _Copy(0, start, 0)
    tail = _equal_bytes(source[start:][::-1], 0, target[start:][::-1], 0)
    end = len(target) - tail
    if end - start >= _BLOCK:
        yield from _copies_by_blocks(source, target, start, end)
    yield _Copy(end, len(target), len(source) - tail)


def _equal_bytes(source: bytes, offset: int, target: bytes, start: int) -> int:
    """Return how many bytes are equal from ``offset`` and ``start`` on; few take little time."""
    most = min(len(source) - offset, len(target) - start)
    equal, step = 0, _FIRST_STEP
    while source[offset + equal : offset + equal + step] == target[start + equal : start + equal + step]:
        equal += step
        step *= 2
        if equal >= most:
            return most
    differs = min(equal + step, most)
    while equal < differs:  # what is before `equal` is the same, something before `differs` may not be
        middle = (equal + differs + 1) // 2
        if source[offset + equal : offset + middle] == target[start + equal : start + middle]:
            equal = middle
        else:
            differs = middle - 1
    return equal


def _copies_by_blocks(source: bytes, target: bytes, start: int, end: int) -> Iterator[_Copy]:
    """Yield what the target has between ``start`` and ``end`` from anywhere in the source, by blocks."""
    gap = max(_BLOCK, -(-len(source) // _MAX_BLOCKS))
    last = len(source) - _BLOCK
    # The first of equal blocks stays, as it is written last.
    blocks = {source[at : at + _BLOCK]: at for at in range(last - last % gap, -1, -gap)} if last >= 0 else {}
    position, done, shift, lookups = start, start, 0, _MAX_LOOKUPS
    while position + _BLOCK <= end and lookups > 0:
        offset = blocks.get(target[position : position + _BLOCK])
        lookups -= 1
        if offset is None:
            position += 1
            continue
        copy = _extend(
            source, target, _longest(source, target, position, (offset, position + shift)), (done, end)
        )
        yield copy
        position, done, shift = copy.end, copy.end, copy.offset - copy.start
        lookups -= _LOOKUPS_PER_COPY


def _longest(source: bytes, target: bytes, start: int, offsets: tuple[int, int]) -> _Copy:
    """Return the longer of what begins at the block found and what goes on where the last copy ended.

    Where a document repeats itself a block is found at the first of its places, mostly the wrong one.
    """
    found = [
        _Copy(start, start + _equal_bytes(source, offset, target, start), offset)
        for offset in offsets
        if 0 <= offset < len(source)
    ]
    return max(found, key=lambda copy: copy.end)


def _extend(source: bytes, target: bytes, copy: _Copy, within: tuple[int, int]) -> _Copy:
    """Return a copy with the equal bytes before it, within what is still to be made."""
    start, end, offset = copy
    while start > within[0] and offset > 0 and source[offset - 1] == target[start - 1]:
        start, offset = start - 1, offset - 1
    return _Copy(start, min(end, within[1]), offset)
