"""What the parts of the layer use of the part above them, which they must not import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from channels.layers.local.delivery import LocalDelivery
from channels.layers.redis.connect.commands import Policy
from channels.layers.redis.hosts.addresses import Address
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.typing import Message


class ConfiguredLayer(Protocol):
    """What the engine asks its layer for. A subclass may answer in its own way, so it is asked each time.

    Attributes:
        client_prefix: names the process; the engine sets it, anew after a fork.
        prefix: begins the names of everything in Redis.
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel without a consumer.
        capacity: unread messages a channel holds before it is full.
    """

    client_prefix: str
    prefix: str
    expiry: float
    group_expiry: float
    capacity: int

    def get_capacity(self, channel: str) -> int:
        """Return how many unread messages ``channel`` may hold."""
        ...

    def require_valid_channel_name(self, channel: Any) -> bool:
        """Raise TypeError unless ``channel`` follows the grammar."""
        ...

    def require_valid_group_name(self, group: Any) -> bool:
        """Raise TypeError unless ``group`` follows the grammar."""
        ...

    def serialize(self, message: Message) -> bytes:
        """Return ``message`` as bytes."""
        ...

    def deserialize(self, message: bytes) -> Message:
        """Return the message that ``serialize`` made these bytes of."""
        ...


class NodeSettings(Protocol):
    """What a process of the layer (:class:`~channels.layers.redis.node.RedisNode`) uses of the engine.

    Attributes:
        family: begins the kinds of names in Redis.
        prefix: begins the names of everything in Redis.
        client_prefix: names the process.
        publishes_named: whether a named channel is published, too.
        local: the channels and groups of this process.
        deserialize: makes a message of bytes.
        policy: what calls do while a server is away.
        cipher: closes and opens envelopes.
        expiry: seconds an unread message is kept.
        worker_timeout: seconds after which what a dead worker had taken goes to another.
        repair: how much is kept, and waited for, to repair gaps.
    """

    family: str
    prefix: str
    client_prefix: str
    publishes_named: bool
    local: LocalDelivery
    deserialize: Callable[[bytes], Message]
    policy: Policy
    cipher: EnvelopeCipher
    expiry: float
    worker_timeout: float
    repair: RepairLimits

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The servers; raises ValueError or TypeError for a mistake in ``hosts``."""
        ...

    def get_capacity(self, channel: str) -> int:
        """Return how many unread messages ``channel`` may hold."""
        ...

    def is_own(self, channel: str) -> bool:
        """Whether ``channel`` is one of this process."""
        ...

    def waits_in_redis(self, channel: str) -> bool:
        """Whether messages of ``channel`` wait in Redis for whoever takes them."""
        ...

    def on_interrupted(self) -> None:
        """Tell consumers that the subscriptions are lost: messages may be missed until they are back."""

    def on_restored(self, seconds: float) -> None:
        """Tell consumers that the subscriptions are back, after ``seconds``."""
