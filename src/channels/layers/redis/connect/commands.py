"""Commands of one event loop: to the right server, again after a redirection or a lost connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ResponseError,
    TryAgainError,
)

from channels import telemetry
from channels.exceptions import InvalidChannelLayerError
from channels.layers.loops import end_tasks
from channels.layers.redis.connect.errors import UNREACHABLE, RedisUnavailable, refused, unavailable
from channels.layers.redis.connect.pipeline import PipelinedConnection
from channels.layers.redis.connect.topology import Topology
from channels.layers.redis.hosts.addresses import Endpoint, shard_of
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sent import SentMessages
from channels.layers.redis.wire.sequencing import Envelope, SequenceNumbers

#: Redirections of one command before the cluster counts as broken.
MAX_REDIRECTIONS: Final = 8
BACKOFF_FIRST: Final = 0.05
BACKOFF_MOST: Final = 2.0

Unavailable = Literal["raise", "wait"]


def backoff() -> Iterator[float]:
    """Yield seconds to wait before each try, longer and longer, never two processes alike."""
    most = BACKOFF_FIRST
    while True:
        yield random.uniform(most / 2, most)  # noqa: S311 (spreads load, guards nothing)
        most = min(most * 2, BACKOFF_MOST)


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a call while Redis is away.

    Attributes:
        on_unavailable: "raise" an error at once, or "wait".
        unavailable_timeout: seconds to wait before raising after all.
    """

    on_unavailable: Unavailable = "raise"
    unavailable_timeout: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is neither."""
        if self.on_unavailable not in ("raise", "wait"):
            raise InvalidChannelLayerError(
                '`on_unavailable` (CHANNEL_LAYERS, CONFIG) must be "raise" or "wait", '
                f"got {self.on_unavailable!r}."
            )


class Sending:
    """One message on its way: numbered when it is first written, the same whenever it is written again.

    Args:
        numbers: of its sender.
        cipher: closes its envelope.
        topic: where it is published.
        channel: whom it is for; empty for a group.
        body: the serialized message.
    """

    __slots__ = ("_body", "_channel", "_cipher", "_number", "_numbers", "_sealed", "_sender", "_topic")

    def __init__(
        self, numbers: SequenceNumbers, cipher: EnvelopeCipher, topic: Topic, channel: str, body: bytes
    ) -> None:
        self._numbers = numbers
        self._cipher = cipher
        self._topic = topic
        self._channel = channel
        self._body = body
        self._number = 0
        self._sender = b""
        self._sealed: bytes = b""

    def sealed(self) -> bytes:
        """Return the message as it travels."""
        if not self._number:
            self._number = self._numbers.next(self._topic.key)
            self._sender = self._numbers.sender
            self._sealed = self._cipher.seal_message(
                self._topic.key, self._sender, self._number, self._channel, self._body
            )
        return self._sealed

    def command(self, sharded: bool) -> tuple[str, bytes, bytes]:
        """Return the command that publishes it."""
        return ("SPUBLISH" if sharded else "PUBLISH", self._topic.key, self.sealed())

    def end(self, sent: SentMessages, refused: bool) -> None:
        """Keep it for those who may have missed it; if it was refused, keep that nobody is to get it."""
        if self._number:
            sent.add(self._sender, self._topic, self._number, None if refused else self._sealed)
            if self._numbers.sender is self._sender:
                self._numbers.settle(self._topic.key, self._number)


@dataclass(slots=True)
class _Attempts:
    """What is left of the attempts to run one command.

    Attributes:
        tries: how often it may be written if connections are lost before the reply.
        deadline: when waiting for a server ends, in seconds of the loop.
        waits: seconds between two attempts.
        redirections: how many there were.
    """

    tries: int
    deadline: float
    waits: Iterator[float]
    redirections: int = 0


class Commands:
    """The connections for commands of the loop it is made in: one per server, made when needed.

    Args:
        shards: the servers, in the order of ``hosts``.
        policy: what to do while a server is away.
        cipher: closes envelopes.
        on_loop_end: called when the loop cancels what runs in it, that is, when it ends.
        numbers: those of the loop.
        sent: keeps what is published.
    """

    def __init__(
        self,
        shards: Sequence[Topology],
        policy: Policy,
        cipher: EnvelopeCipher,
        on_loop_end: Callable[[], None],
        numbers: SequenceNumbers,
        sent: SentMessages,
    ) -> None:
        self.numbers = numbers
        self._sent = sent
        self._shards = shards
        self._policy = policy
        self._cipher = cipher
        self._on_loop_end = on_loop_end
        self._connections: dict[tuple[int, Endpoint], PipelinedConnection] = {}
        self._connecting: dict[tuple[int, Endpoint], asyncio.Future[PipelinedConnection]] = {}

    def shard(self, name: str) -> int:
        """Return the index of the server that ``name`` belongs to."""
        return shard_of(name, len(self._shards))

    async def publish(self, topic: Topic, channel: str, body: bytes) -> int:
        """Publish a message; returns how many processes got it.

        The number is taken when the message is written. If the connection is lost before the
        reply it is written once more with that number, so that nobody takes it twice.

        Raises:
            RedisUnavailable: it may not have arrived.
        """
        sending = Sending(self.numbers, self._cipher, topic, channel, body)
        refused = False
        try:
            return int(await self._run(self.shard(topic.name), topic.key, sending.command, tries=2))
        except RedisUnavailable:
            refused = True
            raise
        finally:
            sending.end(self._sent, refused)

    async def publish_signal(self, topic: Topic, signal: bytes) -> int:
        """Publish a signal of the layer itself, without a number; returns how many processes got it."""
        return await self._publish_data(
            topic, self._cipher.seal_signal(topic.key, self.numbers.sender, signal)
        )

    async def publish_envelope(self, topic: Topic, envelope: Envelope) -> int:
        """Publish an envelope that has no number; returns how many processes got it."""
        return await self._publish_data(topic, self._cipher.seal(topic.key, envelope))

    async def _publish_data(self, topic: Topic, data: bytes) -> int:
        def command(sharded: bool) -> tuple[str, bytes, bytes]:
            return ("SPUBLISH" if sharded else "PUBLISH", topic.key, data)

        return int(await self._run(self.shard(topic.name), topic.key, command, tries=1))

    async def reach(self, topic: Topic) -> None:
        """Return when the server of ``topic`` is connected; raises RedisUnavailable if it is away."""
        index = self.shard(topic.name)
        try:
            await self._connection_to(index, await self._shards[index].locate(topic.key))
        except UNREACHABLE as error:
            self._shards[index].moved()
            raise unavailable(self._shards[index].address.label, error) from error

    async def mark(self, topic: Topic, numbers: SequenceNumbers) -> None:
        """Publish the number a sender of this process has reached on ``topic``, if it ever sent on it."""
        if numbers.settled(topic.key):

            def command(sharded: bool) -> tuple[str, bytes, bytes]:
                sealed = self._cipher.seal(topic.key, numbers.mark(topic.key))
                return ("SPUBLISH" if sharded else "PUBLISH", topic.key, sealed)

            await self._run(self.shard(topic.name), topic.key, command, tries=2)

    async def execute(
        self, name: str, key: str | bytes, command: Callable[[bool], tuple[Any, ...]], tries: int = 1
    ) -> Any:
        """Run one command where ``key`` lives; returns its reply.

        Args:
            name: the channel or group, which decides the shard.
            key: decides the server of a cluster.
            command: returns the command, told whether topics are sharded at this server.
            tries: how often it may be written if connections are lost before the reply.

        Raises:
            RedisUnavailable: it may not have been executed.
        """
        slot_key = key if isinstance(key, bytes) else key.encode()
        return await self._run(self.shard(name), slot_key, command, tries)

    async def _run(
        self, index: int, key: bytes, command: Callable[[bool], tuple[Any, ...]], tries: int
    ) -> Any:
        try:
            return await self._once(index, key, command, None)
        except (ResponseError, *UNREACHABLE) as error:
            return await self._again(index, key, command, tries, error)

    async def _again(
        self,
        index: int,
        key: bytes,
        command: Callable[[bool], tuple[Any, ...]],
        tries: int,
        error: BaseException,
    ) -> Any:
        """Do what an error asks for and run the command again, until there is a reply or no hope."""
        deadline = asyncio.get_running_loop().time() + self._policy.unavailable_timeout
        attempts = _Attempts(tries, deadline, backoff())
        while True:
            ask = await self._prepare(index, attempts, error)
            try:
                return await self._once(index, key, command, ask)
            except (ResponseError, *UNREACHABLE) as another:
                error = another

    async def _prepare(self, index: int, attempts: _Attempts, error: BaseException) -> Endpoint | None:
        """Wait as an error asks for; returns the endpoint to ask once, if it names one."""
        servers = self._shards[index]
        if isinstance(error, (MovedError, AskError, TryAgainError, ClusterDownError)):
            attempts.redirections += 1
            if attempts.redirections > MAX_REDIRECTIONS:
                raise unavailable(servers.address.label, error) from error
            return await self._redirected(index, error, next(attempts.waits))
        if isinstance(error, NoScriptError):
            raise error
        if isinstance(error, ResponseError):  # out of memory, a right that is missing
            raise unavailable(servers.address.label, error) from error
        servers.moved()
        if isinstance(error, RedisUnavailable):  # nothing was written
            if not self._may_wait(error, attempts.deadline):
                raise error
            await asyncio.sleep(next(attempts.waits))
            return None
        attempts.tries -= 1  # written, no reply
        if attempts.tries <= 0:
            raise unavailable(servers.address.label, error) from error
        return None

    def _may_wait(self, error: BaseException, deadline: float) -> bool:
        if self._policy.on_unavailable == "raise" or refused(error.__cause__ or error):
            return False
        return asyncio.get_running_loop().time() < deadline

    async def _redirected(self, index: int, error: ResponseError, pause: float) -> Endpoint | None:
        """Learn from a redirection; returns the endpoint to ask once, if it is one of those."""
        if isinstance(error, MovedError):  # an AskError too, by inheritance
            self._shards[index].moved(error)
        elif isinstance(error, AskError):
            return str(error.host), int(error.port)
        else:  # in the middle of a move, or of a failover
            self._shards[index].moved()
            await asyncio.sleep(pause)
        return None

    async def _once(
        self, index: int, key: bytes, command: Callable[[bool], tuple[Any, ...]], ask: Endpoint | None
    ) -> Any:
        servers = self._shards[index]
        endpoint = ask or await servers.locate(key)
        connection = self._connections.get((index, endpoint))
        if connection is None or connection.lost is not None:
            connection = await self._connection_to(index, endpoint)
        if ask is not None:
            connection.execute("ASKING")  # its reply says nothing; the command's own does
        return await connection.execute(*command(servers.sharded))

    async def _connection_to(self, index: int, endpoint: Endpoint) -> PipelinedConnection:
        """Return the connection to a server; all who ask while it is being made get the same one."""
        key = (index, endpoint)
        connection = self._connections.get(key)
        if connection is not None and connection.lost is None:
            return connection
        connecting = self._connecting.get(key)
        if connecting is None:
            connecting = asyncio.ensure_future(self._connect(key))
            self._connecting[key] = connecting
            connecting.add_done_callback(lambda done: self._connected(key, done))
        return await asyncio.shield(connecting)

    def _connected(self, key: tuple[int, Endpoint], done: asyncio.Future[PipelinedConnection]) -> None:
        del self._connecting[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it; perhaps nobody waits any more

    async def _connect(self, key: tuple[int, Endpoint]) -> PipelinedConnection:
        index, endpoint = key
        servers = self._shards[index]
        connected = await servers.connect(endpoint)
        connection = PipelinedConnection(connected, servers.address.timeout, self._lost)
        self._connections[key] = connection
        telemetry.emit("layer.redis_connected", address=servers.address.label)
        return connection

    def _lost(self, reason: BaseException) -> None:
        self._connections = {
            key: connection for key, connection in self._connections.items() if connection.lost is None
        }
        if isinstance(reason, asyncio.CancelledError):
            self._on_loop_end()

    async def aclose(self) -> None:
        """Close the connections; new ones are made when they are needed again."""
        await end_tasks(list(self._connecting.values()))
        links, self._connections = self._connections, {}
        for connection in links.values():
            await connection.aclose()
