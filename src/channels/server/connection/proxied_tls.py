"""The PROXY protocol in front of TLS: the header in clear text, then the handshake."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from channels.server.connection.interfaces import AddressPair
from channels.server.connection.proxy_protocol import (
    TOO_SLOW,
    UNTRUSTED,
    NoProxyHeader,
    parse_proxy_header,
    refused,
    trusted,
)
from channels.server.runtime import Runtime

#: How much is looked at at a time, in bytes.
_GLANCE = 4096


async def read_proxy_header(
    runtime: Runtime, sock: socket.socket, peer: list[Any] | None
) -> AddressPair | None:
    """Read a header from a socket that no transport has yet, and not one byte of what is behind it.

    Args:
        runtime: says whom to believe, and how long to wait.
        sock: does not block.
        peer: who is connected.

    Returns:
        Client and server as [host, port]; None: the proxy speaks for itself.

    Raises:
        ConnectionError: there is no header that is to be believed; that is counted.
        OSError: the peer has gone.
    """
    try:
        if not trusted(runtime, peer):
            raise NoProxyHeader(UNTRUSTED)
        async with asyncio.timeout(runtime.config.head_timeout):
            return await _read(runtime.loop, sock)
    except NoProxyHeader as error:
        reason = str(error)
    except TimeoutError:
        reason = TOO_SLOW
    refused(reason, peer)
    raise ConnectionError(reason)


async def _read(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> AddressPair | None:
    begun = b""
    while True:
        await _wait_readable(loop, sock)
        seen = sock.recv(_GLANCE, socket.MSG_PEEK)
        if not seen:
            raise NoProxyHeader("the connection ended in its header")
        found = parse_proxy_header(begun + seen)
        begun += sock.recv(len(seen) if found is None else found[1] - len(begun))
        if found is not None:
            return found[0]


async def _wait_readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    readable = asyncio.Event()
    loop.add_reader(sock.fileno(), readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock.fileno())
