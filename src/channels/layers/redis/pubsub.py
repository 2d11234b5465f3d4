"""The layer over Redis in which named channels are topics as well: all who receive get a message."""

from __future__ import annotations

from typing import Any

from channels.layers.engine import computed
from channels.layers.local.channel import LocalChannel
from channels.layers.redis.engine import Notice, redis_engine
from channels.layers.redis.layer import RedisChannelLayer


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
        super().__init__(hosts, prefix, random_prefix_length=random_prefix_length, **kwargs)
        engine = redis_engine(self)
        engine.family = "" if shared_names else "pubsub-"
        engine.publishes_named = True
        engine.on_disconnect, engine.on_reconnect = on_disconnect, on_reconnect
        engine.begin()

    @computed
    def on_disconnect(self) -> Notice:
        """What consumers are told when the connection to Redis is lost; or a function to call."""
        return redis_engine(self).on_disconnect

    @computed
    def on_reconnect(self) -> Notice:
        """The same for when it is back."""
        return redis_engine(self).on_reconnect

    @computed
    def channels(self) -> dict[str, LocalChannel]:
        """The channels of this process that hold messages or have a receiver, by name."""
        return redis_engine(self).local.channels

    @computed
    def groups(self) -> dict[str, dict[str, float]]:
        """The members that each group has in this process, and when (monotonic seconds) each joined."""
        return redis_engine(self).local.groups
