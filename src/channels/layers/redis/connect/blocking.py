"""Blocking clients for sync code: one for each server, of any thread, anew after a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from channels.layers.redis.connect.clients import blocking_client, close_blocking_client
from channels.layers.redis.connect.errors import ANSWERS, UNREACHABLE, unavailable
from channels.layers.redis.hosts.addresses import Address, shard_of

_T = TypeVar("_T")


class BlockingClient:
    """A blocking client, and where it leads.

    Attributes:
        redis: redis-py's client.
        is_cluster: whether that of a cluster.
        sharded: whether topics are sharded there: in a cluster from Redis 7 on.
    """

    def __init__(self, address: Address) -> None:
        self.redis = blocking_client(address)
        self.sharded = False
        self.is_cluster = address.kind == "cluster"
        if self.is_cluster:
            node = self.redis.get_random_node()
            found = self.redis.execute_command("COMMAND INFO", "SPUBLISH", target_nodes=node)
            self.sharded = bool(found and any(found.values() if isinstance(found, dict) else found))

    def reach(self, topic: bytes) -> None:
        """Return if the server of ``topic`` answers; raises what redis-py does."""
        self.ask(topic, "PING")

    def ask(self, topic: bytes, *command: str) -> Any:
        """Return what the server of ``topic`` replies to a command; raises what redis-py does."""
        if self.is_cluster:
            return self.redis.execute_command(*command, target_nodes=self.redis.get_node_from_key(topic))
        return self.redis.execute_command(*command)

    def publish(self, topic: bytes, data: bytes) -> int:
        """Publish where subscribers of ``topic`` are; returns how many there got it."""
        publish = self.redis.spublish if self.sharded else self.redis.publish
        return int(publish(topic, data))


class BlockingClients:
    """The clients of one layer or store.

    Args:
        addresses: returns the servers, in the order of ``hosts``.
    """

    def __init__(self, addresses: Callable[[], Sequence[Address]]) -> None:
        self._addresses = addresses
        self._clients: dict[int, BlockingClient] = {}
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may send, too, whatever it interrupts

    def run(self, name: str, call: Callable[[BlockingClient], _T]) -> _T:
        """Return what ``call`` returns with the client of the server that ``name`` belongs to.

        Raises:
            RedisUnavailable: the server does not answer, or refuses.
        """
        addresses = self._addresses()
        index = shard_of(name, len(addresses))
        try:
            return call(self._client(index, addresses[index]))
        except (*UNREACHABLE, *ANSWERS) as error:
            raise unavailable(addresses[index].label, error) from error

    def by_server(self, names: Sequence[str]) -> list[list[int]]:
        """Return the places of ``names`` that belong to one server, for each server that has some."""
        servers: dict[int, list[int]] = {}
        amount = len(self._addresses())
        for place, name in enumerate(names):
            servers.setdefault(shard_of(name, amount), []).append(place)
        return list(servers.values())

    def _client(self, index: int, address: Address) -> BlockingClient:
        with self._lock:
            if self._pid != os.getpid():
                self._clients, self._pid = {}, os.getpid()
            client = self._clients.get(index)
            if client is None:
                client = self._clients[index] = BlockingClient(address)
            return client

    def close(self) -> None:
        """Close the connections; new ones are made when they are needed again."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            close_blocking_client(client.redis)
