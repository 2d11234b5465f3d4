"""How many connections and streams of HTTP/2 are taken: in all, and from one address."""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache
from typing import Any

from channels import telemetry
from channels.core.bounded_cache import BoundedCache
from channels.server.config import Config
from channels.server.limits.fd_limits import descriptor_limit, room_for_connections
from channels.server.proxies.trusted_proxies import UNIX, TrustedProxies
from channels.typing import ASGIApp, Receive, Scope, Send

#: What one address of the open internet may have where nothing is said. Behind one address of a
#: carrier or a company there are hundreds of people, hardly thousands who look at one site.
PER_ADDRESS = 1000
#: How many streams of HTTP/2 an address may have for each of its connections, where nothing is said.
STREAMS_PER_CONNECTION = 4
#: Bits of an IPv6 address that one customer of a provider cannot choose (RFC 6177).
_PREFIX = 64
#: Addresses for which it is kept whether they are counted.
MAX_JUDGED = 4096
_REFUSAL = b"Too many requests at the same time."
_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"5")]


class PerAddressCounter:
    """Counts what each address has at present.

    Args:
        most: how much one may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_site: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Count one more for an address, until :meth:`leave`; returns False if that is one too many."""
        site = _site(host)
        if self._by_site[site] >= self._most:
            return False
        self._by_site[site] += 1
        return True

    def leave(self, host: str) -> None:
        """Count one less for an address."""
        self.add(host, -1)

    def add(self, host: str, number: int) -> None:
        """Count so many more, however many there are; fewer, if it is negative."""
        site = _site(host)
        self._by_site[site] += number
        if not self._by_site[site]:
            del self._by_site[site]

    def is_full(self, host: str) -> bool:
        """Whether an address may have no more."""
        return self.of(host) >= self._most

    def of(self, host: str) -> int:
        """Return how much an address has at present."""
        return self._by_site.get(_site(host), 0)

    def __len__(self) -> int:
        """The number of different addresses."""
        return len(self._by_site)


class ConnectionLimits:
    """Judges connections.

    Args:
        config: ``max_connections``, ``max_connections_per_address`` and ``http2_max_streams_per_address``.
        proxies: whose connections are many people's; they are not counted by address.

    Attributes:
        most: how many there may be in all; 0 for no limit.
        most_per_address: likewise of one address.
        tally: what is counted by address.
        streams: the streams of HTTP/2 that are open, by address.
        abandoned_runs: how many runs of the application go on although their peer has left.
    """

    def __init__(self, config: Config, proxies: TrustedProxies | None = None) -> None:
        self.most = config.max_connections or room_for_connections(descriptor_limit())
        told = config.max_connections_per_address
        shared = min(PER_ADDRESS, max(1, self.most // 4)) if self.most else PER_ADDRESS
        self.most_per_address = shared if told is None else told
        self.tally = PerAddressCounter(self.most_per_address)
        streams = config.http2_max_streams_per_address
        self._most_streams = STREAMS_PER_CONNECTION * self.most_per_address if streams is None else streams
        self.streams = PerAddressCounter(self._most_streams)
        self._any_streams = streams is not None
        self.abandoned_runs = 0
        # Where nothing is said, a peer that no internet leads from is taken for a proxy.
        self._any_address = told is not None
        self._proxies = proxies
        #: Whether an address is counted. Looked up without a call for each connection, row "connects".
        self._is_counted: BoundedCache[str, bool] = BoundedCache(
            "server.counted_addresses", MAX_JUDGED, self._judge
        )

    def enter(self, host: str | None, connections: int) -> str | None:
        """Judge a new connection.

        Args:
            host: the peer's address; None on a Unix socket, which knows no addresses.
            connections: how many there are with it.

        Returns:
            Why it is refused, "total" or "address"; None: it is counted, until :meth:`leave`.
        """
        if self.most and connections > self.most:
            return "total"
        if host is not None and self._is_counted[host] and not self.tally.enter(host):
            return "address"
        return None

    def leave(self, host: str | None) -> None:
        """Forget a connection that was counted."""
        if host is not None and self._is_counted[host]:
            self.tally.leave(host)

    def abandoned(self, host: str, runs: int) -> None:
        """Count runs of the application that go on although their peer has left: each is like a connection.

        Args:
            host: the peer's address.
            runs: how many more; negative for some that have ended.
        """
        if runs and self._is_counted[host]:
            self.abandoned_runs += runs
            self.tally.add(host, runs)

    def is_crowded(self, host: str) -> bool:
        """Whether an address has abandoned so many runs that its open connections may begin no more."""
        return self.abandoned_runs > 0 and self._is_counted[host] and self.tally.is_full(host)

    def counts_streams(self, client: list[Any] | None) -> bool:
        """Whether the streams of a connection are counted by its address."""
        if client is None or not self._most_streams or self._is_proxy(client[0]):
            return False
        return self._any_streams or self._any_address or is_global(client[0])

    def _judge(self, host: str) -> bool:
        if not self.most_per_address or self._is_proxy(host):
            return False
        return self._any_address or is_global(host)

    def _is_proxy(self, host: str) -> bool:
        return self._proxies is not None and self._proxies.trusts([host, 0])


class ClientLimitMiddleware:
    """An application in front of the application, behind proxies: many clients share a connection there.

    It counts the requests and WebSockets of each client that run at the same time, and answers
    503 to those that are too many. Not counted is only what a proxy asks for itself: where it names somebody
    whom nobody can know, all these share the proxy's own number.

    Args:
        app: answers everything else.
        most: how many one address may have.
        proxies: who is no client.
        address_header: the header in which they name their clients.
    """

    def __init__(self, app: ASGIApp, most: int, proxies: TrustedProxies, address_header: str | None) -> None:
        self._app = app
        self._proxies = proxies
        self._tally = PerAddressCounter(most)
        self._address_header = (address_header or "").lower().encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "tcp":  # its connection is counted, by the address in its PROXY header
            await self._app(scope, receive, send)
            return
        client = scope["client"]
        host = UNIX if client is None else client[0]
        if self._proxies.trusts(client) and self._address_header not in dict(scope["headers"]):
            await self._app(scope, receive, send)
        elif self._tally.enter(host):
            try:
                await self._app(scope, receive, send)
            finally:
                self._tally.leave(host)
        else:
            telemetry.count("server.connection_refused", reason="client", client=host)
            kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
            await send({"type": f"{kind}.start", "status": 503, "headers": _HEADERS})
            await send({"type": f"{kind}.body", "body": _REFUSAL})


@lru_cache(maxsize=MAX_JUDGED)
def _site(host: str) -> str:
    """Return the address, of IPv6 only its first half: the rest is as many addresses as somebody likes."""
    address = _parsed(host)
    if not isinstance(address, ipaddress.IPv6Address):
        return host if address is None else str(address)
    return str(ipaddress.ip_network((address.packed, _PREFIX), strict=False))


@lru_cache(maxsize=MAX_JUDGED)
def is_global(host: str) -> bool:
    """Whether the address is one of the open internet."""
    address = _parsed(host)
    return address is not None and address.is_global


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; None for what is none, as a proxy may say "unknown"."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
