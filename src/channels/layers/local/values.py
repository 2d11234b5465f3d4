"""Which values travel through a layer, and how a receiver gets a copy of its own."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from channels import telemetry
from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers.local.carried import CarriedMessage
from channels.typing import Message

#: Types whose values can be shared between receivers; anything else is copied for each.
IMMUTABLE: Final[frozenset[type]] = frozenset(
    {str, bytes, int, float, bool, type(None), decimal.Decimal, uuid.UUID}
    | {datetime.datetime, datetime.date, datetime.time, datetime.timedelta}
)
_SUBCLASSABLE: Final = tuple(IMMUTABLE)


def copy_message(message: Message) -> Message:
    """Return a copy that shares nothing changeable with ``message``.

    Raises:
        TypeError: a value cannot travel through a layer; the text names the path to it.
    """
    try:
        values = message.values()
    except AttributeError:  # a backend that takes anything
        copied: Message = _copy(message, "")
        return copied
    if telemetry.carry is not None and isinstance(message, CarriedMessage):
        return CarriedMessage(copy_message(dict(message)), message.beside)
    for value in values:
        if type(value) not in IMMUTABLE:
            return {key: _copy_item(key, item) for key, item in message.items()}
    return dict(message)


def _copy_item(key: object, value: Any) -> Any:
    try:
        return _copy(value, str(key))
    except RecursionError as error:
        raise nested_too_deeply(key) from error


def nested_too_deeply(key: object) -> TypeError:
    """Return the error for a value that contains itself, or as good as that."""
    return TypeError(f"The value at message[{key!r}] contains itself, or is nested too deeply to be sent.")


def copier(message: Message) -> Callable[[Message], Message]:
    """Return what makes copies of ``message`` like :func:`copy_message`, for many receivers of the same."""
    if telemetry.carry is not None and isinstance(message, CarriedMessage):
        return copy_message
    flat = all(type(value) in IMMUTABLE for value in message.values())
    return dict if flat else copy_message


def _copy(value: Any, path: str) -> Any:
    if isinstance(value, _SUBCLASSABLE):
        return value
    if isinstance(value, dict):
        return {key: _copy(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        copied = [_copy(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return copied if isinstance(value, list) else tuple(copied)
    if isinstance(value, set | frozenset):
        members = {_copy(item, f"{path}{{}}") for item in value}
        return members if isinstance(value, set) else frozenset(members)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise cannot_travel(
        value,
        path,
        " For tests of code that only ever runs in memory: CONFIG['deep_copy'] (CHANNEL_LAYERS) of "
        "InMemoryChannelLayer lets anything through.",
    )


def cannot_travel(value: object, path: str, also: str = "") -> TypeError:
    """Return the error for a value, found at ``path``, that no layer carries; ``also`` ends its text."""
    return TypeError(
        f"{type(value).__name__} at message[{path!r}] cannot travel through a channel layer; "
        f"send what identifies it (a primary key, say) or plain values.{also}"
    )


class Copies:
    """How a receiver gets a message of its own: what travels through every layer, or anything.

    Attributes:
        copy: returns a copy of a message.
        copier: returns what makes copies of a message for many receivers.
    """

    __slots__ = ("copier", "copy")

    def __init__(self, deep: bool = False) -> None:
        self.copy: Callable[[Any], Any] = deepcopy if deep else copy_message
        self.copier: Callable[[Any], Callable[[Any], Any]] = (lambda message: deepcopy) if deep else copier


def require_message(message: object) -> None:
    """Raise InvalidMessageError unless ``message`` is a dict."""
    if not isinstance(message, dict):
        raise InvalidMessageError(
            f"message is not a dict but {type(message).__name__}; send {{'type': 'handler.name', ...}}."
        )


def too_large(message: object, size: int, limit: int, layer: str) -> MessageTooLarge:
    """Return the error for a message of ``size`` bytes where ``layer`` carries ``limit``."""
    kind = message.get("type") if isinstance(message, dict) else type(message).__name__
    return MessageTooLarge(
        f"A message of type {kind!r} has {size} bytes, {layer} carries {limit} (CONFIG['max_message_size']). "
        "Send where the data can be found instead."
    )
