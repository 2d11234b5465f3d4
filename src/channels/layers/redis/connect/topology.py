"""Where the data of a name lives, and connections to there: one server, sentinels, a cluster."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import MasterNotFoundError
from redis.crc import key_slot
from redis.exceptions import ConnectionError, MovedError

from channels.layers.redis.connect.errors import (
    ANSWERS,
    UNREACHABLE,
    tls_failed,
    unavailable,
    unavailable_sentinels,
)
from channels.layers.redis.hosts.addresses import Address, Endpoint, connection_to

#: The endpoint of a server that needs no choosing.
HERE: Final[Endpoint] = ("", 0)


class Topology(Protocol):
    """The servers behind one entry of ``hosts``."""

    address: Address
    sharded: bool

    async def locate(self, key: bytes) -> Endpoint:
        """Return the endpoint that ``key`` lives at."""

    async def masters(self) -> list[Endpoint]:
        """Return the places of all servers that hold keys."""

    async def connect(self, endpoint: Endpoint) -> Connection:
        """Return a connection to ``endpoint`` that is ready; raises RedisUnavailable."""

    def moved(self, error: BaseException | None = None) -> None:
        """Note that ``locate`` was wrong: look again next time."""


def servers_at(address: Address) -> Topology:
    """Return the servers an address stands for."""
    kinds: dict[str, type[OneServer]] = {
        "single": OneServer,
        "sentinel": SentinelServers,
        "cluster": ClusterServers,
    }
    return kinds[address.kind](address)


class OneServer:
    """A single server."""

    sharded = False

    def __init__(self, address: Address) -> None:
        self.address = address

    async def locate(self, key: bytes) -> Endpoint:
        """Return the only endpoint there is."""
        return HERE

    async def masters(self) -> list[Endpoint]:
        """Return the places of all servers that hold keys."""
        return [HERE]

    def moved(self, error: BaseException | None = None) -> None:
        """Nothing can move."""

    async def connect(self, endpoint: Endpoint) -> Connection:
        """Return a connection that is ready; raises RedisUnavailable."""
        return await self._connected(None if endpoint == HERE else endpoint)

    async def _connected(self, endpoint: Endpoint | None) -> Connection:
        connection = connection_to(self.address.options, endpoint)
        try:
            async with asyncio.timeout(self.address.connect_timeout):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py has no types here
                await connection.send_command("PING")  # without a password only a command finds out
                await connection.read_response()
        except (TimeoutError, *UNREACHABLE, *ANSWERS) as error:
            await connection.disconnect(nowait=True)
            raise unavailable(self.address.label, error) from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _ask(self, endpoint: Endpoint, *command: str) -> Any:
        connection = await self._connected(endpoint)
        try:
            async with asyncio.timeout(self.address.timeout):
                await connection.send_command(*command)
                return await connection.read_response()
        except (TimeoutError, *UNREACHABLE, *ANSWERS) as error:
            raise unavailable(self.address.label, error) from error
        finally:
            await connection.disconnect(nowait=True)


class SentinelServers(OneServer):
    """The master that sentinels know; asked again for each connection."""

    async def connect(self, endpoint: Endpoint) -> Connection:
        """Return a connection to the present master; raises RedisUnavailable."""
        connection = await self._connected(await self._master())
        try:
            async with asyncio.timeout(self.address.timeout):
                await connection.send_command("ROLE")
                role = await connection.read_response(disable_decoding=True)
            if role[0] != b"master":
                raise ConnectionError("The sentinels still name a server that is no master any more.")
        except (TimeoutError, *UNREACHABLE, *ANSWERS) as error:
            await connection.disconnect(nowait=True)
            raise unavailable(self.address.label, error) from error
        return connection

    async def _master(self) -> Endpoint:
        """Ask the sentinels in turn; the first that knows the master decides."""
        failure: BaseException | None = None
        for endpoint in self.address.endpoints:
            try:
                found = await self._ask_sentinel(endpoint)
            except (TimeoutError, *UNREACHABLE, *ANSWERS) as error:
                failure = failure or error
                continue
            if found:
                return _text(found[0]), int(found[1])
        # A server without TLS does not answer to its handshake at all.
        unanswered = "tls" in self.address.sentinel_options and isinstance(failure, TimeoutError)
        if failure is not None and (unanswered or tls_failed(failure)):
            raise unavailable_sentinels(self.address.label, failure) from failure
        if failure is None or isinstance(failure, (TimeoutError, *UNREACHABLE)):
            failure = MasterNotFoundError(f"No master {self.address.master_name!r} is known.")
        raise unavailable(self.address.label, failure) from failure

    async def _ask_sentinel(self, endpoint: Endpoint) -> Any:
        connection = connection_to(self.address.sentinel_options, endpoint)
        try:
            async with asyncio.timeout(self.address.connect_timeout):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py has no types here
                await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.address.master_name)
                return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)


class ClusterServers(OneServer):
    """The masters of a cluster, by hash slot; the map is fetched when it is found wrong."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.sharded = True
        self._slots: list[tuple[int, int, Endpoint]] = []
        self._known: list[Endpoint] = list(address.endpoints)
        self._fetching: asyncio.Task[None] | None = None

    async def locate(self, key: bytes) -> Endpoint:
        """Return the master that serves the slot of ``key``."""
        slot = key_slot(key)
        if not self._slots:
            await self._fetch_once()
        for first, last, endpoint in self._slots:
            if first <= slot <= last:
                return endpoint
        self._slots = []
        error = ConnectionError(f"No master serves slot {slot}.")
        raise unavailable(self.address.label, error) from error

    async def masters(self) -> list[Endpoint]:
        """Return the masters that serve slots, as a node knows them now."""
        await self._fetch_once()
        return list(dict.fromkeys(endpoint for _, _, endpoint in self._slots))

    def moved(self, error: BaseException | None = None) -> None:
        """Fetch the map again, or take from ``error`` where one slot is now."""
        if isinstance(error, MovedError):
            slot = error.slot_id
            self._slots.insert(0, (slot, slot, (error.host, error.port)))
            del self._slots[1024:]
        else:
            self._slots = []

    async def _fetch_once(self) -> None:
        """Fetch the map; all who ask meanwhile wait for the same answer."""
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        await asyncio.shield(self._fetching)

    def _fetched(self, fetching: asyncio.Task[None]) -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # whoever waited has it; perhaps nobody waits any more

    async def _fetch(self) -> None:
        """Ask the nodes in turn for the map; learn of nodes that the setting does not name."""
        failure: BaseException | None = None
        for endpoint in list(self._known):
            try:
                found = await self._ask(endpoint, "CLUSTER", "SLOTS")
                has_shards = await self._ask(endpoint, "COMMAND", "INFO", "SPUBLISH")
            except UNREACHABLE as error:
                failure = error
                continue
            self._learn(found, endpoint)
            self.sharded = bool(has_shards and has_shards[0])
            return
        raise failure or ConnectionError("The cluster has no nodes.")

    def _learn(self, found: list[Any], asked: Endpoint) -> None:
        slots, nodes = [], []
        for first, last, *servers in found:
            places = [(_text(host) or asked[0], int(port)) for host, port, *_ in servers]
            slots.append((int(first), int(last), places[0]))
            nodes.extend(places)
        self._slots = slots
        self._known = list(dict.fromkeys([*self.address.endpoints, *nodes]))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
