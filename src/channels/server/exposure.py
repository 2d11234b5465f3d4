"""What a server lets strangers do: what is open on each endpoint, and what of it is dangerous."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence

from channels.server.config import Config
from channels.server.trust import UNIX

_UPGRADE = (
    "--http2-upgrade is on beside --trusted-proxies: a proxy that passes the upgrade on becomes a tunnel, "
    "and its rules hold for the first request only. Leave it out; proxies speak HTTP/2 with prior knowledge."
)
_OPEN_SOCKET = (
    "Every user of this machine may connect to {path}, and --trusted-proxies believes whoever does (unix). "
    "Give the socket to the proxy's group: -e unix:{path}:mode=660, or SocketMode=0660 in a .socket unit."
)


def dangers(config: Config, open_paths: Sequence[str]) -> list[str]:
    """Name what of a configuration gives away what it guards elsewhere; each sentence has its remedy.

    Args:
        config: the settings.
        open_paths: the Unix sockets that every user of the machine may connect to.
    """
    trusted = config.trusted_proxies or ()
    found = [_UPGRADE] if trusted and config.http2 and config.http2_upgrade else []
    if UNIX in trusted:
        found += [_OPEN_SOCKET.format(path=path) for path in open_paths]
    return found


def open_to_everybody(sock: socket.socket) -> str | None:
    """Return the path of a Unix socket that every user of the machine may connect to; None for any other."""
    if sock.family != socket.AF_UNIX or not (path := os.fsdecode(sock.getsockname())):
        return None
    try:
        # In Linux's namespace of abstract names there are no permissions at all.
        if path[0] == "\0":
            return f"@{path[1:]}"
        return path if os.stat(path).st_mode & stat.S_IWOTH else None
    except OSError:
        return None
