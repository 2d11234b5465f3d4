"""The fields of responses as lines of HTTP/1.1, checked once: most answers say what the one before said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.core.bounded_cache import BoundedCache
from channels.protocols.events import Headers
from channels.protocols.http.fields import ResponseFields, check_value, kinds_of, lowercase

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


class HeaderLineCache(BoundedCache[tuple[bytes, bytes], bytes]):
    """Fields that may be sent, as lines: most answers say the same as the one before."""

    def __init__(self) -> None:
        super().__init__("protocols.http1_header_lines", MAX_LINES)

    def __missing__(self, field: tuple[bytes, bytes]) -> bytes:
        name, value = field
        lowered = lowercase[name]
        if not isinstance(value, bytes):
            raise TypeError(value)
        check_value(name, value)
        line = b"%b: %b\r\n" % (name, value)
        if len(value) <= _MAX_KNOWN and lowered not in _UNKEPT:
            self.keep(field, line)
        return line


lines = HeaderLineCache()
_line_of = lines.__getitem__


def line_block(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write fields as lines.

    Raises:
        ValueError: a name or value cannot be sent; response splitting is impossible.
        TypeError: a header is not a pair of bytes.
    """
    try:
        return b"".join(map(_line_of, headers))
    except TypeError:
        raise TypeError(f"Headers are (name, value) pairs of bytes, not {kinds_of(headers)}.") from None


def serialize(headers: Headers) -> tuple[bytes, dict[bytes, bytes]]:
    """Write fields as lines; return them also by lowercased name, the last of each.

    Raises:
        ValueError, TypeError: as :func:`line_block`.
    """
    return line_block(headers), {lowercase[name]: value for name, value in headers}


#: The fields of whole responses as lines.
lines_of: BoundedCache[ResponseFields, bytes] = BoundedCache(
    "protocols.http1_response_lines", MAX_PLAIN, lambda fields: line_block(fields.headers)
)


class SimpleHeadersCache(BoundedCache[tuple[Any, ...], ResponseFields]):
    """The fields of whole responses, by what the applications gave."""

    def __init__(self) -> None:
        super().__init__("protocols.response_fields", MAX_PLAIN)

    def find(self, headers: tuple[Any, ...]) -> ResponseFields | None:
        """Look at what an application gave as headers.

        Returns:
            None if it has to be looked at closely: it cannot be sent, is not kept, or is not plain.
        """
        try:
            return self.get(headers) or self._remember(headers)
        except (TypeError, ValueError):  # lists, or something else that cannot be a key or be sent
            return None

    def _remember(self, headers: tuple[Any, ...]) -> ResponseFields | None:
        """Keep fields together if each of them is kept."""
        if len(headers) > _MAX_TOGETHER or not all(lines[field] and field in lines for field in headers):
            return None
        _, fields = serialize(list(headers))
        if not all(isinstance(part, bytes) for field in headers for part in field):
            return None  # a memoryview equals its bytes
        length = fields.get(b"content-length")
        if len(fields) != len(headers) or not _TOUCHY.isdisjoint(fields):
            return None
        if length is not None and not length.isdigit():
            return None
        plain = ResponseFields(headers, None if length is None else int(length))
        self.keep(headers, plain)
        return plain


plain_fields = SimpleHeadersCache()
