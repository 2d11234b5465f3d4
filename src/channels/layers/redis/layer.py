"""The channel layer over Redis."""

from __future__ import annotations

import functools
import math
import uuid
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.exceptions import InvalidChannelLayerError
from channels.layers.base import BaseChannelLayer
from channels.layers.durable import DurableLayer, durable_layer
from channels.layers.engine import computed, set_engine
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.layers.redis.connect.clients import async_client
from channels.layers.redis.connect.commands import Policy, Unavailable
from channels.layers.redis.engine import RedisEngine, redis_engine
from channels.layers.redis.hosts.addresses import Address, shard_of
from channels.layers.redis.hosts.setting import Hosts, decode_hosts
from channels.layers.redis.queues.work_queues import Acknowledge
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.sync import RedisSyncLayer
from channels.layers.redis.wire.encryption import EnvelopeCipher, OldEnvelopes
from channels.layers.serializers import registry
from channels.layers.settings import require_limits, require_numbers
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
        hosts: list of servers, see :mod:`channels.layers.redis.hosts.addresses`.
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
        repair_window: seconds for which what was published is kept for processes that have missed it; 0: not
            at all.
        repair_buffer: bytes that a process keeps for that, and bytes of messages that may wait in it for ones
            that are missing.
        repair_timeout: seconds that messages wait for ones that are missing before them.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]
    client_prefix: str

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
        repair_window: float = 30.0,
        repair_buffer: int = 16 * 1024 * 1024,
        repair_timeout: float = 10.0,
    ) -> None:
        require_limits(expiry, group_expiry, capacity, channel_capacity)
        require_numbers(0, unavailable_timeout=unavailable_timeout)
        require_numbers(-math.inf, random_prefix_length=random_prefix_length)
        require_numbers(1, max_message_size=max_message_size)
        require_numbers(0.001, worker_timeout=worker_timeout)
        if not isinstance(prefix, str):
            raise InvalidChannelLayerError(f"`prefix` (CHANNEL_LAYERS, CONFIG) must be text, got {prefix!r}.")
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        servers = Hosts(hosts)
        self.hosts = decode_hosts(hosts)
        self.prefix = prefix
        self.group_expiry = group_expiry
        self.ring_size = len(self.hosts)
        self._serializer = registry.get_serializer(
            serializer_format,
            symmetric_encryption_keys=symmetric_encryption_keys,
            random_prefix_length=random_prefix_length,
            expiry=expiry,
        )
        engine = RedisEngine(
            self,
            RedisChannelLayer.receive,
            servers,
            Policy(on_unavailable, unavailable_timeout),
            EnvelopeCipher(symmetric_encryption_keys, old_envelopes),
            max_message_size,
            worker_timeout,
            RepairLimits(repair_window, repair_buffer, repair_timeout),
        )
        set_engine(self, engine)
        engine.begin()

    @computed
    def addresses(self) -> tuple[Address, ...]:
        """The servers as ``hosts`` names them; raises ValueError or TypeError for a mistake in it."""
        return redis_engine(self).addresses

    def __repr__(self) -> str:
        """Say what it is, where its servers are, and whether it is connected; no password."""
        return redis_engine(self).description

    # Messages

    def serialize(self, message: Message) -> bytes:
        """Return ``message`` as bytes; raises TypeError if a value cannot travel."""
        data: bytes = self._serializer.serialize(message)
        return data

    def deserialize(self, message: bytes) -> Message:
        """Return the message that ``serialize`` made these bytes of."""
        found: Message = self._serializer.deserialize(message)
        return found

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has; every process can send to it from now on."""
        engine = redis_engine(self)
        await engine.node.listen()
        return f"{prefix}.{engine.client_prefix}!{uuid.uuid4().hex}"

    async def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``.

        Raises:
            ChannelFull: a named channel, or one of this process, is over capacity.
            RedisUnavailable: it may not have arrived.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        engine = redis_engine(self)
        if telemetry.carry is not None:
            message = telemetry.carry(channel, message)
        body = engine.checked(message)
        self.require_valid_channel_name(channel)
        if engine.is_own(channel):
            engine.local.send(channel, message)
        elif engine.waits_in_redis(channel):
            await engine.node.work_queues.send(channel, self.get_capacity(channel), body)
        else:
            await engine.node.publish_to_channel(channel, body)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none.

        Raises:
            AssertionError: the channel belongs to another process.
            RedisUnavailable: Redis was never reached; once it was, this waits for it.
        """
        return await redis_engine(self).receive(channel)

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """Wait for the oldest message of a named channel, and keep it from others.

        Await the second result when the message is done with. If this process ends before, another
        gets the message after ``worker_timeout``. Cancelling loses none.
        """
        return await redis_engine(self).take(channel)

    # Groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``; returns when Redis has confirmed.

        Raises:
            RedisUnavailable: the membership did not come about.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await redis_engine(self).node.join(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await redis_engine(self).node.leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel, in all processes.

        Full members miss it and are counted, in their process. It is not accepted before this process is
        subscribed again, if an interruption has ended its subscriptions: that is waited for, at most
        ``unavailable_timeout`` seconds.

        Raises:
            RedisUnavailable: it may not have arrived.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        engine = redis_engine(self)
        if telemetry.carry is not None:
            message = telemetry.carry(group, message)
        body = engine.checked(message)
        self.require_valid_group_name(group)
        if delivery_log.note is not None:
            delivery_log.note("group", group, "published", message=message)
        await engine.node.publish_to_group(group, body)

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
        return await redis_engine(self).node.members(group, timeout)

    async def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:  # noqa: ASYNC109
        """Return how many channels ``group`` has: an int with ``unanswered``, see :meth:`group_channels`."""
        self.require_valid_group_name(group)
        return (await redis_engine(self).node.members(group, timeout)).count

    def _group_key(self, group: str) -> bytes:
        raise NotImplementedError(NO_GROUP_KEY)

    def _map_channel_keys_to_connection(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(NO_GROUP_KEY)

    # Life

    @functools.cached_property
    def sync(self) -> RedisSyncLayer:
        """The layer for sync code."""
        return redis_engine(self).sync

    @computed
    def durable(self) -> DurableLayer:
        """The layer for messages that are sent after a transaction, by the app ``channels.outbox``."""
        return durable_layer(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages."""
        return redis_engine(self).attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        redis_engine(self).detach(channel)

    def statistics(self) -> dict[str, Any]:
        """Return counts: channels, groups, memberships, unread, delivered, dropped by reason.

        Under "redis": topics subscribed, loops with connections, interruptions, unacknowledged; messages
        that were missing and came (repaired) or did not (unrepaired, by reason), bytes kept for others, and
        bytes that wait for what is missing (held).
        """
        engine = redis_engine(self)
        return {**engine.local.statistics(), "redis": engine.node.statistics()}

    async def flush(self) -> None:
        """Remove the keys of this prefix, forget all memberships of this process, close connections.

        A prefix that only begins with the same letters keeps its keys.

        Raises:
            RedisUnavailable: keys may be left.
        """
        await redis_engine(self).flush()

    async def aclose(self) -> None:
        """Close every connection of the running loop; the layer may be used again."""
        await redis_engine(self).node.aclose()

    async def close_pools(self) -> None:
        """Close every connection of the running loop, as :meth:`aclose`."""
        await redis_engine(self).node.aclose()

    def consistent_hash(self, value: str | bytes) -> int:
        """Return which of ``hosts`` the name ``value`` belongs to."""
        return shard_of(value, self.ring_size)

    def connection(self, index: int) -> AbstractAsyncContextManager[Any]:
        """Lend a redis-py client for the entry ``index`` of ``hosts``, for work of one's own."""
        return async_client(redis_engine(self).addresses[index])

    @computed
    def _layers(self) -> Mapping[Any, Any]:
        """The connections by event loop; 4.3 has them under this name, and tests look."""
        return redis_engine(self).node.connections.loops
