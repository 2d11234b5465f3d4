"""How much of what was sent a peer has read, which tells a slow reader from a dead one.

In clear text the bytes that wait in the transport tell it. With TLS they do not: a transport encrypts
all that it is given at once, hands it to the transport below, and says then that nothing waits. There
the kernel is asked what the peer has acknowledged (Linux; elsewhere the transport is believed).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any

#: Of Linux's ``struct tcp_info``: packets under way, bytes acknowledged, bytes not sent yet.
_UNACKNOWLEDGED, _ACKNOWLEDGED, _UNSENT = (
    struct.Struct("=24xI"),
    struct.Struct("=120xQ"),
    struct.Struct("=144xI"),
)
_INFO_SIZE = 148


class SendProgress:
    """A look at a connection, to be compared with a later one.

    Args:
        transport: the connection.
        tls: whether it is encrypted.

    Attributes:
        left: something waited to be taken. With TLS this is about what the kernel has; should the
            loop be late in filling it, a later look at what was taken tells.
    """

    __slots__ = ("_taken", "left")

    def __init__(self, transport: asyncio.Transport, *, tls: bool) -> None:
        info = _tcp_info(transport.get_extra_info("socket")) if tls else b""
        if info:
            self._taken: int = _ACKNOWLEDGED.unpack_from(info)[0]
            self.left = any(field.unpack_from(info)[0] for field in (_UNACKNOWLEDGED, _UNSENT))
        else:
            unsent = transport.get_write_buffer_size()
            self._taken, self.left = -unsent, unsent > 0

    def since(self, earlier: SendProgress) -> int:
        """Return how many bytes were taken since an earlier look."""
        return self._taken - earlier._taken


def unacknowledged(sock: socket.socket) -> int:
    """Return what the kernel counts as such: of a listening socket, the connections that wait to be accepted.

    0 where it tells nothing of the kind.
    """
    info = _tcp_info(sock)
    return int(_UNACKNOWLEDGED.unpack_from(info)[0]) if info else 0


def _tcp_info(sock: Any) -> bytes:
    """Return what the kernel tells of a socket; empty where it tells nothing of the kind."""
    if sys.platform != "linux" or sock is None:
        return b""
    try:
        info: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
    except OSError:  # no TCP, or closed already
        return b""
    return info if len(info) == _INFO_SIZE else b""
