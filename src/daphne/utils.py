"""Proxy headers and imports, by their old names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from channels.core.absent import explain_absent
from channels.server.cli import import_application as import_by_path
from channels.server.proxies.x_forwarded import forwarded

__all__ = ["header_value", "import_by_path", "parse_x_forwarded_for"]


def _pairs(headers: Any) -> Iterator[tuple[bytes, bytes]]:
    """Take a mapping of bytes to a value or a list of values, or pairs."""
    items: Iterable[Any] = headers.items() if isinstance(headers, Mapping) else headers
    for name, values in items:
        for value in values if isinstance(values, list | tuple) else (values,):
            yield name, value


def header_value(headers: Any, header_name: str) -> str:
    """Return the first value of a header.

    Args:
        headers: a mapping of names to values, or pairs; both of bytes.
        header_name: which one, in any case.

    Raises:
        KeyError: there is none.
    """
    for name, value in _pairs(headers):
        if name.lower() == header_name.lower().encode():
            return value.decode("utf-8")
    raise KeyError(header_name)


def parse_x_forwarded_for(
    headers: Any,
    address_header_name: str | None = "X-Forwarded-For",
    port_header_name: str | None = "X-Forwarded-Port",
    proto_header_name: str | None = "X-Forwarded-Proto",
    original_addr: Any = None,
    original_scheme: Any = None,
) -> tuple[Any, Any]:
    """Read what a proxy says about the client.

    Args:
        headers: a mapping of names to a value or a list of values, or pairs; all of bytes.
        address_header_name: the header with the client's address; None reads nothing.
        port_header_name: the header with its port.
        proto_header_name: the header with its scheme.
        original_addr: what to return where no proxy speaks.
        original_scheme: likewise.

    Returns:
        ``[host, port]`` and the scheme; port 0 if it is unknown.
    """
    return forwarded(
        _pairs(headers),
        address_header_name,
        port_header_name,
        proto_header_name,
        original_addr,
        original_scheme,
    )


_HEADERS = "functions here take a mapping of bytes, or pairs; which names are valid the protocols decide."
#: Absent names of the original, with what to use.
ABSENT = dict.fromkeys(("HEADER_NAME_RE", "Headers", "INVALID_HEADER_VALUE_BYTES"), _HEADERS)
explain_absent(__name__, ABSENT)
