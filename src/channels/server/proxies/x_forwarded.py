"""Who the client is when a proxy stands before us: X-Forwarded-For and its companions.

Nothing here is trusted unless the configuration names the headers: whoever reaches the
server directly could otherwise claim any address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

Address: TypeAlias = list[Any]


def _first(headers: Iterable[tuple[bytes, bytes]], name: str | None) -> str | None:
    """The first value of a header, up to its first comma: what the outermost proxy wrote."""
    if not name:
        return None
    wanted = name.lower().encode("latin-1")
    for key, value in headers:
        if key.lower() == wanted:
            return value.split(b",", 1)[0].strip().decode("latin-1")
    return None


def forwarded(
    headers: Iterable[tuple[bytes, bytes]],
    address_header: str | None,
    port_header: str | None,
    proto_header: str | None,
    address: Address | None,
    scheme: Any,
) -> tuple[Address | None, Any]:
    """Read what a proxy says about the client.

    Args:
        headers: the request's headers, as pairs of bytes.
        address_header: which one holds the address; None or absent: nothing is changed.
        port_header: which one holds the port; without a number in it the port is 0 (unknown).
        proto_header: which one holds the scheme the client used.
        address: the peer of the socket, [host, port], used where no proxy speaks.
        scheme: the scheme of the socket, likewise.

    Returns:
        The client's address and the scheme.
    """
    headers = list(headers)
    host = _first(headers, address_header)
    if host is None:
        return address, scheme
    port = _first(headers, port_header) or ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    return [host, number], _first(headers, proto_header) or scheme
