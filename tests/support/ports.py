"""Ports for programs that have to be told one: free, and free until this process ends.

A port that was free a moment ago may be anybody's by the time the program listens there: another
test's server gets it, or, while a server is restarted, the very client that tries to reach it
(the kernel gives it as the client's own port, and the client is connected to itself).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

#: Bound and never listening: others are not given the port, and a server that says SO_REUSEADDR may listen.
_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that is this process's to give."""
    port = _reserve(0)
    assert port
    return port


def free_cluster_port() -> int:
    """A port for a server of a Redis cluster, whose bus has the port 10,000 above, reserved as well."""
    return free_port_and([10_000])


def free_port_and(further: Iterable[int]) -> int:
    """A port, with those that are so many above it reserved as well.

    Args:
        further: what to add to the port, each time; at most 10,000.
    """
    further = tuple(further)
    while True:
        port = free_port()
        if port < 55_000 and all([_reserve(port + more) for more in further]):
            return port


def _reserve(port: int) -> int | None:
    """Keep a port, any for 0; None if somebody else has it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    _reserved.append(sock)
    return int(sock.getsockname()[1])
