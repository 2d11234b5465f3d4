"""What works for a layer over Redis: its settings, its process, what it takes and what it delivers."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.layers.base import BaseChannelLayer
from channels.layers.engine import engine_reader
from channels.layers.local.carried import on_wire
from channels.layers.local.delivery import LocalDelivery
from channels.layers.local.values import require_message, too_large
from channels.layers.names import is_process_local
from channels.layers.redis.connect.commands import Policy
from channels.layers.redis.connect.flush import remove_keys
from channels.layers.redis.connect.topology import servers_at
from channels.layers.redis.hosts.addresses import Address
from channels.layers.redis.hosts.setting import Hosts
from channels.layers.redis.interfaces import ConfiguredLayer
from channels.layers.redis.node import RedisNode
from channels.layers.redis.queues.work_queues import Acknowledge
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.subscriptions.receiver import NOTHING, log_full_members
from channels.layers.redis.sync import RedisSyncLayer
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.process.platforms import after_fork_in_child
from channels.typing import EventSource, Message

#: The type of a message for consumers, or a function.
Notice = str | Callable[[], object] | None


class RedisEngine:
    """See the text of the module.

    Args:
        layer: whose settings, serializer and checks of names apply.
        receive_function: the ``receive`` of the layer's class.
        hosts: its servers.
        policy: what calls do while a server is away.
        cipher: closes and opens envelopes.
        max_message_size: bytes a serialized message may have.
        worker_timeout: seconds after which what a dead worker had taken goes to another.
        repair: how much is kept, and waited for, to repair gaps.

    Attributes:
        family: begins the kinds of names in Redis.
        publishes_named: whether a named channel is published, too, and takes anything.
        on_disconnect: type of the message that consumers get when Redis is lost, or a function to call.
        on_reconnect: the same for when it is back.
    """

    def __init__(
        self,
        layer: ConfiguredLayer,
        receive_function: Callable[..., Any],
        hosts: Hosts,
        policy: Policy,
        cipher: EnvelopeCipher,
        max_message_size: int,
        worker_timeout: float,
        repair: RepairLimits,
    ) -> None:
        self.receive_function = receive_function
        self.policy = policy
        self.cipher = cipher
        self.prefix, self.expiry = layer.prefix, layer.expiry
        self.max_message_size = max_message_size
        self.worker_timeout = worker_timeout
        self.repair = repair
        self.family = ""
        self.publishes_named = False
        self.on_disconnect: Notice = None
        self.on_reconnect: Notice = None
        self._layer = layer
        self._hosts = hosts
        self.sync = RedisSyncLayer(self)
        _engines.add(self)

    def begin(self) -> None:
        """Start with nothing, in a new process or a forked one."""
        layer = self._layer
        self.client_prefix = layer.client_prefix = uuid.uuid4().hex
        self.local = LocalDelivery(
            layer.get_capacity,
            self.expiry,
            layer.group_expiry,
            self.label,
            on_full=log_full_members,
            expiry_ends_memberships=False,
        )
        self.deserialize: Callable[[bytes], Message] = layer.deserialize
        self.node = RedisNode(self)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The servers; raises ValueError or TypeError for a mistake in ``hosts``."""
        return self._hosts.addresses

    @property
    def label(self) -> str:
        """What it is and where its servers are, for the log; no password."""
        layer = self._layer
        return f"{type(layer).__name__} {self._hosts.label} prefix={self.prefix!r} capacity={layer.capacity}"

    @property
    def description(self) -> str:
        """The label, and whether there are connections."""
        connections = self.node.connections
        connected = connections.loops or connections.topics
        return f"<{self.label}, {'connected' if connected else 'not connected'}>"

    # What a subclass may say in its own way

    def get_capacity(self, channel: str) -> int:
        """Return how many unread messages ``channel`` may hold."""
        return self._layer.get_capacity(channel)

    def require_valid_channel_name(self, channel: str) -> None:
        """Raise TypeError unless ``channel`` follows the grammar."""
        self._layer.require_valid_channel_name(channel)

    def require_valid_group_name(self, group: str) -> None:
        """Raise TypeError unless ``group`` follows the grammar."""
        self._layer.require_valid_group_name(group)

    def checked(self, message: Message) -> bytes:
        """Return ``message`` as bytes that may be sent to a channel or group.

        Raises:
            InvalidMessageError: it is no dict.
            TypeError: a value cannot travel; the text names its key.
            MessageTooLarge: it has more than ``max_message_size`` bytes.
        """
        if not self.publishes_named:
            require_message(message)
        elif message is None:
            raise TypeError("None is no message: a receiver could not tell it from there being none.")
        if telemetry.carry is not None:
            message = on_wire(message)
        body = self._layer.serialize(message)
        if len(body) > self.max_message_size:
            raise too_large(message, len(body), self.max_message_size, "the layer")
        return body

    # Channels

    def is_own(self, channel: str) -> bool:
        """Whether ``channel`` is one of this process."""
        return f".{self.client_prefix}!" in channel

    def waits_in_redis(self, channel: str) -> bool:
        """Whether messages of ``channel`` wait in Redis for whoever takes them."""
        return not (self.publishes_named or is_process_local(channel))

    async def receive(self, channel: str) -> Message:
        """See :meth:`~channels.layers.redis.layer.RedisChannelLayer.receive`."""
        self.require_valid_channel_name(channel)
        if self.waits_in_redis(channel):
            while True:
                message = self.node.receiver.open(await self.node.work_queues.receive(channel))
                if message is not NOTHING:
                    found: Message = message
                    return found
        if not is_process_local(channel):
            await self.node.listen_to(channel)
            return await self.local.receive(channel)
        self._require_own(channel)
        await self.node.listen()
        return await self.local.receive(channel)

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """See :meth:`~channels.layers.redis.layer.RedisChannelLayer.take`."""
        self.require_valid_channel_name(channel)
        if not self.waits_in_redis(channel):
            return await self.receive(channel), nothing
        while True:
            body, acknowledge = await self.node.work_queues.take(channel)
            message = self.node.receiver.open(body)
            if message is not NOTHING:
                return message, acknowledge
            await acknowledge()  # one that cannot be read is not left for others to fail on

    def _require_own(self, channel: str) -> None:
        if not self.is_own(channel):
            raise AssertionError(
                f"Wrong client prefix: {channel!r} belongs to another process, or to this one before a fork; "
                "receive on names that this layer's new_channel() returned, or on names without '!'."
            )

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages."""
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        self.node.detached(self.local.detach(channel))
        self.node.channel_detached(channel)

    # Life

    def on_interrupted(self) -> None:
        """Tell that the subscriptions are lost: messages may be missed until they are back."""
        self._notify(self.on_disconnect)

    def on_restored(self, seconds: float) -> None:
        """Tell that the subscriptions are back, after ``seconds``."""
        self._notify(self.on_reconnect)
        self.local.notify_reconnected({"seconds": seconds})

    def _notify(self, notice: Notice) -> None:
        if callable(notice):
            notice()
        elif notice is not None:
            self.local.notify_receivers({"type": notice})

    async def flush(self) -> None:
        """See :meth:`~channels.layers.redis.layer.RedisChannelLayer.flush`."""
        self.local.flush()
        self.node.forget_memberships()
        for address in self.addresses:
            await remove_keys(servers_at(address), self.node.names)
        await self.node.aclose()


async def nothing() -> None:
    """Acknowledge a message that was in this process already."""


#: Returns what works for a layer.
redis_engine: Callable[[BaseChannelLayer], RedisEngine] = engine_reader(BaseChannelLayer)


_engines: weakref.WeakSet[RedisEngine] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.begin()


after_fork_in_child(_after_fork_in_child)
