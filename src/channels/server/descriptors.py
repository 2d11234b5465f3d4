"""How many files this process may open: each connection is one (RLIMIT_NOFILE, getrlimit(2))."""

from __future__ import annotations

import contextlib
import resource

#: Descriptors that connections never take: the last ones, so that accept() itself always finds one.
MARGIN = 16
#: The part of all descriptors that is left to the application: files, databases, caches.
_RESERVE = 0.1
_SMALLEST_RESERVE, _LARGEST_RESERVE = 64, 1024


def descriptor_limit() -> int | None:
    """Returns how many files this process may open; None for no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Open as many files as this user may at all, not as many as programs with ``select()`` can bear.

    Systems keep the soft limit at 1,024 for those; ours waits with epoll or kqueue.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS says "unlimited" and does not mean it.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room_for_connections(limit: int | None) -> int:
    """Returns how many connections fit beside the application.

    Args:
        limit: of :func:`descriptor_limit`.

    Returns:
        At least 1; 0 where there is no limit.
    """
    if limit is None:
        return 0
    reserve = min(_LARGEST_RESERVE, max(_SMALLEST_RESERVE, int(_RESERVE * limit)))
    return max(1, limit - reserve)
