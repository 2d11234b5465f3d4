"""The fields of responses, as any version of HTTP may send them (RFC 9110 section 5).

What an application gives is checked here, once; each version writes it in its own form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from channels.core.bounded_cache import BoundedCache
from channels.protocols.http.abnf import is_token

UNSENDABLE = frozenset(b"\r\n\0")
MAX_NAMES = 1024


def checked_lowercase(name: bytes) -> bytes:
    """Return the lowercase form of a field's name.

    Raises:
        ValueError: it is no token (RFC 9110 5.1).
        TypeError: it is not bytes.
    """
    if not isinstance(name, bytes):
        raise TypeError(name)
    if not is_token(name):
        raise ValueError(f"{name!r} is no header name: use letters, digits and !#$%&'*+-.^_`|~ only.")
    return name.lower()


#: Names that may be sent, with their lowercase forms: few names make up most headers.
lowercase: BoundedCache[bytes, bytes] = BoundedCache(
    "protocols.field_names", MAX_NAMES, checked_lowercase, replace=False
)


def check_value(name: bytes, value: bytes) -> None:
    """Look at a field's value for what would end the field (RFC 9110 5.5): response splitting is impossible.

    Raises:
        ValueError: it cannot be sent; the message names the field and does not show the value.
    """
    if not UNSENDABLE.isdisjoint(value):
        raise ValueError(f"The value of header {name!r} cannot be sent: it contains CR, LF or NUL.")


def kinds_of(headers: Any) -> str:
    """Say what an application gave as headers, by types: values may be secrets."""
    if not isinstance(headers, list | tuple):
        return type(headers).__name__
    for header in headers:
        if not isinstance(header, list | tuple) or len(header) != 2:
            return f"{type(header).__name__} among them"
        name, value = header
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            return f"({type(name).__name__}, {type(value).__name__}) for {name!r}"
    return "these"


@dataclass(frozen=True, slots=True, eq=False)
class ResponseFields:
    """Fields of a response that may be sent, each there once, and that settle nothing but a length.

    The value belongs to no version of HTTP. It is compared by identity, so that a version can keep its own
    form of it at the price of one look-up.

    Attributes:
        headers: the fields.
        length: what Content-Length says; None if it is not there.
    """

    headers: tuple[tuple[bytes, bytes], ...] = ()
    length: int | None = None

    def without(self, names: set[bytes]) -> ResponseFields:
        """Return these fields but for those of the given lowercased names."""
        kept = [field for field in self.headers if lowercase[field[0]] not in names]
        return ResponseFields(tuple(kept), self.length)
