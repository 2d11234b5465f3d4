"""What a process is subscribed to: topics that a receiver wants, and the messages to all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from channels import telemetry
from channels.layers.redis.connect.commands import Commands, Policy, backoff
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.connect.topology import servers_at
from channels.layers.redis.hosts.addresses import Address
from channels.layers.redis.per_loop import LoopConnections
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import SequenceNumbers
from channels.topics.stores.base import Receiver
from channels.topics.stores.receivers import Receivers
from channels.topics.stores.redis.keys import TopicKeys
from channels.topics.stores.redis.requests import event


class Listener:
    """The subscriptions of one store in one process, and its connections.

    Args:
        addresses: returns the servers.
        keys: of topics.
        policy: what calls do while a server is away.

    Attributes:
        receivers: who is told.
        connections: those of each loop.
    """

    def __init__(self, addresses: Callable[[], Sequence[Address]], keys: TopicKeys, policy: Policy) -> None:
        self.receivers = Receivers()
        self.connections = LoopConnections(
            lambda: [servers_at(address) for address in addresses()], policy, EnvelopeCipher(), self, self
        )
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()

    def commands(self) -> Commands:
        """Return the connections for commands of the running loop."""
        return self.connections.commands()

    # Who wants what

    def attach(self, receiver: Receiver) -> None:
        """Tell a receiver of what concerns all, as soon as Redis lets us."""
        self.receivers.attach(receiver)
        if not self.connections.covers(self._keys.control):
            self._spawn(self._listen_until_it_works())

    def detach(self, receiver: Receiver) -> None:
        """Forget a receiver."""
        self._release(self._keys.channel(topic) for topic in self.receivers.detach(receiver))

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Return when a receiver is told of a topic; raises RedisUnavailable."""
        await self._listen()
        channel, known = self._keys.channel(topic), self.receivers.has(topic, receiver)
        self.receivers.subscribe(topic, receiver)
        if self.connections.confirmed(channel):
            return
        try:
            await self.connections.subscribe(channel)
        except BaseException:
            if not known:
                self.unsubscribe(topic, receiver)
            raise

    def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        """Tell a receiver no more of a topic."""
        if self.receivers.unsubscribe(topic, receiver):
            self._release([self._keys.channel(topic)])

    async def _listen(self) -> None:
        self.commands()  # makes this loop known as one that could take over the subscriptions
        if not self.connections.covers(self._keys.control):
            await self.connections.subscribe(self._keys.control)

    async def _listen_until_it_works(self) -> None:
        for wait in backoff():
            try:
                await self._listen()
                return
            except RedisUnavailable as error:
                telemetry.count("topics.redis_not_listening", error=str(error))
            if not self.receivers.any:
                return
            await asyncio.sleep(wait)

    def _release(self, channels: Iterable[Topic]) -> None:
        unwanted = [channel for channel in channels if not self.wanted(channel)]
        if unwanted:
            self.connections.release(unwanted)

    # What the subscriptions ask and tell

    def wanted(self, topic: Topic) -> bool:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`."""
        return topic.name in self.receivers if topic.kind == "stream" else self.receivers.any

    def wanted_topics(self) -> Iterable[Topic]:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`."""
        yield from map(self._keys.channel, self.receivers.topics())
        if self.receivers.any:
            yield self._keys.control

    def handle(self, topic: Topic, watch: GapDetector, data: bytes) -> None:
        """See :class:`~channels.layers.redis.subscriptions.subscriber.MessageHandler`."""
        if topic.kind == "control":
            self.receivers.control(data)
            return
        try:
            found = event(data)
        except ValueError as error:
            telemetry.count("topics.redis_undecodable", topic=topic.name, error=repr(error))
            return
        self.receivers.deliver(topic.name, found)

    def interrupted(self, label: str, reason: BaseException) -> None:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`; receivers are told afterwards."""

    def restored(self, topics: list[Topic], seconds: float) -> None:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`."""
        self.receivers.interrupt()

    def loop_ended(self, numbers: SequenceNumbers) -> None:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`; nothing is numbered here."""

    # Life

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.commands()  # so that the task ends before its loop is closed
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Close what the running loop has opened."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.connections.aclose()
