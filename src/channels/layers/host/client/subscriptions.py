"""The groups of this process, as its own delivery and the broker know them."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from channels.layers.host.client.client import BrokerClient
from channels.layers.host.wire import frames as wire
from channels.layers.local.delivery import LocalDelivery


class LocalSubscriptions:
    """Joins and leaves, from any thread: the broker hears of a group's first and last member here.

    Args:
        local: where the members' messages are delivered.
    """

    def __init__(self, local: LocalDelivery) -> None:
        self._local = local
        self._lock = threading.RLock()  # what is told to the broker is in the order of what happened here
        self._groups: dict[str, Future[Any] | None] = {}
        self._named: dict[tuple[str, str], wire.NamedSubscription] = {}

    def join(self, client: BrokerClient, group: str, channel: str) -> Future[Any] | None:
        """Make ``channel`` a member; returns what to wait for, or None if the broker knows the group."""
        with self._lock:
            self._local.join(group, channel)
            if group not in self._groups:
                asked = client.ask(wire.Subscribe(wire.UNSENT, group)).future
                self._groups[group] = asked
                asked.add_done_callback(lambda done: self._confirm(group, done))
            return self._groups[group]

    def _confirm(self, group: str, asked: Future[Any]) -> None:
        with self._lock:
            if self._groups.get(group) is asked:
                if asked.cancelled() or asked.exception() is not None:
                    del self._groups[group]
                else:
                    self._groups[group] = None

    def leave(self, client: BrokerClient, group: str, channel: str) -> None:
        """End a membership; there is nothing to wait for."""
        with self._lock:
            if self._local.leave(group, channel):
                self._unsubscribe(client, group)

    def detach(self, client: BrokerClient | None, channel: str) -> None:
        """End a channel and all its memberships."""
        with self._lock:
            emptied = self._local.detach(channel)
            if client is not None:
                for group in emptied:
                    self._unsubscribe(client, group)

    def unsubscribe_if_empty(self, client: BrokerClient, group: str) -> None:
        """Let the broker forget a group whose members have expired."""
        with self._lock:
            if group not in self._local.groups:
                self._unsubscribe(client, group)

    def _unsubscribe(self, client: BrokerClient, group: str) -> None:
        if group in self._groups:
            del self._groups[group]
            client.tell(wire.Unsubscribe(wire.UNSENT, group))

    def add_named(self, subscription: wire.NamedSubscription) -> None:
        """Remember a named channel that this process has added to a group."""
        with self._lock:
            self._named[subscription[:2]] = subscription

    def drop_named(self, group: str, channel: str) -> None:
        """Forget it."""
        with self._lock:
            self._named.pop((group, channel), None)

    def announcement(self) -> tuple[list[str], list[wire.NamedSubscription]]:
        """Return the groups that a broker has confirmed, and the named channels."""
        with self._lock:
            confirmed = [group for group, asked in self._groups.items() if asked is None]
            return confirmed, list(self._named.values())

    def flush(self) -> None:
        """Forget everything."""
        with self._lock:
            self._local.flush()
            self._groups.clear()
            self._named.clear()
