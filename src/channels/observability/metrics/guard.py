"""Who may read the metrics: whoever has the token; without one, this machine only."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

#: What a proxy adds: then the address of the peer is that of the proxy.
_PROXIED: Final = ("x-forwarded-for", "forwarded", "via", "x-real-ip")


def may_read(token: str, headers: Mapping[str, str], address: str | None) -> bool:
    """Judge a request.

    Args:
        token: what it has to show, as ``Authorization: Bearer ...``; "" if none is set.
        headers: its headers, by names in lower case.
        address: of its peer; None on a Unix socket.
    """
    if token:
        shown = headers.get("authorization", "")
        return hmac.compare_digest(shown.encode("utf-8", "replace"), f"Bearer {token}".encode())
    return not any(name in headers for name in _PROXIED) and _is_loopback(address)


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False
