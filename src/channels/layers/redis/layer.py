"""The channel layer over Redis."""

from __future__ import annotations

import functools
import math
import uuid
import weakref
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

from channels.exceptions import InvalidChannelLayerError, MessageTooLarge
from channels.layers.base import BaseChannelLayer
from channels.layers.local import LocalDelivery
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels
from channels.layers.names import is_process_local
from channels.layers.redis.addresses import Address, shard_of
from channels.layers.redis.clients import async_client
from channels.layers.redis.commands import Policy, Unavailable
from channels.layers.redis.faces import RedisSyncFace
from channels.layers.redis.hosts.keys import remove_keys
from channels.layers.redis.hosts.setting import Hosts, decode_hosts
from channels.layers.redis.inbox import NOTHING, log_full_members
from channels.layers.redis.process import Process
from channels.layers.redis.queues import Acknowledge
from channels.layers.redis.security.seals import OldEnvelopes, Seals
from channels.layers.redis.servers import servers_at
from channels.layers.serializers import registry
from channels.layers.settings import require_limits, require_numbers
from channels.layers.values import require_message
from channels.platforms import after_fork_in_child
from channels.typing import EventSource, Message

#: Bytes a message may have. Redis cuts off a subscriber that is 32 MiB behind, or 8 MiB for a minute.
MAX_MESSAGE_SIZE: Final = 8 * 1024 * 1024

#: What is raised where channels_redis 4.3 has keys of groups, for those who read them.
NO_GROUP_KEY: Final = (
    "Groups have no keys in Redis here. `await layer.group_channels(group)` returns the channels of a group, "
    "`await layer.group_count(group)` how many there are; `layer.sync` has both for sync code."
)


class RedisChannelLayer(BaseChannelLayer):
    """Carries messages between processes on many machines, over Redis 6 to 8 or Valkey.

    Groups and the channels of connections are carried by publish/subscribe: a message crosses
    once to each process that has members. Named channels wait in Redis until a worker takes
    the message; they are shared among workers, and what a worker had taken when it died goes
    to another.

    A channel of another process is full only there: ``send`` does not raise ChannelFull for
    it, the receiver counts the drop. A named channel stays in a group for as long as a
    process that added it lives.

    Args:
        hosts: list of servers, see :mod:`channels.layers.redis.addresses`.
        prefix: begins the names of everything in Redis.
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel without a consumer.
        capacity: unread messages a channel holds before it is full.
        channel_capacity: other capacities, by glob or compiled pattern.
        symmetric_encryption_keys: the first encrypts, all decrypt.
        random_prefix_length: random bytes before each serialized message; 0 and less mean none.
        serializer_format: "msgpack", "json" or what the registry knows.
        max_message_size: bytes a serialized message may have.
        on_unavailable: "raise" an error while Redis is away, or "wait" for it.
        unavailable_timeout: seconds to wait before raising after all.
        worker_timeout: seconds after which what a dead worker had taken goes to another.
        old_envelopes: with encryption, what to do with messages that are not bound to where they were
            sent, as releases before this one send them: "refuse" them, "accept" them, or "send" them too.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]

    def __init__(
        self,
        hosts: Any = None,
        prefix: str = "asgi",
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        symmetric_encryption_keys: Any = None,
        random_prefix_length: int = 12,
        serializer_format: str = "msgpack",
        *,
        max_message_size: int = MAX_MESSAGE_SIZE,
        on_unavailable: Unavailable = "raise",
        unavailable_timeout: float = 10.0,
        worker_timeout: float = 30.0,
        old_envelopes: OldEnvelopes = "refuse",
    ) -> None:
        require_limits(expiry, group_expiry, capacity, channel_capacity)
        require_numbers(0, unavailable_timeout=unavailable_timeout)
        require_numbers(-math.inf, random_prefix_length=random_prefix_length)
        require_numbers(1, max_message_size=max_message_size)
        require_numbers(0.001, worker_timeout=worker_timeout)
        if not isinstance(prefix, str):
            raise InvalidChannelLayerError(f"`prefix` (CHANNEL_LAYERS, CONFIG) must be text, got {prefix!r}.")
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        self.family = ""
        self.takes_anything = False
        self.servers = Hosts(hosts)
        self.hosts = decode_hosts(hosts)
        self.prefix = prefix
        self.group_expiry = group_expiry
        self.ring_size = len(self.servers)
        self.max_message_size = max_message_size
        self.worker_timeout = worker_timeout
        self.policy = Policy(on_unavailable, unavailable_timeout)
        self._serializer = registry.get_serializer(
            serializer_format,
            symmetric_encryption_keys=symmetric_encryption_keys,
            random_prefix_length=random_prefix_length,
            expiry=expiry,
        )
        self.seals = Seals(symmetric_encryption_keys, old_envelopes)
        self._begin()
        _layers.add(self)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The servers as ``hosts`` names them; raises ValueError or TypeError for a mistake in it."""
        return self.servers.addresses

    def _begin(self) -> None:
        """Start with nothing, in a new process or a forked one."""
        self.client_prefix = uuid.uuid4().hex
        self.local = LocalDelivery(
            self.get_capacity,
            self.expiry,
            self.group_expiry,
            self.label,
            on_full=log_full_members,
            expiry_ends_memberships=False,
        )
        self.process = Process(self)

    @property
    def label(self) -> str:
        """What it is and where its servers are, for the log; no password."""
        return f"{type(self).__name__} {self.servers.label} prefix={self.prefix!r} capacity={self.capacity}"

    def __repr__(self) -> str:
        """Say what it is, where its servers are, and whether it is connected; no password."""
        connected = self.process.connections.loops or self.process.connections.topics
        return f"<{self.label}, {'connected' if connected else 'not connected'}>"

    # Messages

    def serialize(self, message: Message) -> bytes:
        """Return ``message`` as bytes; raises TypeError if a value cannot travel."""
        data: bytes = self._serializer.serialize(message)
        return data

    def deserialize(self, message: bytes) -> Message:
        """Return the message that ``serialize`` made these bytes of."""
        found: Message = self._serializer.deserialize(message)
        return found

    def checked(self, message: Message) -> bytes:
        """Return ``message`` as bytes that may be sent.

        Raises:
            InvalidMessageError: it is no dict.
            TypeError: a value cannot travel; the text names its key.
            MessageTooLarge: it has more than ``max_message_size`` bytes.
        """
        if not self.takes_anything:
            require_message(message)
        elif message is None:
            raise TypeError("None is no message: a receiver could not tell it from there being none.")
        body = self.serialize(message)
        if len(body) > self.max_message_size:
            kind = message.get("type") if isinstance(message, dict) else type(message).__name__
            raise MessageTooLarge(
                f"A message of type {kind!r} has {len(body)} bytes, the layer carries "
                f"{self.max_message_size} (CONFIG['max_message_size']). Send where the data can be found "
                "instead."
            )
        return body

    def is_own(self, channel: str) -> bool:
        """Whether ``channel`` is one of this process; raises AssertionError for another layer's prefix."""
        return f".{self.client_prefix}!" in channel

    def waits_in_redis(self, channel: str) -> bool:
        """Whether messages of ``channel`` wait in Redis for whoever takes them."""
        return not is_process_local(channel)

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has; every process can send to it from now on."""
        await self.process.listen()
        return f"{prefix}.{self.client_prefix}!{uuid.uuid4().hex}"

    async def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``.

        Raises:
            ChannelFull: a named channel, or one of this process, is over capacity.
            RedisUnavailable: it may not have arrived.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        body = self.checked(message)
        self.require_valid_channel_name(channel)
        if self.is_own(channel):
            self.local.send(channel, message)
        elif self.waits_in_redis(channel):
            await self.process.queues.send(channel, self.get_capacity(channel), body)
        else:
            await self.process.publish_to_channel(channel, body)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none.

        Raises:
            AssertionError: the channel belongs to another process.
            RedisUnavailable: Redis was never reached; once it was, this waits for it.
        """
        self.require_valid_channel_name(channel)
        if self.waits_in_redis(channel):
            while True:
                message = self._readable(await self.process.queues.receive(channel))
                if message is not NOTHING:
                    return message
        self._require_own(channel)
        await self.process.listen()
        return await self.local.receive(channel)

    pushing_receive = receive

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """Wait for the oldest message of a named channel, and keep it from others.

        Await the second result when the message is done with. If this process ends before, another
        gets the message after ``worker_timeout``. Cancelling loses none.
        """
        self.require_valid_channel_name(channel)
        if not self.waits_in_redis(channel):
            return await self.receive(channel), nothing
        while True:
            body, acknowledge = await self.process.queues.take(channel)
            message = self._readable(body)
            if message is not NOTHING:
                return message, acknowledge
            await acknowledge()

    def _readable(self, body: bytes | None) -> Message | Any:
        """Return the message; one that cannot be read is counted, and not left for others to fail on."""
        return self.process.inbox.open(body)

    def _require_own(self, channel: str) -> None:
        if not self.is_own(channel):
            raise AssertionError(
                f"Wrong client prefix: {channel!r} belongs to another process, or to this one before a fork; "
                "receive on names that this layer's new_channel() returned, or on names without '!'."
            )

    # Groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``; returns when Redis has confirmed.

        Raises:
            RedisUnavailable: the membership did not come about.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await self.process.join(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await self.process.leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel, in all processes.

        Full members miss it and are counted, in their process.

        Raises:
            RedisUnavailable: it may not have arrived.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        body = self.checked(message)
        self.require_valid_group_name(group)
        await self.process.publish_to_group(group, body)

    async def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:  # noqa: ASYNC109
        """Return the channels of ``group``, in all processes.

        Args:
            group: its name.
            timeout: seconds that other processes have to answer.

        Returns:
            A sorted list; its ``unanswered`` is how many processes did not answer in time: their channels are
            missing. Those of this process are exact.

        Raises:
            RedisUnavailable: nobody could be asked.
        """
        self.require_valid_group_name(group)
        return await self.process.members(group, timeout)

    def _group_key(self, group: str) -> bytes:
        raise NotImplementedError(NO_GROUP_KEY)

    def _map_channel_keys_to_connection(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(NO_GROUP_KEY)

    # Life

    def on_interrupted(self) -> None:
        """Called when the subscriptions are lost: messages may be missed until they are back."""

    def on_restored(self, seconds: float) -> None:
        """Called when the subscriptions are back, after ``seconds``; tells consumers that ask."""
        self.local.notify_reconnected({"seconds": seconds})

    @functools.cached_property
    def sync(self) -> RedisSyncFace:
        """The layer for sync code."""
        return RedisSyncFace(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages."""
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        self.process.detached(self.local.detach(channel))

    def statistics(self) -> dict[str, Any]:
        """Return counts: channels, groups, memberships, unread, delivered, dropped by reason.

        Under "redis": topics subscribed, loops with connections, interruptions, unacknowledged.
        """
        return {**self.local.statistics(), "redis": self.process.statistics()}

    async def flush(self) -> None:
        """Remove the keys of this prefix, forget all memberships of this process, close connections.

        A prefix that only begins with the same letters keeps its keys.

        Raises:
            RedisUnavailable: keys may be left.
        """
        self.local.flush()
        self.process.forget_memberships()
        for address in self.addresses:
            await remove_keys(servers_at(address), self.process.names)
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection of the running loop; the layer may be used again."""
        await self.process.aclose()

    async def close_pools(self) -> None:
        """Close every connection of the running loop, as :meth:`aclose`."""
        await self.aclose()

    def consistent_hash(self, value: str | bytes) -> int:
        """Return which of ``hosts`` the name ``value`` belongs to."""
        return shard_of(value, self.ring_size)

    def connection(self, index: int) -> AbstractAsyncContextManager[Any]:
        """Lend a redis-py client for the entry ``index`` of ``hosts``, for work of one's own."""
        return async_client(self.addresses[index])

    @property
    def _layers(self) -> Mapping[Any, Any]:
        """The connections by event loop; 4.3 has them under this name, and tests look."""
        return self.process.connections.loops


async def nothing() -> None:
    """Acknowledge a message that was in this process already."""


_layers: weakref.WeakSet[RedisChannelLayer] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for layer in list(_layers):
        layer._begin()


after_fork_in_child(_after_fork_in_child)
