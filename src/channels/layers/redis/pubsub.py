"""The layer over Redis in which named channels are topics as well: all who receive get a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.layers.channel import LocalChannel
from channels.layers.redis.layer import RedisChannelLayer, nothing
from channels.layers.redis.queues import Acknowledge
from channels.typing import Message

#: The type of a message for consumers, or a function.
Notice = str | Callable[[], object] | None


class RedisPubSubChannelLayer(RedisChannelLayer):
    """As :class:`RedisChannelLayer`, but a named channel is published, too.

    What is sent to a named channel reaches every process that receives on it at the time, each
    of them once. Only if there is none it waits in Redis for the first. Workers that share jobs
    need :class:`RedisChannelLayer`.

    Args:
        hosts: as :class:`RedisChannelLayer`.
        prefix: as :class:`RedisChannelLayer`.
        on_disconnect: type of the message that consumers get when the connection to
            Redis is lost; or a function to call.
        on_reconnect: the same for when it is back.
        random_prefix_length: random bytes before each serialized message.
        shared_names: use the names in Redis that earlier releases used, which RedisChannelLayer under the
            same prefix uses as well: the two then disturb each other.
        kwargs: as :class:`RedisChannelLayer`.
    """

    def __init__(
        self,
        hosts: Any = None,
        prefix: str = "asgi",
        on_disconnect: Notice = None,
        on_reconnect: Notice = None,
        random_prefix_length: int = 0,
        shared_names: bool = False,
        **kwargs: Any,
    ) -> None:
        self.on_disconnect = on_disconnect
        self.on_reconnect = on_reconnect
        super().__init__(hosts, prefix, random_prefix_length=random_prefix_length, **kwargs)
        self.family = "" if shared_names else "pubsub-"
        self.takes_anything = True
        self._begin()

    @property
    def channels(self) -> dict[str, LocalChannel]:
        """The channels of this process that hold messages or have a receiver, by name."""
        return self.local.channels

    @property
    def groups(self) -> dict[str, dict[str, float]]:
        """The members that each group has in this process, and when (monotonic seconds) each joined."""
        return self.local.groups

    def waits_in_redis(self, channel: str) -> bool:
        """Nothing waits that somebody could be told of at once."""
        return False

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none."""
        self.require_valid_channel_name(channel)
        if "!" not in channel:
            await self.process.listen_to(channel)
            return await self.local.receive(channel)
        return await super().receive(channel)

    pushing_receive = receive

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """Wait for the oldest message; there is nothing to acknowledge."""
        return await self.receive(channel), nothing

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        super().detach(channel)
        self.process.channel_detached(channel)

    def on_interrupted(self) -> None:
        """See :meth:`RedisChannelLayer.on_interrupted`; tells consumers as ``on_disconnect`` says."""
        self._notify(self.on_disconnect)
        super().on_interrupted()

    def on_restored(self, seconds: float) -> None:
        """See :meth:`RedisChannelLayer.on_restored`; tells consumers as ``on_reconnect`` says."""
        self._notify(self.on_reconnect)
        super().on_restored(seconds)

    def _notify(self, notice: Notice) -> None:
        if callable(notice):
            notice()
        elif notice is not None:
            self.local.notify_receivers({"type": notice})
