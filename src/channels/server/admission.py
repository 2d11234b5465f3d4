"""How many connections are taken: in all, and from one address."""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache

from channels.server.config import Config

#: Bits of an IPv6 address that one customer of a provider cannot choose (RFC 6177).
_PREFIX = 64


class Admission:
    """Counts connections.

    Args:
        config: ``max_connections`` and ``max_connections_per_address``; 0 is no limit.
    """

    def __init__(self, config: Config) -> None:
        self._most = config.max_connections
        self._most_per_address = config.max_connections_per_address
        self._by_address: Counter[str] = Counter()

    def enter(self, host: str | None, connections: int) -> str | None:
        """Judge a new connection.

        Args:
            host: the peer's address; None on a Unix socket, which knows no addresses.
            connections: how many there are with it.

        Returns:
            Why it is refused, "total" or "address"; None: it is counted, until :meth:`leave`.
        """
        if self._most and connections > self._most:
            return "total"
        if self._most_per_address and host is not None:
            site = _site(host)
            if self._by_address[site] >= self._most_per_address:
                return "address"
            self._by_address[site] += 1
        return None

    def leave(self, host: str | None) -> None:
        """Forget a connection that was counted."""
        if self._most_per_address and host is not None:
            site = _site(host)
            self._by_address[site] -= 1
            if not self._by_address[site]:
                del self._by_address[site]

    def __len__(self) -> int:
        """The number of different addresses."""
        return len(self._by_address)


@lru_cache(maxsize=4096)
def _site(host: str) -> str:
    """The address, of IPv6 only its first half: the rest is as many addresses as somebody likes."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host.partition("%")[0], _PREFIX), strict=False))
