"""Which processes have members in which group, and which named channels are members themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from channels.layers.host.broker.peer import Peer


class SubscribedQueue:
    """A named channel in a group, for as long as a process that added it lives."""

    def __init__(self, capacity: int, expiry: float) -> None:
        self.capacity = capacity
        self.expiry = expiry
        self.owners: dict[Peer, None] = {}


_NO_QUEUES: Final[Mapping[str, SubscribedQueue]] = {}


class SubscriptionTable:
    """The broker's table of groups."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[Peer, None]] = {}
        self._named: dict[str, dict[str, SubscribedQueue]] = {}

    def __len__(self) -> int:
        """Count the groups."""
        return len(self._groups.keys() | self._named.keys())

    def find(self, group: str) -> tuple[Iterable[Peer], Mapping[str, SubscribedQueue]]:
        """Return the processes that have members in ``group``, and the named channels in it."""
        return self._groups.get(group, ()), self._named.get(group, _NO_QUEUES) if self._named else _NO_QUEUES

    def add(self, group: str, peer: Peer) -> None:
        """Note that a process has members in ``group``."""
        self._groups.setdefault(group, {})[peer] = None
        peer.groups.add(group)

    def drop(self, group: str, peer: Peer) -> None:
        """Note that it has none."""
        peer.groups.discard(group)
        members = self._groups.get(group)
        if members is not None:
            members.pop(peer, None)
            if not members:
                del self._groups[group]

    def add_named(self, group: str, channel: str, peer: Peer, capacity: int, expiry: float) -> None:
        """Make a named channel a member, on behalf of a process."""
        members = self._named.setdefault(group, {})
        members.setdefault(channel, SubscribedQueue(capacity, expiry)).owners[peer] = None

    def drop_named(self, group: str, channel: str) -> list[Peer]:
        """End the membership of a named channel; returns the processes that had added it."""
        members = self._named.get(group, {})
        member = members.pop(channel, None)
        if not members:
            self._named.pop(group, None)
        return list(member.owners) if member else []

    def forget(self, peer: Peer) -> None:
        """End what a process has added."""
        for group in tuple(peer.groups):
            self.drop(group, peer)
        for group, members in tuple(self._named.items()):
            for channel, member in tuple(members.items()):
                member.owners.pop(peer, None)
                if not member.owners:
                    self.drop_named(group, channel)

    def clear(self) -> None:
        """End all memberships."""
        for members in self._groups.values():
            for peer in members:
                peer.groups.clear()
        self._groups.clear()
        self._named.clear()
