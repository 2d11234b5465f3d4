"""What a publication, an RPC or a connect request holds: JSON, of the type that a topic asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from django.utils.functional import Promise

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.json_codec import json_payload

_ANY: Final = (None, Any)
#: How far down in a payload a value is looked for that cannot be written.
_DEEPEST: Final = 20


class InvalidData(ChannelsError, ValueError):
    """Data are not of the type that a topic or an RPC asks for; the message names the field."""


def encode(data: Any, kind: Any = None) -> bytes:
    """Return ``data`` as JSON.

    Args:
        data: an instance of ``kind``, or what can be converted to one; JSON types, dates, UUIDs, Decimals,
            dataclasses and Structs without a ``kind``. ``msgspec.Raw`` is JSON already.
        kind: a msgspec Struct, dataclass, TypedDict, pydantic model or any type that msgspec knows; ``bytes``
            for data that are bytes, and are left as they are.

    Raises:
        InvalidData: it is not of that kind, or cannot be written as JSON.
    """
    if kind is bytes:
        return require_bytes(data)
    try:
        if isinstance(data, msgspec.Raw):
            return bytes(json_payload(data))
        if _is_pydantic(kind):
            model = data if isinstance(data, kind) else kind.model_validate(data)
            return bytes(model.model_dump_json().encode())
        if kind not in _ANY and not _is_instance(data, kind):
            data = msgspec.convert(data, kind, from_attributes=True)
        # Checked, as a Raw within it may hold anything: whoever gets it would see a broken frame.
        return bytes(json_payload(msgspec.json.encode(data, enc_hook=_encode_special)))
    except (msgspec.ValidationError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidData(_explain(error) + _place(data)) from error


def _place(data: Any) -> str:
    """Say where in dicts and lists is what cannot be written; "" where that is not known."""
    path, found = "$", data
    for _ in range(_DEEPEST):
        for key, value in _children(found):
            if not _is_writable(value):
                path, found = f"{path}{key}", value
                break
        else:
            break
    return "" if path == "$" else f" - at `{path}`"


def _children(data: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(data, Mapping):
        return ((f".{key}", value) for key, value in data.items())
    if isinstance(data, list | tuple):
        return ((f"[{index}]", value) for index, value in enumerate(data))
    return ()


def _is_writable(value: Any) -> bool:
    try:
        msgspec.json.encode(value, enc_hook=_encode_special)
    except Exception:
        return False
    return True


def decode(raw: bytes, kind: Any = None) -> Any:
    """Return what JSON says, as ``kind``.

    Raises:
        InvalidData: it is no JSON, or not of that kind.
    """
    if kind is bytes:
        return raw
    try:
        if _is_pydantic(kind):
            return kind.model_validate_json(raw)
        return msgspec.json.decode(raw or b"null", type=Any if kind is None else kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidData(_explain(error)) from error


def require_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a publication, which are texts; raises InvalidData if they are not."""
    for text in itertools.chain(tags, tags.values()):
        if not isinstance(text, str):
            raise InvalidData(f"Tags are texts by texts, got {type(text).__name__}.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidData(f"A tag has no form in UTF-8: {error.reason}.") from error
    return dict(tags)


def require_bytes(data: Any) -> bytes:
    """Return ``data`` as bytes; raises InvalidData if it is nothing of that kind."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise InvalidData(f"This topic takes bytes, got {type(data).__name__}.")


def _is_pydantic(kind: Any) -> bool:
    return hasattr(kind, "model_validate_json")


def _is_instance(data: Any, kind: Any) -> bool:
    return isinstance(kind, type) and not hasattr(kind, "__total__") and type(data) is kind


def _encode_special(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} cannot be written as JSON")


def _explain(error: Exception) -> str:
    """Say what was wrong and where, without what was sent."""
    errors = getattr(error, "errors", None)  # pydantic's say it best one by one
    if callable(errors):
        first = errors(include_input=False, include_url=False)[0]
        return f"{first['msg']} - at `$.{'.'.join(map(str, first['loc']))}`"
    return str(error) or type(error).__name__
