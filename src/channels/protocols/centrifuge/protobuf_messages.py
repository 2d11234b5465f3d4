"""Messages to and from Protobuf, by tables of their fields.

Written, each field that is not zero is its tag and its value. When messages are read, the frame goes from
function to function with where to begin and where to stop, so that nothing is copied; what a peer can make us
do is linear in the size of its frame, and how deeply we recurse has a bound.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeAlias, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from channels.protocols.centrifuge.codec import MAX_FILTER_DEPTH, EncodingError, ProtocolError
from channels.protocols.centrifuge.messages import WireMessage
from channels.protocols.centrifuge.schema import LENGTH, VARINT, Field, fields_of
from channels.protocols.centrifuge.varints import FROM_WIRE, TO_WIRE, decode_varint, encode_varint

_M = TypeVar("_M", bound=WireMessage)
_P = ParamSpec("_P")
_R = TypeVar("_R")
_Write: TypeAlias = Callable[[Any], bytes]


def encode_message(message: WireMessage) -> bytes:
    """A message without its length.

    Raises:
        EncodingError: a number is out of its range, or a text has no form in UTF-8.
    """
    try:
        return _encode(message)
    except UnicodeEncodeError:
        raise EncodingError("a text has no form in UTF-8") from None
    except OverflowError as error:
        raise EncodingError(str(error)) from None


def delimited(data: bytes) -> bytes:
    """Some bytes behind their length."""
    return encode_varint(len(data)) + data


def _encode(message: WireMessage) -> bytes:
    # All zeros are false, and absent.
    pairs = zip(astuple(message), _writers(type(message)), strict=True)
    return b"".join([write(value) for value, write in pairs if value])


@functools.cache
def _writers(message: type[WireMessage]) -> tuple[_Write, ...]:
    return tuple(_writer(field) for field in fields_of(message))


def _writer(field: Field) -> _Write:
    if field.mapped:
        return _map_writer(field)
    write = _value_writer(field.number, field.kind)
    if field.repeated:
        return lambda values: b"".join(map(write, values))
    return write


def _map_writer(field: Field) -> _Write:
    """Write a map as a list of entries, which are messages with a key and a value."""
    tag = tag_of(field.number, LENGTH)
    write_key, write_value = _value_writer(1, str), _value_writer(2, field.kind)

    def write(values: dict[str, Any]) -> bytes:
        entries = [write_key(key) + write_value(value) for key, value in values.items()]
        return b"".join([tag + delimited(entry) for entry in entries])

    return write


_TO_BYTES: Final[dict[Any, Callable[[Any], bytes]]] = {str: str.encode, Raw: bytes}


def _value_writer(number: int, kind: Any) -> _Write:
    if kind in TO_WIRE:
        tag, to_wire = tag_of(number, VARINT), TO_WIRE[kind]
        return lambda value: tag + encode_varint(to_wire(value))
    tag, to_bytes = tag_of(number, LENGTH), _TO_BYTES.get(kind, _encode)
    return lambda value: tag + delimited(to_bytes(value))


def tag_of(number: int, wire_type: int) -> bytes:
    """What stands before a value: the number of its field, and how it is written."""
    return encode_varint(number << 3 | wire_type)


_FIXED_SIZES: Final = {1: 8, 5: 4}  # by wire type; the schema has none
_TAGS: Final = range(8, 2**32)
#: Messages within messages: the deepest filter, and what it stands in.
_MAX_DEPTH: Final = MAX_FILTER_DEPTH + 4

#: Reads one value: from the frame, its begin and its end, and how many messages it is within.
_Read: TypeAlias = Callable[[bytes, int, int, int], Any]
#: Puts a value that was read to those of a message, under a name.
_Keep: TypeAlias = Callable[[dict[str, Any], str, Any], None]


class _Slot(NamedTuple):
    """A field as it is read.

    Attributes:
        name: of the attribute.
        read: how one value is read, if it has a length.
        from_varint: what is made of a number, if it has none.
        keep: how several values are kept; None if the last one counts.
    """

    name: str
    read: _Read | None
    from_varint: Callable[[int], Any]
    keep: _Keep | None


class _Plan(NamedTuple):
    """How a message is read: what each tag means, and which fields must not be absent."""

    slots: dict[int, _Slot]
    required: tuple[Field, ...]


def decode_message(message: type[_M], data: bytes) -> _M:
    """Read a message without its length.

    Raises:
        ProtocolError: it is not one.
    """
    return _refusing(_message, message, data, 0, len(data), 0)


def decode_delimited(message: type[_M], frame: bytes) -> list[_M]:
    """Read messages, each behind its length, up to the end.

    Raises:
        ProtocolError: they are not of this type.
    """
    return _refusing(_all_messages, message, frame)


def _refusing(read: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    try:
        return read(*args, **kwargs)
    except IndexError:
        raise _truncated() from None
    except UnicodeDecodeError:
        raise ProtocolError("a text is not UTF-8") from None
    except OverflowError as error:
        raise ProtocolError(str(error)) from None


def _truncated() -> ProtocolError:
    return ProtocolError("a field or message is longer than what it stands in")


def _all_messages(message: type[_M], frame: bytes) -> list[_M]:
    messages, position, end = [], 0, len(frame)
    while position < end:
        size, position = decode_varint(frame, position)
        stop = position + size
        if stop > end:
            raise _truncated()
        messages.append(_message(message, frame, position, stop, 0))
        position = stop
    return messages


def _message(message: type[_M], data: bytes, position: int, end: int, depth: int) -> _M:
    plan = _plan(message)
    values = _values(plan.slots, data, position, end, depth)
    for field in plan.required:
        if field.name not in values:
            values[field.name] = field.absent()
    return message(**values)


def _values(slots: dict[int, _Slot], data: bytes, position: int, end: int, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise ProtocolError("the frame is nested too deeply")
    values: dict[str, Any] = {}
    while position < end:
        tag, position = data[position], position + 1
        if (
            tag > 127
        ):  # most tags and lengths are one byte: asked here, a command is read in two thirds of the time
            tag, position = decode_varint(data, position - 1)
        if tag not in slots:
            position = _skip(tag, data, position)
            continue
        name, read, from_varint, keep = slots[tag]
        number, position = data[position], position + 1
        if number > 127:
            number, position = decode_varint(data, position - 1)
        if read is None:
            values[name] = from_varint(number)
            continue
        stop = position + number
        if stop > end:
            raise _truncated()
        value = read(data, position, stop, depth)
        if keep is None:
            values[name] = value
        else:
            keep(values, name, value)
        position = stop
    if position > end:
        raise _truncated()
    return values


def _skip(tag: int, data: bytes, position: int) -> int:
    """Where a field ends that is not known."""
    wire_type = tag & 7
    if tag in _TAGS and wire_type in _FIXED_SIZES:
        return position + _FIXED_SIZES[wire_type]
    if tag in _TAGS and wire_type in (VARINT, LENGTH):
        number, position = decode_varint(data, position)
        return position + number if wire_type == LENGTH else position
    raise ProtocolError("a field has a tag that is not valid")


@functools.cache
def _plan(message: type[WireMessage]) -> _Plan:
    fields = fields_of(message)
    required = {info.name for info in msgspec.structs.fields(message) if info.required}
    return _Plan(dict(map(_slot, fields)), tuple(field for field in fields if field.name in required))


def _slot(field: Field) -> tuple[int, _Slot]:
    if field.kind in FROM_WIRE:
        return field.number << 3 | VARINT, _Slot(field.name, None, FROM_WIRE[field.kind], None)
    read = _entry_reader(field.kind) if field.mapped else _value_reader(field.kind)
    return field.number << 3 | LENGTH, _Slot(field.name, read, int, _keeper(field))


def _keeper(field: Field) -> _Keep | None:
    if field.mapped:
        return _keep_entry
    if field.repeated:
        return _keep_another
    return None if field.kind in (str, Raw) else _keep_only


def _value_reader(kind: Any) -> _Read:
    if kind is str:
        return lambda data, position, stop, depth: data[position:stop].decode()
    if kind is Raw:
        return lambda data, position, stop, depth: Raw(data[position:stop])
    return lambda data, position, stop, depth: _message(kind, data, position, stop, depth + 1)


def _entry_reader(kind: Any) -> _Read:
    """Read an entry of a map, which is a message with a key and a value."""
    read_value = _value_reader(kind)
    slots = {
        1 << 3 | LENGTH: _Slot("key", _value_reader(str), int, None),
        2 << 3 | LENGTH: _Slot("value", read_value, int, None if kind is str else _keep_only),
    }

    def read(data: bytes, position: int, stop: int, depth: int) -> tuple[str, Any]:
        values = _values(slots, data, position, stop, depth + 1)
        if "value" not in values:
            values["value"] = read_value(data, stop, stop, depth)
        return values.get("key", ""), values["value"]

    return read


def _keep_another(values: dict[str, Any], name: str, value: Any) -> None:
    values.setdefault(name, []).append(value)


def _keep_entry(values: dict[str, Any], name: str, entry: tuple[str, Any]) -> None:
    values.setdefault(name, {})[entry[0]] = entry[1]


def _keep_only(values: dict[str, Any], name: str, value: Any) -> None:
    if name in values:  # others merge the two; no client sends it
        raise ProtocolError("a message is there twice where there can be one")
    values[name] = value
