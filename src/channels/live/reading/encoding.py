"""How a row becomes JSON: by a list of fields, or by a serializer of somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import Manager, Model
from django.db.models.fields.files import FieldFile

from channels.live.rows import Key
from channels.topics.payloads import InvalidData, encode

Encoder: TypeAlias = Callable[[Any], bytes]

#: The largest number that JavaScript tells from the next one.
LARGEST: Final = 2**53 - 1


def encoder_for(fields: Sequence[str], serializer: Any) -> Encoder:
    """Return what makes JSON of a row.

    Args:
        fields: dotted paths; used if there is no serializer.
        serializer: a serializer class of Django REST framework, a pydantic model, a Struct of msgspec, a
            dataclass, or a function of the row; None.
    """
    if serializer is None:
        return _Fields(fields)
    if hasattr(serializer, "to_representation"):
        return lambda row: encode(dict(serializer(row).data))
    if hasattr(serializer, "model_validate"):
        return lambda row: encode(serializer.model_validate(row, from_attributes=True), serializer)
    if isinstance(serializer, type):
        return lambda row: encode(msgspec.convert(row, serializer, from_attributes=True))
    return lambda row: encode(serializer(row))


def check_encoding(fields: Sequence[str], serializer: Any) -> None:
    """See that there is something to encode rows by.

    Raises:
        ImproperlyConfigured: there is not, or fields contradict each other.
    """
    if serializer is not None and not callable(serializer):
        raise ImproperlyConfigured(
            f"serializer is {serializer!r}; it is a serializer class of Django REST framework, a pydantic "
            "model, a msgspec Struct, a dataclass, or a function of the row."
        )
    if isinstance(fields, str) or (not fields and serializer is None):
        raise ImproperlyConfigured(f'fields is {fields!r}; write a list as ["id", "customer.name"].')
    for field in fields:
        longer = next((each for each in fields if each.startswith(f"{field}.")), None)
        if longer is not None:
            raise ImproperlyConfigured(f"fields has {field!r} and {longer!r}: it cannot be both.")


class _Fields:
    """Makes an object of fields, those of a relation within an object of its own."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._paths = [tuple(field.split(".")) for field in fields]

    def __call__(self, row: Any) -> bytes:
        found: dict[str, Any] = {}
        for path in self._paths:
            place = found
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = _value(row, path)
        return encode(found)


def _value(row: Any, path: Sequence[str]) -> Any:
    value = row
    for part in path:
        if value is None:
            return None
        value = getattr(value, part)
        if callable(value) and not isinstance(value, Manager):
            value = value()
    if isinstance(value, Manager):
        raise InvalidData(f"{'.'.join(path)} is many rows; use a serializer that says how to write them.")
    if isinstance(value, Model):
        return key_of(value.pk)
    return str(value) if isinstance(value, FieldFile) else value


def key_of(value: Any) -> Key:
    """Return a primary key as JSON, and who reads it, can tell it from others."""
    plain = isinstance(value, str) or (isinstance(value, int) and abs(value) <= LARGEST)
    return value if plain else str(value)


def relations_of(model: type[Model], fields: Sequence[str]) -> list[str]:
    """Return the relations to one row along fields, as ``select_related`` wants them."""
    found: dict[str, None] = {}
    for field in fields:
        current, way = model, []
        for part in field.split(".")[:-1]:
            try:
                relation: Any = current._meta.get_field(part)
            except FieldDoesNotExist:
                break
            if not (relation.many_to_one or relation.one_to_one):
                break
            current = relation.related_model
            way.append(part)
        if way:
            found["__".join(way)] = None
    return list(found)
