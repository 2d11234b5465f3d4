"""Hearing by pub/sub that there is work."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from channels.layers.redis.connect.blocking import BlockingClient, BlockingClients
from channels.layers.redis.connect.errors import RedisUnavailable

logger = logging.getLogger("channels.tasks")

#: Seconds after which it is looked whether to end; what is said meanwhile is heard at once.
_LOOK: Final = 1.0
#: Seconds before it subscribes again after the connection was lost: from, to.
_PAUSES: Final = (0.1, 5.0)


class Hearing(threading.Thread):
    """Calls a function for each message to a channel of Redis, and whenever some may have been missed.

    Args:
        clients: of the server.
        callbacks: by channel; called in this thread.
    """

    def __init__(self, clients: BlockingClients, callbacks: Mapping[bytes, Callable[[], None]]) -> None:
        super().__init__(name="tasks in Redis", daemon=True)
        self._clients, self._callbacks = clients, callbacks
        self._ended = threading.Event()

    def run(self) -> None:
        """Hear until :meth:`close`."""
        pause, longest = _PAUSES
        while not self._ended.is_set():
            try:
                self._clients.run("", self._hear)
                pause = _PAUSES[0]
            except Exception as error:  # redis-py has several for a connection that another thread has closed
                level = logging.DEBUG if isinstance(error, RedisUnavailable) else logging.WARNING
                if not self._ended.is_set():
                    logger.log(level, "Wake-ups are not heard for now: %s", error)
                self._ended.wait(pause)
                pause = min(pause * 2, longest)

    def close(self) -> None:
        """End it soon."""
        self._ended.set()

    def _hear(self, client: BlockingClient) -> None:
        with contextlib.closing(client.redis.pubsub()) as pubsub:
            pubsub.subscribe(*self._callbacks)
            while not self._ended.is_set():
                message = pubsub.get_message(timeout=_LOOK)
                if message is not None:  # that it is subscribed is one, too: what came before was missed
                    self._callbacks[_as_bytes(message["channel"])]()


def _as_bytes(name: Any) -> bytes:
    return name.encode() if isinstance(name, str) else bytes(name)
