"""How much of request bodies applications hold: of all together, and of each address.

An application keeps what it is handed of a body, in memory or in temporary files, as Django does, until it
has answered. The server cannot see where, so it counts what it hands over until the application's run ends.
"""

from __future__ import annotations

from typing import Any

from channels.server.config import Config
from channels.server.limits.connection_limits import PerAddressCounter, is_global
from channels.server.proxies.trusted_proxies import TrustedProxies
from channels.typing import Headers


def announced_size(headers: Headers) -> int:
    """Return the Content-Length of a request that the protocol has judged; 0 where there is none."""
    value = dict(headers).get(b"content-length", b"")
    return int(value) if value.isdigit() else 0


class HeldBodies:
    """Counts the bytes of bodies whose applications still run.

    Args:
        config: ``max_bodies_size`` and ``max_bodies_size_per_address``.
        proxies: who is no client; not counted by address.

    Attributes:
        size: how many bytes there are.
    """

    def __init__(self, config: Config, proxies: TrustedProxies | None) -> None:
        self.size = 0
        self._most = config.max_bodies_size
        told = config.max_bodies_size_per_address
        self._most_per_address = self._most // 4 if told is None else told
        # Where nothing is said, a peer that no internet leads from is taken for a proxy.
        self._any_address = told is not None
        self._by_address = PerAddressCounter(self._most_per_address)
        self._proxies = proxies

    def take(self, client: list[Any] | None, size: int) -> str | None:
        """Count bytes that are handed to an application, until :meth:`give_back`.

        Args:
            client: whose they are, as in the scope.
            size: how many.

        Returns:
            Why they are too many, "total" or "address", and were not counted; None: they were.
        """
        if self._most and self.size + size > self._most:
            return "total"
        if client is not None and self._is_counted(client):
            if self._by_address.of(client[0]) + size > self._most_per_address:
                return "address"
            self._by_address.add(client[0], size)
        self.size += size
        return None

    def give_back(self, client: list[Any] | None, size: int) -> None:
        """Count bytes that the application does not hold any more."""
        self.size -= size
        if client is not None and self._is_counted(client):
            self._by_address.add(client[0], -size)

    def _is_counted(self, client: list[Any]) -> bool:
        if not self._most_per_address or (self._proxies is not None and self._proxies.trusts(client)):
            return False
        return self._any_address or is_global(client[0])
