"""Which loop holds which connections.

Each event loop has its own connections for commands. One loop of the process, the first
that needs to, holds the subscriptions for all: what arrives there is handed to consumers in
their own loops by local delivery. When that loop ends another one takes over.

A loop that ends the way ``asyncio.run`` ends one cancels the readers of its connections,
and they close them. One that is just closed ends them first, see :mod:`channels.layers.loops`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from channels import telemetry
from channels.layers.loops import call_before_close, end_tasks
from channels.layers.redis.connect.commands import Commands, Policy
from channels.layers.redis.connect.errors import RedisUnavailable, unavailable
from channels.layers.redis.connect.topology import Topology
from channels.layers.redis.hosts.addresses import shard_of
from channels.layers.redis.subscriptions.subscriber import MessageHandler, Subscriber
from channels.layers.redis.wire.encryption import EnvelopeCipher
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sent import SentMessages
from channels.layers.redis.wire.sequencing import SequenceNumbers

logger = logging.getLogger("channels.layers.redis")


class SubscriberListener(Protocol):
    """What the layer tells its connections."""

    def wanted(self, topic: Topic) -> bool:
        """Whether anybody here wants what is published on ``topic``."""

    def wanted_topics(self) -> Iterable[Topic]:
        """Return all topics that are wanted now."""

    def interrupted(self, label: str, reason: BaseException) -> None:
        """Note that messages may be missed from now on."""

    def restored(self, topics: list[Topic], seconds: float) -> None:
        """Note that the subscriptions are whole again."""

    def loop_ended(self, numbers: SequenceNumbers) -> None:
        """Note that a loop sends no more, and what it has sent."""

    async def aclose(self) -> None:
        """End all that runs in the running loop."""


class LoopConnections:
    """All connections of one layer in one process.

    Args:
        shards: makes the servers; called once per loop, they remember a cluster's map.
        policy: what calls do while a server is away.
        cipher: closes envelopes.
        handler: takes what arrives.
        listener: is asked which topics are wanted and told of interruptions.
        numbers: gives a loop the numbers for what it sends.
        sent: keeps what is published.
    """

    def __init__(
        self,
        shards: Callable[[], Sequence[Topology]],
        policy: Policy,
        cipher: EnvelopeCipher,
        handler: MessageHandler,
        listener: SubscriberListener,
        numbers: Callable[[], SequenceNumbers] = SequenceNumbers,
        sent: SentMessages | None = None,
    ) -> None:
        self._shards = shards
        self._numbers = numbers
        self._sent = SentMessages(0, 0) if sent is None else sent
        self._policy = policy
        self._cipher = cipher
        self._handler = handler
        self._listener = listener
        self._lock = threading.RLock()
        self._subscriber: Subscriber | None = None
        self._retired: list[Subscriber] = []
        self._interrupted = False
        self._loops: dict[asyncio.AbstractEventLoop, Commands] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def loops(self) -> dict[asyncio.AbstractEventLoop, Commands]:
        """The connections for commands by loop, of loops that have not ended."""
        return {loop: commands for loop, commands in self._loops.items() if not loop.is_closed()}

    def commands(self) -> Commands:
        """Return the connections for commands of the running loop."""
        loop = asyncio.get_running_loop()
        commands = self._loops.get(loop)
        if commands is None:
            commands = Commands(
                self._shards(),
                self._policy,
                self._cipher,
                lambda: self._forget(loop),
                self._numbers(),
                self._sent,
            )
            with self._lock:
                self._loops = {**self.loops, loop: commands}
            call_before_close(loop, self._listener.aclose)
        return commands

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            commands = self._loops.get(loop)
            self._loops = {known: its for known, its in self.loops.items() if known is not loop}
        if commands is not None:
            self._listener.loop_ended(commands.numbers)

    def confirmed(self, topic: Topic) -> bool:
        """Whether ``topic`` is subscribed now."""
        subscriber = self._subscriber
        return subscriber is not None and not subscriber.retired and subscriber.confirmed(topic)

    def covers(self, topic: Topic) -> bool:
        """Whether ``topic`` is subscribed, or will be as soon as the servers allow."""
        subscriber = self._subscriber
        usable = subscriber is not None and not subscriber.retired and subscriber.loop.is_running()
        return usable and subscriber is not None and subscriber.confirmed(topic, or_repaired=True)

    def interruption(self, topic: Topic) -> Future[None] | None:
        """Return what is done when the subscriptions at the servers of ``topic`` are back; None: they are."""
        subscriber = self._subscriber
        return None if subscriber is None or subscriber.retired else subscriber.interruption(topic)

    async def subscribed_again(self, topic: Topic) -> None:
        """Wait until this process hears again what is published where ``topic`` lives.

        Raises:
            RedisUnavailable: the server is away, or the subscriptions are not back within the policy's time.
        """
        await self.commands().reach(topic)
        self._retry()
        try:
            async with asyncio.timeout(self._policy.unavailable_timeout):
                while (interruption := self.interruption(topic)) is not None:
                    await asyncio.shield(asyncio.wrap_future(interruption))
        except TimeoutError as error:
            raise self._not_subscribed(topic) from error

    def wait_until_subscribed(self, topic: Topic) -> None:
        """As :meth:`subscribed_again`, in a thread without a loop; one that runs a loop is not held up."""
        interruption = self.interruption(topic)
        if interruption is None or _running_loop() is not None:
            return
        self._retry()
        try:
            interruption.result(self._policy.unavailable_timeout)
        except TimeoutError as error:
            raise self._not_subscribed(topic) from error

    def _retry(self) -> None:
        """Subscribe again now, as the servers answer, or may."""
        subscriber = self._subscriber
        if subscriber is not None and not subscriber.loop.is_closed():
            subscriber.loop.call_soon_threadsafe(subscriber.retry)

    def _not_subscribed(self, topic: Topic) -> RedisUnavailable:
        shards = self._shards()
        label = shards[shard_of(topic.name, len(shards))].address.label
        reason = "It answers, but this process is not subscribed again, so the message was not sent."
        return unavailable(label, TimeoutError(reason))

    @property
    def topics(self) -> int:
        """How many topics are subscribed or about to be."""
        subscriber = self._subscriber
        return 0 if subscriber is None or subscriber.retired else len(subscriber)

    async def subscribe(self, topic: Topic) -> None:
        """Return when ``topic`` is subscribed; raises RedisUnavailable."""
        subscriber = self._present_subscriber()
        await _run_in(subscriber.loop, subscriber.ensure(topic))

    async def caught_up(self, topic: Topic) -> None:
        """Return when all that was published on ``topic`` before this call has been delivered."""
        subscriber = self._subscriber
        if subscriber is not None and not subscriber.retired and subscriber.loop.is_running():
            await _run_in(subscriber.loop, subscriber.caught_up(topic))

    def _present_subscriber(self) -> Subscriber:
        """Return the process's subscriber, or make one in the running loop."""
        with self._lock:
            subscriber = self._subscriber
            if subscriber is None or subscriber.retired or not subscriber.loop.is_running():
                self._subscriber = subscriber = self._new_subscriber(subscriber)
            return subscriber

    def _new_subscriber(self, old: Subscriber | None) -> Subscriber:
        self.commands()  # so that this loop is known, and its end
        if old is None:
            return Subscriber(self._shards(), self._policy, self._handler, self)
        old.retire()
        self._retired = [each for each in [*self._retired, old] if not each.loop.is_closed()]
        topics = list(self._listener.wanted_topics())
        return Subscriber(self._shards(), self._policy, self._handler, self, topics, old.watches())

    def release(self, topics: Iterable[Topic]) -> None:
        """End subscriptions, from any thread, soon, unless the topics are wanted again by then."""
        subscriber = self._subscriber
        if subscriber is None or subscriber.retired or subscriber.loop.is_closed():
            return
        if _running_loop() is subscriber.loop:
            subscriber.release(topics)
        else:
            subscriber.loop.call_soon_threadsafe(subscriber.release, list(topics))

    def wanted(self, topic: Topic) -> bool:
        """See :class:`~channels.layers.redis.subscriptions.subscriber.SubscriptionListener`."""
        return self._listener.wanted(topic)

    def interrupted(self, label: str, reason: BaseException) -> None:
        """See :class:`~channels.layers.redis.subscriptions.subscriber.SubscriptionListener`."""
        self._interrupted = True
        telemetry.count("layer.redis_interrupted", address=label, reason=str(reason))
        logger.warning("Lost the subscriptions at Redis %s (%s); subscribing again.", label, reason)
        self._listener.interrupted(label, reason)

    def restored(self, topics: list[Topic], seconds: float) -> None:
        """See :class:`~channels.layers.redis.subscriptions.subscriber.SubscriptionListener`."""
        if self._interrupted:  # else one loop has taken over from another
            telemetry.count("layer.redis_restored", seconds=seconds, topics=len(topics))
            logger.warning("Subscribed again at Redis after %.1f seconds, %d topics.", seconds, len(topics))
        self._interrupted = False
        self._listener.restored(topics, seconds)

    def loop_ended(self, subscriber: Subscriber) -> None:
        """Have another loop take over the subscriptions, if there is one that runs."""
        if subscriber is not self._subscriber:
            return
        for loop in self.loops:
            if loop is not subscriber.loop and loop.is_running():
                loop.call_soon_threadsafe(self._present_subscriber)
                return

    def call_in_a_loop(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function in one of the loops that have connections, if one runs; from any thread."""
        for loop in self.loops:
            if loop.is_running():
                loop.call_soon_threadsafe(function, *args)
                return

    def in_each_loop(self, function: Callable[[Commands], Coroutine[Any, Any, None]]) -> None:
        """Run ``function(commands)`` as a task of each loop that has connections."""
        for loop, commands in self.loops.items():
            if loop.is_running():
                loop.call_soon_threadsafe(self._start, function, commands)

    def _start(self, function: Callable[[Commands], Coroutine[Any, Any, None]], commands: Commands) -> None:
        loop = asyncio.get_running_loop()
        if self._loops.get(loop) is commands:  # else the loop is being closed
            task = loop.create_task(function(commands))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        loop = asyncio.get_running_loop()
        present = self._subscriber
        for subscriber in [*self._retired, present]:
            if subscriber is not None and subscriber.loop is loop:
                await subscriber.aclose()
        self._retired = [each for each in self._retired if each.loop is not loop]
        if present is not None and present.loop is loop:
            self.loop_ended(present)
        commands = self._loops.get(loop)
        if commands is not None:
            self._forget(loop)
            await end_tasks([task for task in list(self._tasks) if task.get_loop() is loop])
            await commands.aclose()


async def _run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    if loop is asyncio.get_running_loop():
        await coroutine
    else:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
