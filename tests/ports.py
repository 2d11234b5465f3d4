"""Ports for programs that have to be told one: free, and free until this process ends.

A port that was free a moment ago may be anybody's by the time the program listens there: another
test's server gets it, or, while a server is restarted, the very client that tries to reach it
(the kernel gives it as the client's own port, and the client is connected to itself).
"""

from __future__ import annotations

import socket

#: Bound and never listening: others are not given the port, and a server that says SO_REUSEADDR may listen.
_reserved: list[socket.socket] = []


def free_port(below: int = 65536) -> int:
    """A port of 127.0.0.1 that is this process's to give.

    Args:
        below: the port is a smaller one; the bus of a Redis cluster needs the one 10,000 above as well.
    """
    while True:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        _reserved.append(sock)
        port = int(sock.getsockname()[1])
        if port < below:
            return port
