"""Whether somebody listens to a group under another prefix: processes of one project must have the same."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import time
from collections.abc import Iterable
from typing import Any, Final

from channels.layers.redis.connect.blocking import BlockingClient, BlockingClients
from channels.layers.redis.connect.commands import Commands
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.wire.keys import KeySpace, Topic

logger = logging.getLogger("channels.layers")

#: Seconds between the first two looks; each pause is twice as long as the one before.
FIRST_PAUSE: Final = 10.0


class OtherPrefixes:
    """Looks now and then for listeners elsewhere, when a message for a group has reached no process.

    An empty group is no mistake, so messages are not held up for it: a process looks some dozen times a day,
    and Redis then goes through the names of all that is subscribed to.

    Args:
        names: of the layer in Redis.
    """

    def __init__(self, names: KeySpace) -> None:
        self._names = names
        self._next, self._pause = -math.inf, FIRST_PAUSE

    def due(self) -> bool:
        """Whether it is time to look; then the next time is later."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next, self._pause = now + self._pause, self._pause * 2
        return True

    async def look(self, commands: Commands, topic: Topic) -> None:
        """Look where a message on the topic of a group has reached nobody."""
        with contextlib.suppress(RedisUnavailable):  # or the right to ask is missing
            self._tell(topic.name, await commands.execute(topic.name, topic.key, _question(topic.name)))

    def look_blocking(self, clients: BlockingClients, topic: Topic) -> None:
        """As :meth:`look`, with clients for sync code."""
        question = _question(topic.name)

        def ask(client: BlockingClient) -> Any:
            return client.ask(topic.key, *question(client.sharded))

        with contextlib.suppress(RedisUnavailable):
            self._tell(topic.name, clients.run(topic.name, ask))

    def _tell(self, group: str, found: Iterable[bytes]) -> None:
        """Log who listens elsewhere, once in the life of the process; ``found`` are names in Redis."""
        own = self._names.topic("group", group).key
        other = next((name for name in sorted(found) if name != own), None)
        if other is None:
            return
        self._next = math.inf
        logger.warning(
            "A message for group %s has reached nobody: it went to %s in Redis, and somebody listens to %s. "
            "Give processes of one project the same `prefix` and kind of layer in CHANNEL_LAYERS; that two "
            "projects share a Redis is no mistake.",
            group,
            own.decode("utf-8", "replace"),
            other.decode("utf-8", "replace"),
        )


def _question(group: str) -> functools.partial[tuple[str, str, str]]:
    return functools.partial(_command, f"*:*group:{group}")


def _command(pattern: str, sharded: bool) -> tuple[str, str, str]:
    """Return the command that names what is subscribed to; in a cluster, at one server of it."""
    return ("PUBSUB", "SHARDCHANNELS" if sharded else "CHANNELS", pattern)
