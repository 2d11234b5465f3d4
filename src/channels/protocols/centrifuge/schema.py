"""The fields of each message, read once from the annotations in ``messages``."""

from __future__ import annotations

import functools
import typing
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from channels.protocols.centrifuge.messages import EMPTY, Scalar, WireMessage

#: The two of Protobuf's wire types that the schema needs.
VARINT: Final = 0
LENGTH: Final = 2


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        name: on the wire in JSON, and of the attribute.
        number: on the wire in Protobuf.
        kind: what one value is: str, bool, Raw, a type of numbers or of messages. Of a map, of its values;
            the keys of maps are text.
        repeated: it is a list of values.
        mapped: it is a map of values.
        zero: what it is when it is absent.
    """

    name: str
    number: int
    kind: Any
    repeated: bool
    mapped: bool
    zero: Any

    @property
    def many(self) -> bool:
        """Whether it is a list or a map."""
        return self.repeated or self.mapped

    def absent(self) -> Any:
        """Its value where it is absent: zero, or a new list or map."""
        return self.zero() if self.many else self.zero


@functools.cache
def fields_of(message: type[WireMessage]) -> tuple[Field, ...]:
    """The fields of a type of messages, in the order of the attributes."""
    hints = typing.get_type_hints(message, include_extras=True)
    return tuple(_field(field.name, hints[field.name]) for field in msgspec.structs.fields(message))


def _field(name: str, hint: Any) -> Field:
    declared, *metadata = typing.get_args(hint)
    number = next(item for item in metadata if type(item) is int)
    scalar = next((item for item in metadata if isinstance(item, Scalar)), None)
    origin, args = typing.get_origin(declared), typing.get_args(declared)
    if origin in (list, dict):
        return Field(name, number, args[-1], origin is list, origin is dict, origin)
    kind = scalar or (args[0] if args else declared)
    return Field(
        name, number, kind, repeated=False, mapped=False, zero=_ZEROS.get(kind, 0 if scalar else None)
    )


_ZEROS: dict[Any, Any] = {str: "", bool: False, Raw: EMPTY}


@functools.cache
def _with_payloads(message: type[WireMessage]) -> tuple[tuple[str, bool, bool], ...]:
    """The fields that hold payloads: the name, whether it is a payload itself, whether there are many."""
    fields = [field for field in fields_of(message) if _may_hold_payloads(field.kind)]
    return tuple((field.name, field.kind is Raw, field.many) for field in fields)


def _may_hold_payloads(kind: Any) -> bool:
    if kind is Raw:
        return True
    if not (isinstance(kind, type) and issubclass(kind, WireMessage)):
        return False
    return any(field.kind is not kind and _may_hold_payloads(field.kind) for field in fields_of(kind))


def payloads_of(message: WireMessage) -> list[Raw]:
    """All payloads within a message."""
    found: list[Raw] = []
    _collect(message, found)
    return found


def _collect(message: WireMessage, found: list[Raw]) -> None:
    for name, is_payload, is_many in _with_payloads(type(message)):
        value = getattr(message, name)
        if is_payload:
            if value is not EMPTY:
                found.append(value)
        elif is_many:
            for one in value.values() if type(value) is dict else value:
                _collect(one, found)
        elif value is not None:
            _collect(value, found)
