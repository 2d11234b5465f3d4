"""Messages as bytes: msgpack or JSON, with the values of the contract, encrypted if asked.

Values that msgpack knows are plain msgpack, so that any library reads them. The others of the
contract (datetime, date, time, timedelta, Decimal, UUID, set, tuple) are msgpack extension
types, or tagged objects in JSON, and come back equal and of the same type.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

import msgspec

from channels.layers.local.carried import KEY, arrived
from channels.layers.local.values import cannot_travel, nested_too_deeply, require_message, too_large

# Where nothing is encrypted it would be six megabytes of each process.
if TYPE_CHECKING:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

#: What msgpack and JSON carry as it is, by exact type.
_PLAIN: Final[frozenset[type]] = frozenset({str, float, bool, type(None)})
_INT_RANGE: Final = range(-(2**63), 2**64)

#: Seconds by which the clocks of two machines may differ.
_CLOCK_LEEWAY: Final = 60

Wrap = Callable[[int, Any], Any]


class SerializerDoesNotExist(KeyError):
    """No serializer is registered under that name."""


# How the values that neither format knows are told: by a number and something plain.


def _exact_time(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


_DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _UUID, _SET, _TUPLE, _BYTES, _DICT, _FROZENSET = range(1, 12)

_DESCRIBED: Final[tuple[tuple[type, int, Callable[[Any], Any]], ...]] = (
    (datetime, _DATETIME, datetime.isoformat),  # before date, whose subclass it is
    (date, _DATE, date.isoformat),
    (time, _TIME, time.isoformat),
    (timedelta, _TIMEDELTA, _exact_time),
    (Decimal, _DECIMAL, str),
    (UUID, _UUID, str),
)

_RESTORED: Final[dict[int, Callable[[Any], Any]]] = {
    _DATETIME: datetime.fromisoformat,
    _DATE: date.fromisoformat,
    _TIME: time.fromisoformat,
    _TIMEDELTA: lambda parts: timedelta(*parts),
    _DECIMAL: Decimal,
    _UUID: UUID,
    _SET: set,
    _TUPLE: tuple,
    _BYTES: base64.b64decode,
    _DICT: dict,
    _FROZENSET: frozenset,
}


class _Describer:
    """Turns a message into what a format carries.

    Args:
        wrap: makes what the format has for "number and something plain".
        plain: exact types the format carries as they are.
        keys: exact types the format has as keys of a dict.
    """

    def __init__(self, wrap: Wrap, plain: frozenset[type], keys: frozenset[type]) -> None:
        self._wrap = wrap
        self._plain = plain
        self._keys = keys

    def message(self, message: dict[str, Any]) -> Any:
        """Return the message described; as it is, if all is plain already."""
        plain = self._plain
        if not isinstance(message, dict):
            return self.value(message, "")
        for key, value in message.items():
            if type(value) not in plain or type(key) is not str:
                return self.value(message, "")
        return message

    def value(self, value: Any, path: str) -> Any:
        """Return one value described; raises TypeError with the path to what cannot travel."""
        if type(value) in self._plain:
            return value
        for kinds, method in self._METHODS:
            if isinstance(value, kinds):
                return method(self, value, path)
        for kind, code, describe in _DESCRIBED:
            if isinstance(value, kind):
                return self._wrap(code, describe(value))
        raise cannot_travel(value, path)

    def _text(self, value: str, path: str) -> str:
        """Return exact text of a subclass such as Django's safe strings."""
        return str.__str__(value)

    def _float(self, value: float, path: str) -> float:
        return float(value)

    def _integer(self, value: int, path: str) -> int:
        number = int(value)
        if number not in _INT_RANGE:
            raise TypeError(f"The integer at message[{path!r}] has more than 64 bits; send it as text.")
        return number

    def _dict(self, value: dict[Any, Any], path: str) -> Any:
        pairs = [
            (self.value(key, f"{path} (a key)"), self.value(item, f"{path}.{key}" if path else str(key)))
            for key, item in value.items()
        ]
        if any(type(key) not in self._keys or key == _TAG for key, _ in pairs):
            return self._wrap(_DICT, [list(pair) for pair in pairs])
        return dict(pairs)

    def _sequence(self, value: Iterable[Any], path: str) -> Any:
        items = [self.value(item, f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, list):
            return items
        if isinstance(value, tuple):
            return self._wrap(_TUPLE, items)
        return self._wrap(_SET if isinstance(value, set) else _FROZENSET, items)

    def _bytes(self, value: bytes | bytearray | memoryview, path: str) -> Any:
        if bytes in self._plain:
            return bytes(value)
        return self._wrap(_BYTES, base64.b64encode(value).decode())

    _METHODS: ClassVar[tuple[tuple[Any, Callable[[Any, Any, str], Any]], ...]] = (
        (str, _text),
        (int, _integer),
        (dict, _dict),
        ((list, tuple, set, frozenset), _sequence),
        ((bytes, bytearray, memoryview), _bytes),
        (float, _float),
    )


class BaseMessageSerializer(ABC):
    """What a serializer starts from: encryption, and random bytes before each message.

    Args:
        symmetric_encryption_keys: list of keys, text or bytes; the first encrypts, all decrypt.
        random_prefix_length: bytes before each message, so that no two are equal; 0 and less mean none.
        expiry: seconds after which an encrypted message is refused; None for never.
    """

    def __init__(
        self,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        random_prefix_length: int = 0,
        expiry: float | None = None,
    ) -> None:
        self.random_prefix_length = random_prefix_length
        self.expiry = expiry
        self.crypter = self._setup_encryption(symmetric_encryption_keys)

    def _setup_encryption(self, keys: Sequence[str | bytes] | None) -> MultiFernet | None:
        if not keys:
            return None
        if isinstance(keys, str | bytes):
            raise ValueError("symmetric_encryption_keys must be a list of possible keys, got one key alone.")
        from cryptography.fernet import MultiFernet

        return MultiFernet([self.make_fernet(key) for key in keys])

    def make_fernet(self, key: str | bytes) -> Fernet:
        """Return what encrypts with ``key``, which may have any length."""
        from cryptography.fernet import Fernet

        data = key.encode() if isinstance(key, str) else key
        return Fernet(base64.urlsafe_b64encode(hashlib.sha256(data).digest()))

    @abstractmethod
    def as_bytes(self, message: Any, *args: Any, **kwargs: Any) -> bytes:
        """Return ``message`` as bytes, neither encrypted nor prefixed."""

    @abstractmethod
    def from_bytes(self, message: bytes, *args: Any, **kwargs: Any) -> Any:
        """Return the message that ``as_bytes`` made these bytes of."""

    def serialize(self, message: Any) -> bytes:
        """Return ``message`` as the bytes that are sent; raises TypeError if a value cannot travel."""
        data = self.as_bytes(message)
        if self.crypter is not None:
            data = self.crypter.encrypt(data)
        return os.urandom(self.random_prefix_length) + data if self.random_prefix_length > 0 else data

    def deserialize(self, message: bytes) -> Any:
        """Return the message of bytes that were sent.

        Raises:
            ValueError: they are no message of this format.
            cryptography.fernet.InvalidToken: none of the keys fits, or the message is too old.
        """
        data = message[max(0, self.random_prefix_length) :]
        if self.crypter is not None:
            ttl = None if self.expiry is None else int(self.expiry) + _CLOCK_LEEWAY
            data = self.crypter.decrypt(data, ttl)
        return arrived(self.from_bytes(data))


def _extension(code: int, described: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(described))


def _restore_extension(code: int, data: memoryview) -> Any:
    restore = _RESTORED.get(code)
    if restore is None:
        return msgspec.msgpack.Ext(code, bytes(data))
    return restore(_decoder.decode(data))


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ext_hook=_restore_extension)
_for_msgpack: Final = _Describer(_extension, _PLAIN | {bytes}, _PLAIN | {bytes, int})


def _named(message: dict[str, Any], error: Exception) -> TypeError:
    """Return the error, with its key, for what shows only in encoding: half a character, endless nesting."""
    for key, value in message.items() if isinstance(message, dict) else ():
        try:
            _encoder.encode(_for_msgpack.value(value, str(key)))
        except UnicodeEncodeError:
            return TypeError(f"The text at message[{key!r}] cannot be sent: {error}.")
        except RecursionError:
            return nested_too_deeply(key)
    what = "A key of the message" if isinstance(message, dict) else "The message"
    return TypeError(f"{what} cannot be sent: {error}.")


class MsgPackSerializer(BaseMessageSerializer):
    """msgpack, the default."""

    def as_bytes(self, message: Any, *args: Any, **kwargs: Any) -> bytes:
        """See :meth:`BaseMessageSerializer.as_bytes`."""
        try:
            return _encoder.encode(_for_msgpack.message(message))
        except (UnicodeEncodeError, RecursionError) as error:
            raise _named(message, error) from error

    def from_bytes(self, message: bytes, *args: Any, **kwargs: Any) -> Any:
        """See :meth:`BaseMessageSerializer.from_bytes`."""
        return _decoder.decode(message)


class LimitedSerializer(MsgPackSerializer):
    """msgpack for messages up to a size, neither encrypted nor prefixed: what stays on one machine.

    Args:
        limit: bytes a message may have.
        layer: what carries them, in errors.
    """

    def __init__(self, limit: int, layer: str) -> None:
        super().__init__()
        self._limit = limit
        self._layer = layer

    def from_bytes(self, message: bytes, *args: Any, **kwargs: Any) -> Any:
        """See :class:`MsgPackSerializer`."""
        found = _decoder.decode(message)
        # arrived() only if something travels beside it: two calls less for each of a group, row "chat".
        return arrived(found) if isinstance(found, dict) and KEY in found else found

    def as_bytes(self, message: Any, *args: Any, **kwargs: Any) -> bytes:
        """Return ``message`` as bytes.

        Raises:
            InvalidMessageError: it is no dict.
            TypeError: a value cannot travel; the text names its key.
            MessageTooLarge: it has more bytes than the limit.
        """
        if type(message) is not dict:
            require_message(message)
        data = super().as_bytes(message)
        if len(data) > self._limit:
            raise too_large(message, len(data), self._limit, self._layer)
        return data


#: Key of the objects that stand for what JSON does not know.
_TAG: Final = "__type__"


def _tagged(code: int, described: Any) -> dict[str, Any]:
    return {_TAG: code, "value": described}


def _restore_tagged(value: dict[str, Any]) -> Any:
    if _TAG not in value:
        return value
    restore = _RESTORED.get(value[_TAG])
    return value if restore is None else restore(value["value"])


_for_json: Final = _Describer(_tagged, _PLAIN, frozenset({str}))


class JSONSerializer(BaseMessageSerializer):
    """JSON, for readers in other languages."""

    def as_bytes(self, message: Any, *args: Any, **kwargs: Any) -> bytes:
        """See :meth:`BaseMessageSerializer.as_bytes`."""
        try:
            return json.dumps(_for_json.message(message), *args, **kwargs).encode()
        except RecursionError as error:
            raise _named(message, error) from error

    def from_bytes(self, message: bytes, *args: Any, **kwargs: Any) -> Any:
        """See :meth:`BaseMessageSerializer.from_bytes`."""
        return json.loads(message, *args, object_hook=_restore_tagged, **kwargs)


class SerializersRegistry:
    """Serializers by the name that ``serializer_format`` takes."""

    def __init__(self) -> None:
        self._registry: dict[Any, type[Any]] = {}

    def register_serializer(self, format: str, serializer_class: type[Any]) -> None:
        """Make ``serializer_class`` known as ``format``, in place of another if there is one.

        Raises:
            AssertionError: the class lacks ``serialize`` or ``deserialize``.
        """
        if not all(hasattr(serializer_class, method) for method in ("serialize", "deserialize")):
            raise AssertionError(
                "`serializer_class` should be a class which implements `serialize` and `deserialize`, "
                "or a subclass of `channels_redis.serializers.BaseMessageSerializer`; "
                f"got {serializer_class!r}."
            )
        self._registry[format] = serializer_class

    def get_serializer(self, format: str, *args: Any, **kwargs: Any) -> Any:
        """Return a new serializer; the other arguments are those of its class.

        Raises:
            SerializerDoesNotExist: nothing is registered under that name.
        """
        if format not in self._registry:
            raise SerializerDoesNotExist(
                f"No serializer {format!r}; `serializer_format` can be one of {sorted(self._registry)}."
            )
        return self._registry[format](*args, **kwargs)


registry: Final = SerializersRegistry()
registry.register_serializer("json", JSONSerializer)
registry.register_serializer("msgpack", MsgPackSerializer)


def __getattr__(name: str) -> Any:
    """Return what decrypting raises, which is imported where it is asked for."""
    if name == "InvalidToken":
        from cryptography.fernet import InvalidToken

        return InvalidToken
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BaseMessageSerializer",
    "InvalidToken",
    "JSONSerializer",
    "MsgPackSerializer",
    "SerializerDoesNotExist",
    "SerializersRegistry",
    "registry",
]
