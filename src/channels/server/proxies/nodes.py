"""Addresses, ports and schemes as proxies write them: each is checked before anybody relies on it."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TypeAlias

from channels import telemetry

#: A host, and its port, 0 if unknown.
Node: TypeAlias = tuple[str, int]

#: Longer than any address with its port; what is longer is not looked at, and not kept.
_LONGEST = 64
# RFC 7239 section 6: an address, IPv6 in brackets, and a port, which may be obfuscated.
_PORT = r"(?::(\d{1,5}|_[0-9A-Za-z._-]+))?"
_is_node = re.compile(rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)){_PORT}").fullmatch
_is_port = re.compile(r"\d{1,5}").fullmatch
_SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}


def doubt(reason: str) -> None:
    """Count something that a proxy has said and that is not believed."""
    telemetry.count("server.bad_forwarding", reason=reason)


def read_node(text: str) -> Node | None:
    """Understand ``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare ``v6``.

    Returns:
        The address as it is written, without brackets, and the port, 0 if it is not said. None: it is no
        address, as "unknown" and the obfuscated identifiers of RFC 7239.
    """
    return _read_node(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _read_node(text: str) -> Node | None:
    found = _is_node(text)
    six, four, port = found.groups() if found else (None, text, None)
    host = six or four
    address = read_address(host)
    if address is None or (six is not None and address.version != 6):
        return None
    return host, read_port(port) if port and port[0] != "_" else 0


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; None for what is none, and for one with a zone, which means nothing elsewhere."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def read_port(text: str) -> int:
    """Read a port; 0 for what is none."""
    return int(text) if _is_port(text) and int(text) <= 65535 else 0


def is_secure(scheme: str) -> bool | None:
    """Whether a scheme is one over TLS; None if it is no scheme of HTTP or WebSockets."""
    return _SCHEMES.get(scheme.lower()) if len(scheme) <= len("https") else None
