"""The in-process layer: fast, nothing to install, one process only."""

from __future__ import annotations

import functools
import itertools
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from channels.layers.base import BaseChannelLayer
from channels.layers.channel import LocalChannel
from channels.layers.local import LocalDelivery
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.layers.settings import require_limits
from channels.layers.values import Copies, require_message
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
        self._token, self._numbers = f"{secrets.token_hex(6)}.", itertools.count()
        self.local = LocalDelivery(
            self.get_capacity, expiry, group_expiry, repr(self), copies=Copies(deep_copy)
        )

    def __repr__(self) -> str:
        """Say what it is and what it reaches."""
        return f"<{type(self).__name__} capacity={self.capacity} expiry={self.expiry:g}s, this process only>"

    @property
    def channels(self) -> dict[str, LocalChannel]:
        """The channels that hold messages or have a receiver, by name."""
        return self.local.channels

    @property
    def groups(self) -> dict[str, dict[str, float]]:
        """The members of each group, and when (monotonic seconds) each joined."""
        return self.local.groups

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has."""
        return f"{prefix}.inmemory!{self._token}{next(self._numbers):x}"

    async def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``; raises ChannelFull when it is over capacity."""
        self.sync.send(channel, message)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none."""
        self.require_valid_channel_name(channel)
        return await self.local.receive(channel)

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        self.local.join(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        self.local.leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel; full ones miss it and are counted."""
        self.sync.group_send(group, message)

    async def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:  # noqa: ASYNC109
        """Return the channels of ``group``; there is no other process to ask."""
        return self.sync.group_channels(group, timeout)

    async def flush(self) -> None:
        """Forget every message and membership."""
        self.local.flush()

    async def close(self) -> None:
        """Do nothing: there is no connection to close."""

    async def aclose(self) -> None:
        """Do nothing, like :meth:`close`."""

    @functools.cached_property
    def sync(self) -> MemorySyncFace:
        """The layer for sync code."""
        return MemorySyncFace(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages."""
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        self.local.detach(channel)

    def statistics(self) -> dict[str, Any]:
        """Return counts: channels, groups, memberships, unread, delivered, dropped by reason."""
        return self.local.statistics()

    pushing_receive = receive


class MemorySyncFace:
    """``send``, ``group_send`` and who is in a group, without an event loop, from any thread."""

    def __init__(self, layer: InMemoryChannelLayer) -> None:
        self._layer = layer

    def send(self, channel: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.send`."""
        require_message(message)
        self._layer.require_valid_channel_name(channel)
        self._layer.local.send(channel, message)

    def group_send(self, group: str, message: Message) -> None:
        """See :meth:`InMemoryChannelLayer.group_send`."""
        require_message(message)
        self._layer.require_valid_group_name(group)
        self._layer.local.group_send(group, message)

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """See :meth:`InMemoryChannelLayer.group_channels`."""
        self._layer.require_valid_group_name(group)
        return GroupChannels(tuple(self._layer.local.groups.get(group, ())))

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """See :meth:`InMemoryChannelLayer.group_count`."""
        return self.group_channels(group, timeout).count
