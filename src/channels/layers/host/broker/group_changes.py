"""Memberships that one process changes for another: the broker asks the owner of the channel."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from channels.layers.host.broker.group_table import SubscriptionTable
from channels.layers.host.broker.peer import Peer
from channels.layers.host.wire import frames as wire


class GroupChanges:
    """The changes that their owners have not confirmed yet.

    Args:
        subscriptions: where named channels, which belong to no process, are changed at once.
        send: sends a frame to a process.
        answer: tells a process that its frame of that number has taken effect.
    """

    def __init__(
        self,
        subscriptions: SubscriptionTable,
        send: Callable[[Peer, bytes], None],
        answer: Callable[[Peer, int], None],
    ) -> None:
        self._subscriptions = subscriptions
        self._send = send
        self._answer = answer
        self._asked: dict[int, tuple[Peer, int, Peer]] = {}

    def ask(self, owner: Peer, asker: Peer, frame: wire.GroupChange) -> None:
        """Have ``owner`` change the membership of its channel; the asker is answered when it has."""
        token = secrets.randbits(62)  # unlike any that another broker has used
        self._asked[token] = (asker, frame.number, owner)
        request = wire.GroupChangeRequest(token, frame.group, frame.channel, frame.joins)
        self._send(owner, wire.encode(request))

    def done(self, peer: Peer, frame: wire.GroupChangeDone) -> None:
        """Answer the asker: the owner has changed the membership."""
        asked = self._asked.pop(frame.token, None)
        if asked is not None:
            self._answer(asked[0], asked[1])

    def owner_left(self, peer: Peer) -> None:
        """Answer those who asked a process that has ended: its channels ended with it."""
        for token, (asker, number, owner) in tuple(self._asked.items()):
            if owner is peer:
                del self._asked[token]
                self._answer(asker, number)

    def change_named(self, peer: Peer, frame: wire.GroupChange) -> None:
        """Add or drop a named channel; the processes that had added it forget it too."""
        if frame.joins:
            self._subscriptions.add_named(frame.group, frame.channel, peer, frame.capacity, frame.expiry)
            return
        left = wire.encode(wire.GroupChangeRequest(0, frame.group, frame.channel, False))
        for owner in self._subscriptions.drop_named(frame.group, frame.channel):
            if owner is not peer:
                self._send(owner, left)
