"""Arguments and return values as JSON, with the place of what JSON cannot say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: Without this there is nothing beside the arguments.
_BESIDE: Final = '"traceparent"'


def encode(value: Any, name: str) -> str:
    """Return ``value`` as JSON.

    Tuples become lists, and bytes text, as ``django.tasks`` has it. What a worker would read otherwise than
    it was given is refused: keys that are no text, and numbers that JSON does not have.

    Args:
        value: what to encode.
        name: what it is called in an error, as ``args``.

    Raises:
        TypeError: JSON has no such type; the error names the place.
        ValueError: JSON has no such value; the error names the place.
    """
    return json.dumps(normalized(value, name), separators=(",", ":"), allow_nan=False)


def beside_of(arguments: str) -> dict[str, str]:
    """Return what travels beside a task, given its arguments as its row has them; nothing for most."""
    if _BESIDE not in arguments:
        return {}
    rest = json.loads(arguments)[2:]
    return rest[0] if rest and isinstance(rest[0], dict) else {}


def normalized(value: Any, place: str) -> Any:
    """Return ``value`` of JSON's types only; see :func:`encode` for what it raises."""
    match value:
        case str() | bool() | int() | None:
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{place} is {value}, which JSON does not have.")
            return value
        case bytes():
            return _text(value, place)
        case Mapping():
            return {_key(key, place): normalized(each, f"{place}[{key!r}]") for key, each in value.items()}
        case Sequence():
            return [normalized(each, f"{place}[{index}]") for index, each in enumerate(value)]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise TypeError(f"{place} is of type {kind}. Unsupported type: give a task what JSON has, such as an id.")


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place} has the key {key!r}. Unsupported type: keys are text in JSON.")
    return key


def _text(value: bytes, place: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{place} is bytes that are no UTF-8. Unsupported value: encode them first."
        ) from error
