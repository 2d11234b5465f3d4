"""The in-process layer: fast, nothing to install, one process only."""

from __future__ import annotations

import functools
import itertools
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.layers.base import BaseChannelLayer
from channels.layers.durable import DurableLayer, durable_layer
from channels.layers.engine import computed, engine_reader, set_engine
from channels.layers.local.channel import LocalChannel
from channels.layers.local.delivery import LocalDelivery
from channels.layers.local.values import Copies, require_message
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.layers.settings import require_limits
from channels.typing import EventSource, Message


class InMemoryChannelLayer(BaseChannelLayer):
    """Carries messages between the consumers of one process, in any of its threads and loops.

    Each receiver gets a copy of its own. A message that cannot be kept is counted, see
    :meth:`statistics`, and logged at most every ten seconds.

    Args:
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel without a consumer.
        capacity: unread messages a channel holds before it is full.
        channel_capacity: other capacities, by glob or compiled pattern.
        deep_copy: carry whatever can be deep-copied, as 4.3 does, and not only what every layer carries: for
            tests of code that other layers would refuse.
        kwargs: settings of other backends are accepted, so that a project can switch.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        *,
        deep_copy: bool = False,
        **kwargs: Any,
    ) -> None:
        require_limits(expiry, group_expiry, capacity, channel_capacity)
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        self.group_expiry = group_expiry
        set_engine(self, MemoryEngine(self, deep_copy))

    def __repr__(self) -> str:
        """Say what it is and what it reaches."""
        return f"<{type(self).__name__} capacity={self.capacity} expiry={self.expiry:g}s, this process only>"

    @computed
    def channels(self) -> dict[str, LocalChannel]:
        """The channels that hold messages or have a receiver, by name."""
        return _engine_of(self).local.channels

    @computed
    def groups(self) -> dict[str, dict[str, float]]:
        """The members of each group, and when (monotonic seconds) each joined."""
        return _engine_of(self).local.groups

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has."""
        return _engine_of(self).new_channel(prefix)

    async def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``; raises ChannelFull when it is over capacity."""
        _engine_of(self).send(channel, message)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none."""
        self.require_valid_channel_name(channel)
        return await _engine_of(self).local.receive(channel)

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        _engine_of(self).local.join(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        _engine_of(self).local.leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel; full ones miss it and are counted."""
        _engine_of(self).group_send(group, message)

    async def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:  # noqa: ASYNC109
        """Return the channels of ``group``; there is no other process to ask."""
        return _engine_of(self).group_channels(group)

    async def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:  # noqa: ASYNC109
        """Return how many channels ``group`` has."""
        return _engine_of(self).group_channels(group).count

    async def flush(self) -> None:
        """Forget every message and membership."""
        _engine_of(self).local.flush()

    async def close(self) -> None:
        """Do nothing: there is no connection to close."""

    async def aclose(self) -> None:
        """Do nothing, like :meth:`close`."""

    @functools.cached_property
    def sync(self) -> MemorySyncLayer:
        """The layer for sync code."""
        return _engine_of(self).sync

    @computed
    def durable(self) -> DurableLayer:
        """The layer for messages that are sent after a transaction, by the app ``channels.outbox``."""
        return durable_layer(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages."""
        return _engine_of(self).attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        _engine_of(self).detach(channel)

    def statistics(self) -> dict[str, Any]:
        """Return counts: channels, groups, memberships, unread, delivered, dropped by reason."""
        return _engine_of(self).local.statistics()


class MemoryEngine:
    """What works for a layer in memory.

    Args:
        layer: whose settings and checks of names apply.
        deep_copy: whether anything is carried that can be deep-copied.
    """

    def __init__(self, layer: InMemoryChannelLayer, deep_copy: bool) -> None:
        self.receive_function = InMemoryChannelLayer.receive
        self._layer = layer
        self._token, self._numbers = f"{secrets.token_hex(6)}.", itertools.count()
        self.local = LocalDelivery(
            layer.get_capacity, layer.expiry, layer.group_expiry, repr(layer), copies=Copies(deep_copy)
        )
        self.sync = MemorySyncLayer(self)

    def new_channel(self, prefix: str) -> str:
        """See :meth:`InMemoryChannelLayer.new_channel`."""
        return f"{prefix}.inmemory!{self._token}{next(self._numbers):x}"

    def send(self, channel: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.send`."""
        require_message(message)
        self._layer.require_valid_channel_name(channel)
        if telemetry.carry is not None:
            message = telemetry.carry(channel, message)
        self.local.send(channel, message)

    def group_send(self, group: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.group_send`."""
        require_message(message)
        self._layer.require_valid_group_name(group)
        if telemetry.carry is not None:
            message = telemetry.carry(group, message)
        if delivery_log.note is not None:
            delivery_log.note("group", group, "published", message=message)
        self.local.group_send(group, message)

    def group_channels(self, group: str) -> GroupChannels:
        """See :meth:`InMemoryChannelLayer.group_channels`."""
        self._layer.require_valid_group_name(group)
        return GroupChannels(tuple(self.local.groups.get(group, ())))

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """See :meth:`InMemoryChannelLayer.attach`."""
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """See :meth:`InMemoryChannelLayer.detach`."""
        self.local.detach(channel)


_engine_of: Callable[[InMemoryChannelLayer], MemoryEngine] = engine_reader(InMemoryChannelLayer)


class MemorySyncLayer:
    """``send``, ``group_send`` and who is in a group, without an event loop, from any thread."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    def send(self, channel: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.send`."""
        self._engine.send(channel, message)

    def group_send(self, group: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.group_send`."""
        self._engine.group_send(group, message)

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """See :meth:`InMemoryChannelLayer.group_channels`."""
        return self._engine.group_channels(group)

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """See :meth:`InMemoryChannelLayer.group_count`."""
        return self._engine.group_channels(group).count
