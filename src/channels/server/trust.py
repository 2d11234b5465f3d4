"""Proxies known by their addresses, and what they say about the client on its way through them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from channels.typing import Headers

Address: TypeAlias = list[Any]

#: The word for peers on a Unix socket, which have no address.
UNIX = "unix"

# RFC 7239 section 4: token "=" ( token / quoted-string ), in elements that commas separate.
_PART = re.compile(r'\s*(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*))?\s*([,;]|$)')
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(\d{1,5}))?")
_WITH_PORT = re.compile(r"([^:]+):(\d{1,5})")


class TrustedProxies:
    """Proxies whose headers are believed.

    Of the addresses that a request came through, the client's is the last one that is
    not a proxy's: what stands before it was written by nobody who is trusted.

    Args:
        addresses: IP addresses and networks (``10.0.0.0/8``), and ``unix`` for Unix sockets.

    Raises:
        ValueError: one of them is none of these.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        told = list(addresses)
        self._unix = UNIX in told
        self._networks = [_network(text) for text in told if text != UNIX]
        self._known = lru_cache(maxsize=4096)(self._is_known)

    def trusts(self, peer: Address | None) -> bool:
        """Whether ``peer``, as a scope's ``client``, is one of the proxies."""
        return self._unix if peer is None else self._known(str(peer[0]))

    def _is_known(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def client(
        self,
        headers: Headers,
        names: tuple[str | None, str | None, str | None],
        peer: Address | None,
        scheme: str,
    ) -> tuple[Address | None, str]:
        """Find out who the client is.

        Args:
            headers: the request's.
            names: the headers with address, port and scheme; the first may be ``Forwarded``
                (RFC 7239), which says all three.
            peer: who is connected to us.
            scheme: what is spoken with it.

        Returns:
            The client as [host, port], port 0 if unknown, and the scheme it used.
        """
        if not self.trusts(peer) or not names[0]:
            return peer, scheme
        if names[0].lower() == "forwarded":
            elements = _elements(_values(headers, "forwarded"))
            chain = [element.get("for", "unknown") for element in elements]
            schemes = [element.get("proto", "") for element in elements]
        else:
            chain, schemes = _values(headers, names[0]), _values(headers, names[2])
        if not chain:
            return peer, (schemes[-1] if schemes else "") or scheme
        place = self._place_of_client(chain)
        host, port = split_host(chain[place])
        ports = [int(text) for text in _values(headers, names[1]) if text.isdecimal() and len(text) <= 5]
        return [host, port or _beside(ports, place, chain, 0)], _beside(schemes, place, chain, "") or scheme

    def _place_of_client(self, chain: Sequence[str]) -> int:
        place = len(chain) - 1
        while place > 0 and self._known(split_host(chain[place])[0]):
            place -= 1
        return place


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address of a proxy: give addresses or networks, as 127.0.0.1 or 10.0.0.0/8, "
            f"and {UNIX} for Unix sockets"
        ) from None


def _beside(values: Sequence[Any], place: int, chain: Sequence[str], default: Any) -> Any:
    """The value that goes with an address: that at its place, or what the nearest proxy said."""
    if len(values) == len(chain):
        return values[place]
    return values[-1] if values else default


def _values(headers: Headers, name: str | None) -> list[str]:
    """All values of a list header, over all its lines, in order."""
    if not name:
        return []
    wanted = name.lower().encode("latin-1")
    lines = [value.decode("latin-1") for key, value in headers if key == wanted]
    if wanted == b"forwarded":
        return lines
    return [part.strip() for part in ",".join(lines).split(",")] if lines else []


def _elements(lines: Sequence[str]) -> list[dict[str, str]]:
    """Understand ``Forwarded``; nothing of it counts if it is malformed."""
    text, at, elements, element = ",".join(lines), 0, [], dict[str, str]()
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return []
        name, value, end = part.groups()
        if name is not None:
            element[name.lower()] = _unquoted(value)
        if end != ";":
            elements.append(element)
            element = {}
        at = part.end()
    return elements


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def split_host(text: str) -> tuple[str, int]:
    """Split ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; the port is 0 if it is not said."""
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    return (found[1], int(found[2] or 0)) if found else (text, 0)
