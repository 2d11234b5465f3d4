"""Descriptors: how many files this process may open (RLIMIT_NOFILE, getrlimit(2)), and the first three.

Each connection is one.
"""

from __future__ import annotations

import contextlib
import os

try:
    import resource
except ImportError:  # Windows: no such limit
    resource = None  # type: ignore[assignment]

#: Descriptors that connections never take: the last ones, so that accept() itself always finds one.
MARGIN = 16
#: The part of all descriptors that is left to the application: files, databases, caches.
_RESERVE = 0.1
_SMALLEST_RESERVE, _LARGEST_RESERVE = 64, 1024


def descriptor_limit() -> int | None:
    """Return how many files this process may open; None for no limit."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Open as many files as this user may at all, not as many as programs with ``select()`` can bear.

    Systems keep the soft limit at 1,024 for those; ours waits with epoll or kqueue.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS says "unlimited" and does not mean it.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def occupy_standard_streams() -> None:
    """Open the null device as whichever of stdin, stdout and stderr this process was started without.

    The next socket would get the number instead: what anybody prints would go to a client, and libuv
    ends a process that closes such a socket.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # this number, being the lowest one that is free
            os.set_inheritable(opened, True)


def room_for_connections(limit: int | None) -> int:
    """Return how many connections fit beside the application.

    Args:
        limit: of :func:`descriptor_limit`.

    Returns:
        At least 1; 0 where there is no limit.
    """
    if limit is None:
        return 0
    reserve = min(_LARGEST_RESERVE, max(_SMALLEST_RESERVE, int(_RESERVE * limit)))
    return max(1, limit - reserve)
