"""Proxies known by their addresses, and what they say about the client on its way through them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from channels.server.proxies.forwarded import MalformedForwarded, elements_from_end
from channels.server.proxies.nodes import Node, doubt, read_node, read_port
from channels.server.proxies.x_forwarded import forwarded
from channels.typing import Headers, Scope

Address: TypeAlias = list[Any]

#: The word for peers on a Unix socket, which have no address.
UNIX = "unix"
#: The header of RFC 7239.
FORWARDED = "forwarded"


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
            The client as [host, port], port 0 if unknown, and the scheme it used. What is no address is
            counted, and the peer stands for it; so it does where ``Forwarded`` is malformed, which
            :class:`channels.server.proxies.forwarded.ForwardedGuard` refuses.
        """
        if not self.trusts(peer) or not names[0]:
            return peer, scheme
        header = names[0].lower()
        if header.encode("latin-1") not in dict(headers):  # it asks for itself
            schemes = [] if header == FORWARDED else _values(headers, names[2])
            return peer, schemes[-1] if schemes else scheme
        try:
            node, said = (
                self.forwarded_client(headers) if header == FORWARDED else self._listed(headers, names)
            )
        except MalformedForwarded:
            doubt("syntax")
            return peer, scheme
        return _or_peer(node, peer), said or scheme

    def _listed(
        self, headers: Headers, names: tuple[str | None, str | None, str | None]
    ) -> tuple[Node | None, str]:
        """Look into X-Forwarded-For, or one like it; see :meth:`forwarded_client`."""
        chain, ports, schemes = (_values(headers, name) for name in names)
        if not chain:
            return None, ""
        place = self._place_of_client(chain)
        node, said = read_node(chain[place]), _beside(schemes, place, chain)
        if node is not None and not node[1] and ports:
            node = node[0], _checked_port(_beside(ports, place, chain))
        return node, said

    def forwarded_client(self, headers: Headers) -> tuple[Node | None, str]:
        """Look into ``Forwarded`` for the last address that is not a proxy's, and the scheme it used.

        Returns:
            None for an address that is hidden or none, "" for a scheme that is not said.

        Raises:
            MalformedForwarded: what the proxies wrote cannot be understood.
        """
        lines = [value.decode("latin-1") for key, value in headers if key == b"forwarded"]
        node, said = None, ""
        for element in elements_from_end(lines):
            node, said = read_node(element.get("for", "")), element.get("proto", "")
            if node is None or not self._known(node[0]):
                break
        return node, said

    def misreads(self, scope: Scope) -> bool:
        """Whether the peer of a scope is a proxy with a malformed ``Forwarded``."""
        if not self.trusts(scope["client"]):
            return False  # who was not understood is still the proxy itself
        try:
            self.forwarded_client(scope["headers"])
        except MalformedForwarded:
            return True
        return False

    def _place_of_client(self, chain: Sequence[str]) -> int:
        place = len(chain) - 1
        while place > 0 and (node := read_node(chain[place])) is not None and self._known(node[0]):
            place -= 1
        return place


def outermost(
    headers: Headers,
    names: tuple[str | None, str | None, str | None],
    peer: Address | None,
    scheme: str,
) -> tuple[Address | None, str]:
    """Find out who the client is where whoever connects is believed: what the outermost proxy wrote.

    See :meth:`TrustedProxies.client`.
    """
    client, said = forwarded(headers, *names, peer, scheme)
    if client is None or client is peer:
        return peer, said
    node = read_node(client[0])
    if node is not None and not node[1] and client[1]:
        node = node[0], _checked_port(str(client[1]))
    return _or_peer(node, peer), said


def _or_peer(node: Node | None, peer: Address | None) -> Address | None:
    """The client as a scope has it; the peer, counted, for one whom nobody can know."""
    if node is None:
        doubt("address")
        return peer
    return list(node)


def _checked_port(text: str) -> int:
    port = read_port(text)
    if not port:
        doubt("port")
    return port


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address of a proxy: give addresses or networks, as 127.0.0.1 or 10.0.0.0/8, "
            f"and {UNIX} for Unix sockets"
        ) from None


def _beside(values: Sequence[str], place: int, chain: Sequence[str]) -> str:
    """The value that goes with an address: that at its place, or what the nearest proxy said; "" for none."""
    if len(values) == len(chain):
        return values[place]
    return values[-1] if values else ""


def _values(headers: Headers, name: str | None) -> list[str]:
    """All values of a list header, over all its lines, in order; empty ones left out (RFC 9110 5.6.1.2)."""
    if not name:
        return []
    wanted = name.lower().encode("latin-1")
    lines = [value.decode("latin-1") for key, value in headers if key == wanted]
    return [value for part in ",".join(lines).split(",") if (value := part.strip())] if lines else []
