"""What systems lack: parts of Unix that this code uses where they are, and does without where they are not.

``docs/reference/platforms.md`` says what is missing on Windows and macOS.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

#: The family of Unix sockets; None where there are none (Windows).
UNIX: Final = getattr(socket, "AF_UNIX", None)
#: Whether the kernel copies files to sockets by itself (not on Windows).
HAS_SENDFILE: Final = hasattr(os, "sendfile")
#: Whether processes can hand listening sockets to others, and be told by signals to renew them.
HAS_WORKERS: Final = UNIX is not None and hasattr(signal, "SIGHUP")

#: Files that container engines put into each container: Docker, Podman.
CONTAINER_MARKS: Final = ("/.dockerenv", "/run/.containerenv")


def is_in_container() -> bool:
    """Whether this process runs in a container, as far as engines and Kubernetes say so."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(map(os.path.exists, CONTAINER_MARKS))


def after_fork_in_child(call: Callable[[], object]) -> None:
    """Call something in each child of a fork; systems without fork need nothing.

    Args:
        call: takes no arguments.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


def is_unix(sock: socket.socket) -> bool:
    """Whether a socket is one of the file system; never where there are none."""
    return UNIX is not None and sock.family == UNIX


def on_signal(
    loop: asyncio.AbstractEventLoop,
    number: int,
    call: Callable[[], Any],
    handler: Callable[[int, FrameType | None], Any] | None = None,
) -> None:
    """Let the loop call something when a signal comes, also where loops do not listen to signals.

    Args:
        loop: the running loop of the main thread.
        number: the signal.
        call: takes no arguments; runs in the loop.
        handler: runs at once, as a handler of :func:`signal.signal`, even while the loop is blocked.
    """

    def relay(number: int, frame: FrameType | None) -> None:
        if handler is not None:
            handler(number, frame)
        loop.call_soon_threadsafe(call)

    try:
        loop.add_signal_handler(number, call)
    except NotImplementedError:  # Windows
        signal.signal(number, relay)
        return
    if handler is not None:
        # In place of the loop's, which does nothing: a loop reads the numbers of signals from a pipe.
        signal.signal(number, handler)


def forget_signal(loop: asyncio.AbstractEventLoop, number: int) -> None:
    """Take back :func:`on_signal`.

    Args:
        loop: the same loop.
        number: the same signal.
    """
    try:
        loop.remove_signal_handler(number)
    except NotImplementedError:
        signal.signal(number, signal.SIG_DFL)
