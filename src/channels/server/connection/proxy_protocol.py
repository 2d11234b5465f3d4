"""The PROXY protocol, versions 1 and 2: a load balancer says who is connected before anything else.

See haproxy.org/download/2.9/doc/proxy-protocol.txt.
"""

from __future__ import annotations

import socket
from typing import Any

from channels import telemetry
from channels.server.connection.interfaces import AddressPair, HandledConnection
from channels.server.io.timer_wheel import NEVER, Slot
from channels.server.proxies.nodes import doubt, read_address, read_port
from channels.server.runtime import Runtime

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_LINE = 107  # of version 1, with its end
_HEAD = 16  # of version 2
#: Of version 1: a line speaks of one family, for both ends.
_LINES = {"TCP4": 4, "TCP6": 6}
#: Of version 2, likewise; of others the standard knows only that they are none of the internet, or no stream.
_FAMILIES = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}
_OTHER_FAMILIES = frozenset({0x00, 0x12, 0x22, 0x31, 0x32})


class NoProxyHeader(ValueError):
    """What came first is no PROXY header; the text says what is wrong."""


def parse_proxy_header(data: bytes) -> tuple[AddressPair | None, int] | None:
    """Understand a PROXY header.

    Args:
        data: what has arrived so far.

    Returns:
        Client and server as [host, port] (None: the proxy speaks for itself, or of other
        kinds of addresses), and how many bytes the header has. None: more must come first.

    Raises:
        NoProxyHeader: it is none.
    """
    if data.startswith(_SIGNATURE):
        return _parse_binary(data)
    if data.startswith(b"PROXY "):
        return _parse_line(data)
    if _SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return None
    raise NoProxyHeader("the connection does not begin with a PROXY header")


def _parse_line(data: bytes) -> tuple[AddressPair | None, int] | None:
    line, end, _ = data[:_LONGEST_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= _LONGEST_LINE:
            raise NoProxyHeader("the line does not end")
        return None
    words = line.decode("ascii", "replace").split(" ")
    size = len(line) + 2
    if words[1] == "UNKNOWN":
        return None, size
    if words[1] not in _LINES or len(words) != 6:
        raise NoProxyHeader("the line is not of the form PROXY TCP4 client server port port")
    hosts = [_host(word, _LINES[words[1]]) for word in words[2:4]]
    ports = [_port(word) for word in words[4:6]]
    return ([hosts[0], ports[0]], [hosts[1], ports[1]]), size


def _host(word: str, version: int) -> str:
    address = read_address(word)
    if address is None:
        raise NoProxyHeader("an address of the line is none")
    if address.version != version:
        raise NoProxyHeader(f"an address of the line is not of TCP{version}")
    return str(address)


def _port(word: str) -> int:
    port = read_port(word)
    if str(port) != word:
        raise NoProxyHeader("a port of the line is none")
    return port


def _parse_binary(data: bytes) -> tuple[AddressPair | None, int] | None:
    if len(data) < _HEAD:
        return None
    version, command, kind = data[12] >> 4, data[12] & 0x0F, data[13]
    size = _HEAD + int.from_bytes(data[14:16])
    if version != 2 or command > 1:
        raise NoProxyHeader("version or command of the header are unknown")
    if len(data) < size:
        return None
    if command == 0:
        return None, size
    if kind in _OTHER_FAMILIES:
        doubt("address")
        return None, size
    if kind not in _FAMILIES:
        raise NoProxyHeader("the address family of the header is unknown")
    family, width = _FAMILIES[kind]
    block = data[_HEAD:size]
    if len(block) < 2 * width + 4:
        raise NoProxyHeader("the header is too short for its addresses")
    hosts = [socket.inet_ntop(family, block[at : at + width]) for at in (0, width)]
    ports = [int.from_bytes(block[at : at + 2]) for at in (2 * width, 2 * width + 2)]
    return ([hosts[0], ports[0]], [hosts[1], ports[1]]), size


def trusted(runtime: Runtime, address: list[Any] | None) -> bool:
    """Whether a peer may say for whom it speaks."""
    return runtime.proxies is None or runtime.proxies.trusts(address)


def refused(reason: str, address: list[Any] | None) -> None:
    """Count a connection that ends because of its header."""
    telemetry.count("server.bad_proxy_header", reason=reason, client=address)


#: Why a peer that :func:`trusted` refuses is refused.
UNTRUSTED = "the peer is none of --trusted-proxies"
#: Why one that says nothing is.
TOO_SLOW = "the header did not arrive in time"


class ProxyHeaderHandler:
    """What a connection does until its PROXY header has arrived.

    A header that nobody sent, or that somebody sent who is no proxy, ends the connection:
    it would say a wrong address.
    """

    __slots__ = ("_begun", "_connection", "_deadline", "slot")

    def __init__(self, connection: HandledConnection) -> None:
        self._connection = connection
        self._begun = b""
        self._deadline = NEVER
        self.slot: Slot | None = None
        limit = connection.runtime.config.head_timeout
        if limit is not None:
            timers = connection.runtime.timers
            self._deadline = timers.now + limit
            timers.schedule(self, self._deadline)

    def data_received(self, data: bytes) -> None:
        """Read the header, and hand on what follows it."""
        if not trusted(self._connection.runtime, self._connection.client):
            self._refuse(UNTRUSTED)
            return
        self._begun += data
        try:
            found = parse_proxy_header(self._begun)
        except NoProxyHeader as error:
            self._refuse(str(error))
            return
        if found is not None:
            self._connection.runtime.timers.cancel(self)
            addresses, size = found
            self._connection.speak_for(addresses, self._begun[size:])

    def read_on(self) -> None:
        """Nothing waits to be parsed: the header is judged as it comes."""

    def eof_received(self) -> bool:
        """The peer has gone before it said who it is."""
        return False

    def peer_closed(self) -> None:
        """The connection is read all the time, so the close comes with ``eof_received``."""

    def connection_lost(self) -> None:
        """Let go of the time limit."""
        self._connection.runtime.timers.cancel(self)

    def stop(self) -> None:
        """Close: no request has begun."""
        self._connection.close()

    def on_due(self, now: float) -> float:
        """Refuse a peer whose header did not come in time."""
        if now < self._deadline:
            return self._deadline
        self._refuse(TOO_SLOW)
        return NEVER

    def _refuse(self, reason: str) -> None:
        refused(reason, self._connection.client)
        self._connection.close(linger=True)
