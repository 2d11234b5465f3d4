"""Delivery inside one process, shared by every backend of ours.

Channels, groups, capacity, expiry and the count of what was dropped live here, once. A
backend that spans processes hands over what arrives for this process and asks which
groups have members here.

Senders may live in any thread and loop, see :mod:`channels.layers.local.channel`. Reads of
shared dicts work on snapshots for the same reason; there is no lock to hold up a fan-out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from threading import get_ident
from typing import Any

from channels.diagnostics import delivery_log
from channels.exceptions import ChannelFull
from channels.layers.local.channel import LocalChannel, announce_all
from channels.layers.local.channel_groups import ChannelGroups
from channels.layers.local.drops import DropCounter
from channels.layers.local.fanout import Fanout, append_all
from channels.layers.local.values import Copies
from channels.typing import Message


class _GroupSnapshot:
    """Where a group's messages go, as long as nobody joins or leaves.

    Attributes:
        fanouts: to the members whose consumers run, by their loop.
        names: the other members.
        stale: somebody has joined or left.
    """

    __slots__ = ("fanouts", "names", "stale")

    def __init__(self) -> None:
        self.fanouts: dict[asyncio.AbstractEventLoop, Fanout] = {}
        self.names: list[str] = []
        self.stale = True


class LocalDelivery:
    """The channels and groups of one layer in one process.

    Args:
        get_capacity: unread messages a channel may hold, by its name.
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel that no consumer of this
            process has attached; an attached one stays until its consumer ends.
        label: names the layer in the log.
        clock: seconds, monotonic.
        expiry_ends_memberships: whether a channel that nobody has attached leaves its groups when one of its
            messages expires.
        copies: how each receiver gets a message of its own.
        on_full: called with a group, how many of its members were full, and how many there are, in place of
            the line in the log that tells of messages dropped for that reason.

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
        on_full: Callable[[str, int, int], None] | None = None,
        expiry_ends_memberships: bool = True,
        copies: Copies | None = None,
    ) -> None:
        self.clock = clock
        self._on_full = on_full
        self.copies = copies or Copies()
        self._expiry_ends_memberships = expiry_ends_memberships
        self.channels: dict[str, LocalChannel] = {}
        self.groups: dict[str, dict[str, float]] = {}
        self.drops = DropCounter(label)
        self.delivered = 0
        self._get_capacity = get_capacity
        self._expiry = expiry
        self._group_expiry = group_expiry
        self._joined = ChannelGroups()
        self._unattached: dict[str, None] = {}
        self._routes: dict[str, _GroupSnapshot] = {}
        self._latest: Fanout | None = None
        self._next_sweep = clock() + expiry

    def attach(self, name: str, reconnect_notice: bool = False) -> LocalChannel:
        """Return the channel for a consumer of the running loop, until ``detach(name)``."""
        channel = self._channel(name)
        channel.attach(reconnect_notice)
        self._unattached.pop(name, None)
        for group in self._joined[name]:
            self._reroute(group)
        return channel

    def detach(self, name: str) -> list[str]:
        """End a channel, its messages and memberships; returns the groups that it was the last member of."""
        emptied = self.leave_all(name)  # first: see _members
        channel = self.channels.pop(name, None)
        if channel is not None:
            channel.detach()
            if channel.unread:
                self.drops.add("closed", len(channel.unread))
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
        now = self.clock()
        if now >= self._next_sweep:
            self._sweep(now)
        self._flush_other_group()
        channel = self._channel(name)
        if not channel.append(self.copies.copy(message), now + self._expiry):
            self.drops.add("capacity")
            if delivery_log.note is not None:
                detail = "capacity: the channel is full"
                delivery_log.note("channel", name, "dropped", 1, detail, message=message)
            raise ChannelFull(f"Channel {name!r} holds its capacity of {channel.capacity} unread messages.")
        self.delivered += 1
        if delivery_log.note is not None:
            delivery_log.note("channel", name, "delivered", message=message)
        channel.announce()

    def group_send(self, group: str, message: Message) -> int:
        """Bring ``message`` to each member's channel; returns how many were full.

        Messages for the sockets, and those to a large group, may still be on their way then;
        their order is kept.
        """
        now = self.clock()
        if now >= self._next_sweep:
            self._sweep(now)
        if group not in self.groups:
            return 0
        expires = now + self._expiry
        route = self._routes.get(group)
        if route is None or route.stale:
            route = self._route(group)
        full = 0
        for fanout in tuple(route.fanouts.values()):
            if self._latest is not None:
                self._flush_other_group(fanout)
            missed = fanout.send(message, expires)
            if missed is None and fanout.thread == get_ident():
                self._latest = fanout
            full += missed or 0
        if route.names:
            full += append_all(self._members(route.names), message, expires, self)
        if full:
            self.overfull(group, full, len(self.groups.get(group, ())), message)
        if delivery_log.note is not None:
            delivery_log.note(
                "group", group, "delivered", len(self.groups.get(group, ())) - full, message=message
            )
        return full

    def _flush_other_group(self, current: Fanout | None = None) -> None:
        """Let go what this turn has collected for another group: a sender counts on its order."""
        latest = self._latest
        if latest is not None and latest is not current and latest.thread == get_ident():
            self._latest = None
            latest.advance()

    def settled(self, fanout: Fanout) -> None:
        """Note that nothing of ``fanout`` is on its way any more."""
        if self._latest is fanout:
            self._latest = None

    def notify_reconnected(self, facts: Message) -> None:
        """Put ``channel_layer.reconnected`` with ``facts`` on each attached channel that asked for it."""
        asked = [channel for channel in tuple(self.channels.values()) if channel.reconnect_notice]
        self._notify(asked, {"type": "channel_layer.reconnected", **facts})

    def notify_receivers(self, message: Message) -> None:
        """Put ``message`` on each channel that somebody receives on now."""
        served = [each for each in tuple(self.channels.values()) if each.served]
        self._notify(served, message)

    def _notify(self, channels: list[LocalChannel], message: Message) -> None:
        expires = self.clock() + self._expiry
        announce_all([channel for channel in channels if channel.append(dict(message), expires)])

    def join(self, group: str, name: str) -> bool:
        """Make ``name`` a member; True if it is the group's first."""
        members = self.groups.setdefault(group, {})
        first = not members
        if name not in members:
            self._route_to(group, name)
        members[name] = self.clock()
        self._joined.add(name, group)
        channel = self.channels.get(name)
        if channel is None or not channel.attached:
            self._unattached[name] = None
        return first

    def leave(self, group: str, name: str) -> bool:
        """End a membership if there is one; True if the group has no member left now."""
        members = self.groups.get(group)
        if members is None or members.pop(name, None) is None:
            return False
        self._joined.discard(name, group)
        if not members:
            self.groups.pop(group, None)
            self._routes.pop(group, None)
        else:
            self._reroute(group)
        return not members

    def leave_all(self, name: str) -> list[str]:
        """End all memberships of ``name``; returns the groups that are empty now."""
        return [group for group in self._joined[name] if self.leave(group, name)]

    def flush(self) -> None:
        """Forget all messages and memberships; attached channels stay attached."""
        self.groups.clear()
        self._joined.clear()
        self._unattached.clear()
        for route in tuple(self._routes.values()):
            for fanout in tuple(route.fanouts.values()):
                fanout.clear()
        self._routes.clear()
        for channel in tuple(self.channels.values()):
            while channel.receive_nowait() is not None:
                pass
            self._forget_if_idle(channel)

    def serves_others(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether a consumer of another loop, that is still running, has a channel here."""
        loops = {channel.loop for channel in tuple(self.channels.values())}
        return any(other.is_running() for other in loops - {None, loop} if other is not None)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """Return the groups of a channel, as they are now; from any thread."""
        return self._joined[name]

    def group_sizes(self) -> dict[str, int]:
        """Return how many members each group has here; from any thread."""
        return {group: len(members) for group, members in tuple(self.groups.items())}

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

    def dropped(self, reason: str, amount: int) -> None:
        """Count messages that members missed."""
        self.drops.add(reason, amount)

    def overfull(self, group: str, full: int, members: int, message: Message | None) -> None:
        """Count, and tell of, members of ``group`` that were full when a message (None: several) came."""
        self.drops.add("capacity", full, logged=self._on_full is None)
        if delivery_log.note is not None:
            delivery_log.note(
                "group",
                group,
                "dropped",
                full,
                "capacity: the channels of these members are full",
                message=message,
            )
        if self._on_full is not None:
            self._on_full(group, full, members)

    def expired(self, channel: LocalChannel, amount: int) -> None:
        """Count expired messages; a channel that nobody serves may leave its groups."""
        self.drops.add("expired", amount)
        if delivery_log.note is not None:
            delivery_log.note(
                "channel", channel.name, "dropped", amount, "expired: nobody has taken the oldest in time"
            )
        if self._expiry_ends_memberships and not channel.attached:
            self.leave_all(channel.name)

    def _route_to(self, group: str, name: str) -> None:
        """Have a new member reached too, without a look at all the others if that is possible."""
        route, channel = self._routes.get(group), self.channels.get(name)
        if route is None or route.stale:
            return
        loop = channel.loop if channel is not None else None
        fanout = route.fanouts.get(loop) if loop is not None else None
        if channel is None or fanout is None or not fanout.joined(channel):
            route.stale = True

    def _reroute(self, group: str) -> None:
        route = self._routes.get(group)
        if route is not None:
            route.stale = True

    def _route(self, group: str) -> _GroupSnapshot:
        """Return where messages to ``group`` go now."""
        route = self._routes.get(group)
        if route is None:
            route = _GroupSnapshot()
            if group not in self.groups:
                return route
            self._routes[group] = route
        if route.stale:
            route.stale = False  # first: whoever joins meanwhile makes it stale again
            self._find_members(group, route)
        return route

    def _find_members(self, group: str, route: _GroupSnapshot) -> None:
        attached: dict[asyncio.AbstractEventLoop, list[LocalChannel]] = {}
        names = []
        for name in tuple(self.groups.get(group, ())):
            channel = self.channels.get(name)
            loop = channel.loop if channel is not None else None
            if channel is None or loop is None:
                names.append(name)
            else:
                attached.setdefault(loop, []).append(channel)
        route.names = names
        for loop in [*route.fanouts.keys() - attached]:
            route.fanouts.pop(loop, None)
        for loop, members in attached.items():
            fanout = route.fanouts.get(loop)
            if fanout is None:
                first = members[0]
                fanout = Fanout(group, loop, first.thread, first.capacity, self)
                fanout = route.fanouts.setdefault(loop, fanout)
            fanout.members = members

    def _members(self, names: list[str]) -> list[LocalChannel]:
        """Return members' channels; one that another thread detaches meanwhile is not brought back."""
        members = []
        for name in names:
            channel = self.channels.get(name)
            if channel is None:
                channel = self._channel(name)
                if name not in self._joined:
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
            if channel.name not in self._joined:
                self._unattached.pop(channel.name, None)

    def _sweep(self, now: float) -> None:
        """Look after the channels that nobody has attached: once per expiry, when a message is sent."""
        self._next_sweep = now + self._expiry
        for name in tuple(self._unattached):
            channel = self.channels.get(name)
            if channel is not None:
                channel.drop_expired()
                self._forget_if_idle(channel)
            for group in self._joined[name]:
                if self.groups.get(group, {}).get(name, now) <= now - self._group_expiry:
                    self.leave(group, name)
            if name not in self.channels and name not in self._joined:
                self._unattached.pop(name, None)
