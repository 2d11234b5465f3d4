"""Where the broker listens, and who may come in."""

from __future__ import annotations

import logging
from collections.abc import Callable

from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire.poll_loop import PollLoop
from channels.layers.host.wire.runtime_dir import RuntimeDirectory, require_same_user

logger = logging.getLogger("channels.layers")


class Listener:
    """Accepts connections of this user's processes.

    Args:
        runtime_dir: where to listen; its lock is held.
        loop: whose thread to use.
        welcome: called with each new process.
    """

    def __init__(
        self, runtime_dir: RuntimeDirectory, loop: PollLoop, welcome: Callable[[Peer], None]
    ) -> None:
        self._loop = loop
        self._welcome = welcome
        self._listener = runtime_dir.listen()
        loop.watch(self._listener, self.accept)

    def accept(self, readable: bool) -> None:
        """Let one process in; harmless if none is there."""
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        try:
            require_same_user(sock)
        except PermissionError as error:
            logger.warning("The broker of the host layer has refused a connection: %s", error)
            sock.close()
            return
        sock.setblocking(False)
        self._welcome(Peer(sock))

    def close(self) -> None:
        """Listen no more."""
        self._loop.forget(self._listener)
        self._listener.close()

    def abandon(self) -> None:
        """Close what a forked child has inherited."""
        self._listener.close()
