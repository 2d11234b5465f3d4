"""The contract of a channel layer, on one screen.

A layer carries messages (dicts with a ``type``) between consumers, wherever they run.
:class:`BaseChannelLayer` is what Channels 4.3 asks of a backend, third-party ones included:
``send``, ``receive``, ``new_channel``; with ``"groups"`` in ``extensions`` the group methods;
with ``"flush"`` also ``flush``. :class:`PushingLayer` is what Fairway's own backends add.

What our backends promise, and :mod:`channels.testing.contracts` tests:

* Order: what one sender sends to one channel, or to one group, arrives in that order.
* Once: a message is delivered once, or counted as dropped, with a reason, in ``statistics()``.
* Values: what msgpack can carry, and datetime, date, time, timedelta, Decimal, UUID, set and
  tuple, come back equal. Anything else is a TypeError that names the key.
* Ends: when a channel is detached, nothing of it is left anywhere.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from channels.layers.durable import DurableLayer
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.layers.names import NameChecks
from channels.typing import EventSource, Message


class BaseChannelLayer(NameChecks):
    """What every backend starts from: capacity, expiry and the checks of names.

    Args:
        expiry: seconds an unread message is kept.
        capacity: unread messages a channel holds before it is full.
        channel_capacity: other capacities by channel name: globs, or compiled patterns
            that are matched from the start of the name; the first that fits counts.
    """

    extensions: ClassVar[list[str]] = []

    def __init__(
        self,
        expiry: float = 60,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
    ) -> None:
        self.expiry = expiry
        self.capacity = capacity
        self.channel_capacity: Any = self.compile_capacities(channel_capacity or {})

    def compile_capacities(
        self, channel_capacity: Mapping[Any, int] | list[tuple[Any, int]]
    ) -> list[tuple[re.Pattern[str], int]]:
        """Turn ``{glob or pattern: capacity}`` into pairs of compiled pattern and capacity.

        Backends written for 4.3 compile what this class has compiled already: pairs stay as they are.
        """
        pairs = channel_capacity.items() if isinstance(channel_capacity, Mapping) else channel_capacity
        return [
            (re.compile(fnmatch.translate(key)) if isinstance(key, str) else key, value)
            for key, value in pairs
        ]

    def get_capacity(self, channel: str) -> int:
        """Return how many unread messages ``channel`` may hold."""
        for pattern, capacity in self.channel_capacity:
            if pattern.match(channel):
                return int(capacity)
        return self.capacity

    async def send(self, channel: str, message: Message) -> None:
        """Put ``message`` on ``channel``; raises ChannelFull when it is over capacity."""
        raise NotImplementedError(f"{type(self).__name__} must implement send().")

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none."""
        raise NotImplementedError(f"{type(self).__name__} must implement receive().")

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has, on which this process can receive."""
        raise NotImplementedError(f"{type(self).__name__} must implement new_channel().")

    async def flush(self) -> None:
        """Forget every message and every membership (extension "flush")."""
        raise NotImplementedError(f"{type(self).__name__} has no flush().")

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group`` (extension "groups"); adding twice is harmless."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    async def group_send(self, group: str, message: Message) -> None:
        """Put ``message`` on each channel of ``group``; those that are full miss it, and are counted."""
        raise NotImplementedError(f"{type(self).__name__} has no groups.")

    async def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:  # noqa: ASYNC109
        """Return the channels of ``group``, in all processes.

        Args:
            group: its name.
            timeout: seconds that other processes have to answer.

        Returns:
            A sorted list. What this process knows is exact; ``unanswered`` of the list is how many processes
            did not answer in time, whose channels are missing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no group_channels().")

    async def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:  # noqa: ASYNC109
        """Return how many channels ``group`` has: an int with ``unanswered``, see :meth:`group_channels`."""
        return (await self.group_channels(group, timeout)).count


class SyncLayer(Protocol):
    """The same layer for sync code: no event loop, safe in threads, forks and signal handlers."""

    def send(self, channel: str, message: Message) -> None:
        """See :meth:`BaseChannelLayer.send`."""

    def group_send(self, group: str, message: Message) -> None:
        """See :meth:`BaseChannelLayer.group_send`."""

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """See :meth:`BaseChannelLayer.group_channels`."""
        ...

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """See :meth:`BaseChannelLayer.group_count`."""
        ...


class PushingLayer(Protocol):
    """What our backends add: push instead of polling, an explicit end, a view from outside."""

    sync: SyncLayer

    @property
    def durable(self) -> DurableLayer:
        """The layer for messages that are sent after a transaction, by the app ``channels.outbox``."""
        ...

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which the running loop's consumer takes messages of ``channel``.

        With ``reconnect_notice`` a ``channel_layer.reconnected`` message is among them each
        time the backend was away and messages may have been missed.
        """
        ...

    def detach(self, channel: str) -> None:
        """End ``channel``: messages and memberships are gone, unread messages counted as "closed"."""

    def statistics(self) -> dict[str, Any]:
        """Return counts of channels, groups, memberships, unread, delivered, dropped by reason."""
        ...

    async def aclose(self) -> None:
        """Close every connection of the running loop; the layer may be used again."""
