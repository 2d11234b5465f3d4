"""The fields of responses as lines of HTTP/1.1, checked once: most answers say what the one before said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from channels.protocols.events import Headers

_TOKEN = bytes(c for c in range(128) if chr(c).isalnum() or c in b"!#$%&'*+-.^_`|~")
_UNSENDABLE = frozenset(b"\r\n\0")
MAX_NAMES = 1024
#: Lines that are kept, and how long a value may be for it. What is secret, or never comes again, is not kept.
MAX_LINES = 1024
_MAX_KNOWN = 128
_UNKEPT = frozenset(
    {b"set-cookie", b"authorization", b"proxy-authenticate", b"www-authenticate", b"sec-websocket-accept"}
)
#: Responses whose fields are kept together, and how many fields one may have for it.
MAX_PLAIN = 512
_MAX_TOGETHER = 24
#: Fields about which more is to be known than how they are written.
_TOUCHY = frozenset({b"transfer-encoding", b"connection", b"date", b"server"})


class HeaderNameCache(dict[bytes, bytes]):
    """Header names that were found sendable, with their lowercase forms: few names make up most headers."""

    def __missing__(self, name: bytes) -> bytes:
        if not isinstance(name, bytes):
            raise TypeError(name)
        if not name or name.translate(None, _TOKEN):
            raise ValueError(f"{name!r} is no header name: use letters, digits and !#$%&'*+-.^_`|~ only.")
        lowered = name.lower()
        if len(self) < MAX_NAMES:
            self[name] = lowered
        return lowered


lowercase = HeaderNameCache()


class HeaderLineCache(dict[tuple[bytes, bytes], bytes]):
    """Fields that were found sendable, as lines: most answers say the same as the one before."""

    def __missing__(self, field: tuple[bytes, bytes]) -> bytes:
        name, value = field
        lowered = lowercase[name]
        if not isinstance(value, bytes):
            raise TypeError(value)
        if not _UNSENDABLE.isdisjoint(value):
            raise ValueError(f"The value of header {name!r} cannot be sent: it contains CR, LF or NUL.")
        line = b"%b: %b\r\n" % (name, value)
        if len(value) <= _MAX_KNOWN and lowered not in _UNKEPT:
            if len(self) >= MAX_LINES:
                self.clear()
            self[field] = line
        return line


lines = HeaderLineCache()


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


def serialize(headers: Headers) -> tuple[bytes, dict[bytes, bytes]]:
    """Write fields as lines; return them also by lowercased name, the last of each.

    Raises:
        ValueError: a name or value cannot be sent; response splitting is impossible.
        TypeError: a header is not a pair of bytes.
    """
    try:
        block = b"".join([lines[field] for field in headers])
        fields = {lowercase[name]: value for name, value in headers}
    except TypeError:
        raise TypeError(f"Headers are (name, value) pairs of bytes, not {kinds_of(headers)}.") from None
    return block, fields


@dataclass(frozen=True, slots=True)
class PlainFields:
    """Fields that were found sendable, each there once, and that settle nothing but a length.

    Attributes:
        lines: as HTTP/1.1 has them.
        headers: the fields.
        length: what Content-Length says; None if it is not there.
    """

    lines: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    length: int | None = None

    def without(self, names: set[bytes]) -> PlainFields:
        """Return these fields but for those of the given lowercased names."""
        kept = [field for field in self.headers if lowercase[field[0]] not in names]
        return PlainFields(serialize(kept)[0], tuple(kept), self.length)


class SimpleHeadersCache(dict[tuple[Any, ...], PlainFields]):
    """The fields of whole responses, by what the applications gave."""

    def find(self, headers: tuple[Any, ...]) -> PlainFields | None:
        """Look at what an application gave as headers.

        Returns:
            None if it has to be looked at closely: it cannot be sent, is not kept, or is not plain.
        """
        try:
            return self.get(headers) or self._remember(headers)
        except (TypeError, ValueError):  # lists, or something else that cannot be a key or be sent
            return None

    def _remember(self, headers: tuple[Any, ...]) -> PlainFields | None:
        """Keep fields together if each of them is kept."""
        if len(headers) > _MAX_TOGETHER or not all(lines[field] and field in lines for field in headers):
            return None
        block, fields = serialize(list(headers))
        if not all(isinstance(part, bytes) for field in headers for part in field):
            return None  # a memoryview equals its bytes
        length = fields.get(b"content-length")
        if len(fields) != len(headers) or not _TOUCHY.isdisjoint(fields):
            return None
        if length is not None and not length.isdigit():
            return None
        if len(self) >= MAX_PLAIN:
            self.clear()
        plain = PlainFields(block, headers, None if length is None else int(length))
        self[headers] = plain
        return plain


plain_fields = SimpleHeadersCache()
