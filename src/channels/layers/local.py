"""Delivery inside one process, shared by every backend of ours.

Channels, groups, capacity, expiry and the count of what was dropped live here, once. A
backend that spans processes hands over what arrives for this process and asks which
groups have members here.

Senders may live in any thread and loop. Each channel belongs to the loop that receives
on it: a sender elsewhere appends the message (one atomic operation of a deque) and has
that loop told. Reads of shared dicts work on snapshots for the same reason; there is no
lock to hold up a fan-out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers.drops import DropCounter
from channels.layers.values import copy_message
from channels.typing import Message, Wakeup


class LocalChannel:
    """The unread messages of one channel, in order; an :class:`~channels.typing.EventSource`.

    Args:
        name: the channel's name.
        delivery: whose clock, expiry and drop counts apply.
        capacity: unread messages it holds.
    """

    __slots__ = (
        "_delivery",
        "_loop",
        "_messages",
        "_thread",
        "_waiters",
        "_wakeup",
        "capacity",
        "name",
        "reconnect_notice",
    )

    def __init__(self, name: str, delivery: LocalDelivery, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.reconnect_notice = False
        self._delivery = delivery
        self._messages: deque[tuple[float, Message]] = deque()
        self._wakeup: Wakeup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] | None = None

    def __len__(self) -> int:
        """Count the unread messages, expired ones included until somebody looks."""
        return len(self._messages)

    @property
    def attached(self) -> bool:
        """Whether a consumer takes messages from it."""
        return self._loop is not None

    @property
    def idle(self) -> bool:
        """Whether nobody would miss it."""
        return not (self._messages or self._waiters or self.attached)

    def attach(self) -> None:
        """Make it belong to the consumer that runs in this thread's loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """See :class:`~channels.typing.EventSource`."""
        self._wakeup = wakeup

    def receive_nowait(self) -> Message | None:
        """Take the oldest message that has not expired, or None."""
        messages = self._messages
        if not messages:
            return None
        expires, message = messages.popleft()
        if expires > self._delivery.clock():
            return message
        messages.appendleft((expires, message))
        self.drop_expired()
        return messages.popleft()[1] if messages else None

    async def receive(self) -> Message:
        """Wait for the oldest message; a cancelled wait passes its turn on to the next."""
        while (message := self.receive_nowait()) is None:
            waiter = asyncio.get_running_loop().create_future()
            entry = (get_ident(), waiter)
            if self._waiters is None:
                self._waiters = deque()
            self._waiters.append(entry)
            try:
                await waiter
            except asyncio.CancelledError:
                self._give_up(entry)
                raise
        return message

    def _give_up(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        if self._waiters and entry in self._waiters:
            self._waiters.remove(entry)
        elif self._messages:
            self.announce()

    def append(self, message: Message, expires: float) -> bool:
        """Add a message nobody else holds; False, and counted, if the channel is full."""
        if len(self._messages) >= self.capacity and not self.drop_expired():
            return False
        self._messages.append((expires, message))
        return True

    def drop_expired(self) -> int:
        """Drop and count what has expired; return how many messages that were."""
        now, messages, dropped = self._delivery.clock(), self._messages, 0
        while messages and messages[0][0] <= now:
            messages.popleft()
            dropped += 1
        if dropped:
            self._delivery.expired(self, dropped)
        return dropped

    def announce(self) -> None:
        """Tell whoever receives that something is there, in the receiver's own thread."""
        wakeup = self._wakeup
        if wakeup is not None:
            if self._thread == get_ident() or self._loop is None:
                wakeup()
            else:
                call_in_loop(self._loop, wakeup)
        elif self._waiters:
            thread, waiter = self._waiters.popleft()
            if thread == get_ident():
                resolve(waiter)
            else:
                call_in_loop(waiter.get_loop(), resolve, waiter)


def resolve(waiter: asyncio.Future[None]) -> None:
    """Wake a waiter unless it was cancelled meanwhile."""
    if not waiter.done():
        waiter.set_result(None)


def call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Run ``function`` in ``loop``; a loop that is closed has nobody left to tell."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *args)


class LocalDelivery:
    """The channels and groups of one layer in one process.

    Args:
        get_capacity: unread messages a channel may hold, by its name.
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel that no consumer of this
            process has attached; an attached one stays until its consumer ends.
        label: names the layer in the log.
        clock: seconds, monotonic.

    Attributes:
        channels: by name, those that hold messages or have a receiver.
        groups: by name, the member channels and when each joined.
    """

    def __init__(
        self,
        get_capacity: Callable[[str], int],
        expiry: float,
        group_expiry: float,
        label: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.channels: dict[str, LocalChannel] = {}
        self.groups: dict[str, dict[str, float]] = {}
        self.drops = DropCounter(label)
        self.delivered = 0
        self._get_capacity = get_capacity
        self._expiry = expiry
        self._group_expiry = group_expiry
        self._memberships: dict[str, set[str]] = {}
        self._unattached: dict[str, None] = {}
        self._next_sweep = clock() + expiry

    def attach(self, name: str, reconnect_notice: bool = False) -> LocalChannel:
        """Return the channel for a consumer of the running loop, until ``detach(name)``."""
        channel = self._channel(name)
        channel.attach()
        channel.reconnect_notice = reconnect_notice
        self._unattached.pop(name, None)
        return channel

    def detach(self, name: str) -> list[str]:
        """End a channel: nothing of it is left; returns the groups it was the last member of."""
        emptied = self.leave_all(name)  # first: see _members
        channel = self.channels.pop(name, None)
        if channel is not None:
            channel.set_wakeup(None)
            if channel:
                self.drops.add("closed", len(channel))
        self._unattached.pop(name, None)
        return emptied

    async def receive(self, name: str) -> Message:
        """Wait for a message of ``name``; the channel is forgotten when nothing is left of it."""
        channel = self._channel(name)
        try:
            return await channel.receive()
        finally:
            self._forget_if_idle(channel)

    def send(self, name: str, message: Message) -> None:
        """Put a copy of ``message`` on ``name``.

        Raises:
            ChannelFull: the channel holds as many unread messages as it may; counted too.
        """
        now = self._sweep_if_due()
        channel = self._channel(name)
        if not channel.append(copy_message(message), now + self._expiry):
            self.drops.add("capacity")
            raise ChannelFull(f"Channel {name!r} holds its capacity of {channel.capacity} unread messages.")
        self.delivered += 1
        channel.announce()

    def group_send(self, group: str, message: Message) -> int:
        """Put a copy of ``message`` on each member's channel; returns how many were full."""
        expires = self._sweep_if_due() + self._expiry
        members = self._members(group)
        reached = [channel for channel in members if channel.append(copy_message(message), expires)]
        full = len(members) - len(reached)
        if full:
            self.drops.add("capacity", full)
        self.delivered += len(reached)
        announce_all(reached)
        return full

    def notify_reconnected(self, facts: Message) -> None:
        """Put ``channel_layer.reconnected`` with ``facts`` on each attached channel that asked for it."""
        asked = [channel for channel in tuple(self.channels.values()) if channel.reconnect_notice]
        self._notify(asked, {"type": "channel_layer.reconnected", **facts})

    def notify_receivers(self, message: Message) -> None:
        """Put ``message`` on each channel that somebody receives on now."""
        served = [each for each in tuple(self.channels.values()) if each.attached or each._waiters]
        self._notify(served, message)

    def _notify(self, channels: list[LocalChannel], message: Message) -> None:
        expires = self.clock() + self._expiry
        announce_all([channel for channel in channels if channel.append(dict(message), expires)])

    def join(self, group: str, name: str) -> bool:
        """Make ``name`` a member; True if it is the group's first."""
        members = self.groups.setdefault(group, {})
        first = not members
        members[name] = self.clock()
        self._memberships.setdefault(name, set()).add(group)
        channel = self.channels.get(name)
        if channel is None or not channel.attached:
            self._unattached[name] = None
        return first

    def leave(self, group: str, name: str) -> bool:
        """End a membership if there is one; True if the group has no member left now."""
        members = self.groups.get(group)
        if members is None or members.pop(name, None) is None:
            return False
        joined = self._memberships.get(name)
        if joined is not None:
            joined.discard(group)
            if not joined:
                del self._memberships[name]
        if not members:
            self.groups.pop(group, None)
        return not members

    def leave_all(self, name: str) -> list[str]:
        """End all memberships of ``name``; returns the groups that are empty now."""
        return [group for group in tuple(self._memberships.get(name, ())) if self.leave(group, name)]

    def flush(self) -> None:
        """Forget all messages and memberships; attached channels stay attached."""
        self.groups.clear()
        self._memberships.clear()
        self._unattached.clear()
        for channel in tuple(self.channels.values()):
            while channel.receive_nowait() is not None:
                pass
            self._forget_if_idle(channel)

    def serves_others(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether a consumer of another loop, that is still running, has a channel here."""
        loops = {channel._loop for channel in tuple(self.channels.values())}
        return any(other.is_running() for other in loops - {None, loop} if other is not None)

    def statistics(self) -> dict[str, Any]:
        """Return counts: channels, groups, memberships, unread, delivered, and dropped by reason."""
        channels = tuple(self.channels.values())
        return {
            "channels": len(channels),
            "groups": len(self.groups),
            "memberships": sum(len(members) for members in tuple(self.groups.values())),
            "unread": sum(len(channel) for channel in channels),
            "delivered": self.delivered,
            "dropped": dict(self.drops.totals),
        }

    def expired(self, channel: LocalChannel, amount: int) -> None:
        """Count expired messages; a channel that nobody serves leaves its groups."""
        self.drops.add("expired", amount)
        if not channel.attached:
            self.leave_all(channel.name)

    def _members(self, group: str) -> list[LocalChannel]:
        """Return the channels of a group; one that another thread detaches meanwhile is not brought back."""
        members = []
        for name in tuple(self.groups.get(group, ())):
            channel = self.channels.get(name)
            if channel is None:
                channel = self._channel(name)
                if name not in self._memberships:
                    self.channels.pop(name, None)
                    self._unattached.pop(name, None)
                    continue
            members.append(channel)
        return members

    def _channel(self, name: str) -> LocalChannel:
        channel = self.channels.get(name)
        if channel is None:
            channel = LocalChannel(name, self, self._get_capacity(name))
            self.channels[name] = channel
            self._unattached[name] = None
        return channel

    def _forget_if_idle(self, channel: LocalChannel) -> None:
        if channel.idle and self.channels.get(channel.name) is channel:
            del self.channels[channel.name]
            if channel.name not in self._memberships:
                self._unattached.pop(channel.name, None)

    def _sweep_if_due(self) -> float:
        """Return the time; at most once per expiry look after the channels nobody has attached."""
        now = self.clock()
        if now >= self._next_sweep:
            self._next_sweep = now + self._expiry
            self._sweep(now)
        return now

    def _sweep(self, now: float) -> None:
        for name in tuple(self._unattached):
            channel = self.channels.get(name)
            if channel is not None:
                channel.drop_expired()
                self._forget_if_idle(channel)
            for group in tuple(self._memberships.get(name, ())):
                if self.groups.get(group, {}).get(name, now) <= now - self._group_expiry:
                    self.leave(group, name)
            if name not in self.channels and name not in self._memberships:
                self._unattached.pop(name, None)


def announce_all(channels: Iterable[LocalChannel]) -> None:
    """Tell each channel's receiver; a loop in another thread is woken once for all of its own."""
    here = get_ident()
    elsewhere: dict[asyncio.AbstractEventLoop, list[LocalChannel]] = {}
    for channel in channels:
        if channel._thread == here and channel._wakeup is not None:
            channel._wakeup()
        elif channel._loop is None or channel._thread == here:
            channel.announce()
        else:
            elsewhere.setdefault(channel._loop, []).append(channel)
    for loop, theirs in elsewhere.items():
        call_in_loop(loop, announce_all, theirs)
