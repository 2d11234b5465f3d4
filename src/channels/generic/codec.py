"""JSON text for WebSocket consumers: msgspec's speed, whatever ``json`` accepts, Django's types.

msgspec reads and writes what is plain. What it refuses goes to the standard library, so
that NaN, keys that are not text or subclasses of str behave as they always did.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import msgspec
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise

MAX_PATH: Final = 32  # levels an error message walks down


def _plain(value: Any) -> Any:
    """Turn what msgspec does not know into something it does (its ``enc_hook``)."""
    if isinstance(value, Promise | str):
        return str.__str__(str(value))
    raise NotImplementedError


_encoder: Final = msgspec.json.Encoder(enc_hook=_plain)
_decoder: Final = msgspec.json.Decoder()
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def encode(content: Any) -> str:
    """Return ``content`` as JSON text.

    Accepted are what ``json.dumps`` accepts and datetime, date, time, timedelta, Decimal,
    UUID and lazy strings.

    Raises:
        TypeError: something in it cannot be JSON; the text names the path to it.
    """
    try:
        text = _encoder.encode(content)
        # msgspec would write all values of a QueryDict, where json writes the last ones.
        if b'":[' in text and _holds_multiple_values(content):
            return _encode_slowly(content)
    except (TypeError, ValueError, NotImplementedError, RecursionError):
        return _encode_slowly(content)
    if b"null" in text and _holds_nonfinite(content):  # msgspec would turn NaN into null
        return _encode_slowly(content)
    return text.decode()


def _holds_multiple_values(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        value = value.values()
    elif kind is not list and kind is not tuple:
        return isinstance(value, MultiValueDict)
    return any(type(child) not in _SCALARS and _holds_multiple_values(child) for child in value)


def _holds_nonfinite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return any(_holds_nonfinite(child) for _, child in _children(value))


def _encode_slowly(content: Any) -> str:
    try:
        return json.dumps(content, cls=DjangoJSONEncoder, separators=(",", ":"))
    except TypeError as error:
        path, culprit = find_culprit(content)
        raise TypeError(
            f"Object of type {type(culprit).__name__} at {path} is not JSON serializable; "
            "convert it before send_json(), or override encode_json()."
        ) from error


def decode(text: str | bytes) -> Any:
    """Return what JSON text means; raises json.JSONDecodeError (a ValueError) if it means nothing."""
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(text)


def find_culprit(content: Any, path: str = "$") -> tuple[str, Any]:
    """Return the path (``$.a[0].b``) to the first value, or key, that cannot be JSON, and that value."""
    if path.count(".") + path.count("[") < MAX_PATH:
        for step, child in _children(content):
            if not _encodable(child):
                return find_culprit(child, path + step)
        for key in content if isinstance(content, dict) else ():
            if not _encodable({key: 0}):
                return f"{path} (as a key)", key
    return path, content


def _children(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, dict):
        return [(f".{key}", value) for key, value in content.items()]
    if isinstance(content, list | tuple):
        return [(f"[{index}]", value) for index, value in enumerate(content)]
    return []


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, cls=DjangoJSONEncoder)
    except (TypeError, ValueError):
        return False
    return True
