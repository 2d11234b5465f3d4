"""What a process listens to in Redis: its topics, kept subscribed whatever happens to the servers.

A topic is asked for, confirmed, and asked for again wherever it lives when its connection
is lost or a cluster moves it. One task repairs what is lost, with longer and longer waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from types import MappingProxyType
from typing import Protocol

from redis.exceptions import MovedError, ResponseError

from channels.layers.loops import end_tasks
from channels.layers.redis.connect.commands import BACKOFF_FIRST, Policy, backoff
from channels.layers.redis.connect.errors import UNREACHABLE, RedisUnavailable, refused, unavailable
from channels.layers.redis.connect.pipeline import SubscriptionConnection
from channels.layers.redis.connect.topology import Topology
from channels.layers.redis.hosts.addresses import Endpoint, shard_of
from channels.layers.redis.subscriptions.subscription import State, Subscription
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import Topic


class MessageHandler(Protocol):
    """Who takes what arrives."""

    def handle(self, topic: Topic, watch: GapDetector, data: bytes) -> None:
        """Take what was published on ``topic``.

        Args:
            topic: a subscribed one.
            watch: what is known of the senders on it.
            data: as it was published.
        """


class SubscriptionListener(Protocol):
    """Who a subscriber belongs to."""

    def wanted(self, topic: Topic) -> bool:
        """Whether anybody here still wants what is published on ``topic``."""

    def interrupted(self, label: str, reason: BaseException) -> None:
        """Note that messages may be missed from now on."""

    def restored(self, topics: list[Topic], seconds: float) -> None:
        """Note that all topics are subscribed again, after ``seconds``."""

    def loop_ended(self, subscriber: Subscriber) -> None:
        """Note that the subscriber's loop is being ended."""


class Subscriber:
    """The subscriptions of a process, in the loop it is made in.

    Args:
        shards: the servers, in the order of ``hosts``.
        policy: what ``ensure`` does while a server is away.
        handler: takes what arrives.
        owner: is asked and told.
        topics: those of a subscriber that has ended; subscribed as soon as the servers allow.
        watches: of that subscriber, by key of the topic: what was missed in between counts.
    """

    def __init__(
        self,
        shards: Sequence[Topology],
        policy: Policy,
        handler: MessageHandler,
        owner: SubscriptionListener,
        topics: Iterable[Topic] = (),
        watches: Mapping[bytes, GapDetector] = MappingProxyType({}),
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.retired = False
        self._shards = shards
        self._policy = policy
        self._handler = handler
        self._owner = owner
        self._subscriptions: dict[bytes, Subscription] = {
            topic.key: Subscription(topic, watches.get(topic.key)) for topic in topics
        }
        for subscription in self._subscriptions.values():
            subscription.watch.interrupt()
        self._connections: dict[tuple[int, Endpoint], SubscriptionConnection] = {}
        self._connecting = asyncio.Lock()
        self._released: list[Topic] = []
        self._interrupted_at = self.loop.time() if self._subscriptions else None
        self._repair: asyncio.Task[None] | None = None
        self._retry = asyncio.Event()
        self._beginning: set[asyncio.Task[None]] = set()
        #: Where subscriptions are lost, each with what is done when they are back; read by any thread.
        self._interrupted: dict[int | bytes, Future[None]] = {}
        if self._subscriptions:
            for subscription in self._subscriptions.values():
                self._interrupt(subscription.topic)
            self._start_repair()

    def __len__(self) -> int:
        """Count the topics."""
        return len(self._subscriptions)

    def retire(self) -> None:
        """Take no more messages; from any thread."""
        self.retired = True
        self._end_interruptions()

    def watches(self) -> dict[bytes, GapDetector]:
        """Return what is known of the senders on each topic, for whoever takes over."""
        return {key: subscription.watch for key, subscription in self._subscriptions.items()}

    def confirmed(self, topic: Topic, or_repaired: bool = False) -> bool:
        """Whether Redis has confirmed ``topic``; or, as well, had and the connection is being repaired."""
        subscription = self._subscriptions.get(topic.key)
        if subscription is None:
            return False
        return subscription.state is State.ON or (or_repaired and self._repair is not None)

    async def ensure(self, topic: Topic) -> None:
        """Subscribe ``topic`` unless it is; returns when Redis has confirmed.

        Raises:
            RedisUnavailable: it could not be subscribed, now or within the policy's time.
        """
        subscription = self._subscriptions.get(topic.key)
        if subscription is None or subscription.state is State.LEAVING:
            subscription = self._subscriptions[topic.key] = Subscription(topic)
            await self._begun(subscription)
        elif subscription.state is State.LOST and self._policy.on_unavailable == "raise":
            await self._begun(subscription)
        label = self._servers(topic).address.label
        try:
            async with asyncio.timeout(self._patience(topic)):
                await asyncio.shield(subscription.confirmed)
        except TimeoutError as error:
            self._forget_unwanted(subscription)
            raise unavailable(label, TimeoutError("The subscription was not confirmed in time.")) from error
        except ResponseError as error:
            raise unavailable(label, error) from error

    async def caught_up(self, topic: Topic) -> None:
        """Return when all that was published on ``topic`` before this call has been delivered."""
        subscription = self._subscriptions.get(topic.key)
        if subscription is not None and subscription.connection is not None:
            await subscription.connection.caught_up()

    def _patience(self, topic: Topic) -> float:
        timeout = self._servers(topic).address.timeout
        if self._policy.on_unavailable == "wait":
            return max(timeout, self._policy.unavailable_timeout)
        return timeout

    def _begun(self, subscription: Subscription) -> asyncio.Future[None]:
        """Return what is done when a topic has been asked for; in a task of its own.

        redis-py writes under ``asyncio.wait_for``, which before Python 3.12 may swallow a cancellation:
        the caller's would be lost, and it would wait for ever.
        """
        beginning = self.loop.create_task(self._begin(subscription))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._has_begun)
        return asyncio.shield(beginning)

    def _has_begun(self, beginning: asyncio.Task[None]) -> None:
        self._beginning.discard(beginning)
        if not beginning.cancelled():
            beginning.exception()  # whoever waited has it; perhaps nobody waits any more

    async def _begin(self, subscription: Subscription) -> None:
        try:
            await self._ask_for(subscription)
        except RedisUnavailable as error:
            reason = error.__cause__ or error
            if self._policy.on_unavailable == "wait" and not refused(reason):
                self._start_repair()
                return
            self._forget_unwanted(subscription, error)
            raise

    def _forget_unwanted(self, subscription: Subscription, error: BaseException | None = None) -> None:
        """Drop a subscription that failed, unless it had been there before and is being repaired."""
        if self._repair is None and subscription.state is State.LOST:
            self._subscriptions.pop(subscription.topic.key, None)
            if error is not None:
                subscription.settle(error)

    def _shard(self, topic: Topic) -> int:
        return shard_of(topic.name, len(self._shards))

    def _servers(self, topic: Topic) -> Topology:
        return self._shards[self._shard(topic)]

    def interruption(self, topic: Topic) -> Future[None] | None:
        """Return what is done when the subscriptions where ``topic`` lives are back; None: they are."""
        return self._interrupted.get(self._place(topic)) if self._interrupted else None

    def retry(self) -> None:
        """Subscribe again now: the servers answer."""
        self._retry.set()

    def _place(self, topic: Topic) -> int | bytes:
        """Return the shard of a topic; in a cluster, of which one server may be away alone, the topic."""
        shard = self._shard(topic)
        return topic.key if self._shards[shard].address.kind == "cluster" else shard

    def _interrupt(self, topic: Topic) -> None:
        place = self._place(topic)
        if place not in self._interrupted:
            self._interrupted[place] = Future()

    def _end_interruptions(self) -> None:
        """Tell those who wait for the servers at which nothing is lost any more."""
        still = {self._place(each.topic) for each in list(self._subscriptions.values()) if each.interrupted}
        for place, future in list(self._interrupted.items()):
            if place not in still or self.retired:
                self._interrupted.pop(place, None)
                with contextlib.suppress(InvalidStateError):  # another thread has retired this one
                    future.set_result(None)

    async def _ask_for(self, subscription: Subscription) -> None:
        """Ask for a topic at the server where it lives; raises RedisUnavailable."""
        topic = subscription.topic
        endpoint = await self._servers(topic).locate(topic.key)
        connection = await self._connection_to(self._shard(topic), endpoint)
        if subscription.state is State.LOST and self._subscriptions.get(topic.key) is subscription:
            subscription.state = State.ASKED
            subscription.connection = connection
            connection.subscribe(topic.key)

    async def _connection_to(self, index: int, endpoint: Endpoint) -> SubscriptionConnection:
        key = (index, endpoint)
        async with self._connecting:
            connection = self._connections.get(key)
            if connection is None or connection.lost is not None:
                connection = self._connections[key] = await self._connect(self._shards[index], endpoint)
        return connection

    async def _connect(self, servers: Topology, endpoint: Endpoint) -> SubscriptionConnection:
        try:
            connection = await servers.connect(endpoint)
        except RedisUnavailable:
            servers.moved()
            raise
        return SubscriptionConnection(
            connection,
            servers.address.timeout,
            self._on_message,
            self._on_change,
            functools.partial(self._on_lost, servers),
            servers.sharded,
        )

    def _on_message(self, key: bytes, data: bytes) -> None:
        subscription = self._subscriptions.get(key)
        if subscription is None or self.retired:
            return
        self._handler.handle(subscription.topic, subscription.watch, data)
        if not self._owner.wanted(subscription.topic):
            self.release([subscription.topic])

    def _on_change(self, key: bytes, result: bool | ResponseError) -> None:
        subscription = self._subscriptions.get(key)
        if subscription is None:
            return
        if result is True:
            self._on_confirmed(subscription)
        elif subscription.state is State.LEAVING:
            del self._subscriptions[key]
        elif result is False and subscription.state is State.ASKED:
            return  # an earlier one has ended; what was asked for since is answered behind it
        elif result is False or isinstance(result, MovedError):  # a cluster moved the topic
            self._servers(subscription.topic).moved(result or None)
            if subscription.state is State.ON:  # what is published before it is ON again is missed
                self._interrupted_at = self._interrupted_at or self.loop.time()
                self._interrupt(subscription.topic)
            subscription.lost()
            self._start_repair()
        else:
            del self._subscriptions[key]
            subscription.settle(result)

    def _on_confirmed(self, subscription: Subscription) -> None:
        if subscription.state is State.ASKED:
            subscription.state = State.ON
            if subscription.watch.interrupted is not None:
                subscription.watch.interrupt()
            subscription.settle()
            if not self._owner.wanted(subscription.topic):
                self.release([subscription.topic])

    def _on_lost(self, servers: Topology, reason: BaseException) -> None:
        if isinstance(reason, asyncio.CancelledError):
            self.retire()
            self._owner.loop_ended(self)
            return
        servers.moved()
        gone = {connection for connection in self._connections.values() if connection.lost is not None}
        self._connections = {
            key: connection for key, connection in self._connections.items() if connection.lost is None
        }
        for key, subscription in list(self._subscriptions.items()):
            if subscription.connection in gone:
                if subscription.state is State.LEAVING:
                    del self._subscriptions[key]
                else:
                    self._interrupt(subscription.topic)
                    subscription.lost()
        if self._interrupted_at is None:
            self._interrupted_at = self.loop.time()
        self._owner.interrupted(servers.address.label, reason)
        self._start_repair()

    def _start_repair(self) -> None:
        if self._repair is None and not self.retired:
            self._repair = self.loop.create_task(self._repair_all())

    async def _repair_all(self) -> None:
        """Subscribe what is lost until nothing is."""
        waits = backoff()
        try:
            while lost := self._lost():
                await self._repair_once(lost)
                self._end_interruptions()
                if self._lost():
                    await self._pause(next(waits))
        finally:
            self._repair = None
            self._end_interruptions()
        if self._interrupted_at is not None and not self.retired:
            seconds, self._interrupted_at = self.loop.time() - self._interrupted_at, None
            topics = [subscription.topic for subscription in self._subscriptions.values()]
            self._owner.restored(topics, seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try, shortly if somebody has found that the servers answer."""
        await asyncio.sleep(min(seconds, BACKOFF_FIRST))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - BACKOFF_FIRST)):
                await self._retry.wait()
        self._retry.clear()

    def _lost(self) -> list[Subscription]:
        """Return what is to be repaired; what nobody wants any more is forgotten."""
        for key, subscription in list(self._subscriptions.items()):
            if subscription.state is State.LOST and not self._owner.wanted(subscription.topic):
                del self._subscriptions[key]
                subscription.settle(RedisUnavailable("The topic was left before it was subscribed."))
        return [each for each in self._subscriptions.values() if each.state is State.LOST or each.interrupted]

    async def _repair_once(self, lost: list[Subscription]) -> None:
        away: set[object] = set()  # shards, and servers of them, that cannot be reached
        for subscription in lost:
            await self._ask_unless_away(subscription, away)
        waiting = [asyncio.shield(each.confirmed) for each in lost if each.state is State.ASKED]
        if waiting:
            await asyncio.wait(waiting, timeout=min(1.0, self._shards[0].address.timeout))  # one may be lost

    async def _ask_unless_away(self, subscription: Subscription, away: set[object]) -> None:
        """Ask for a topic, unless its server could not be reached for another one just now."""
        place: object = (shard := self._shard(subscription.topic))
        if shard in away:
            return
        try:
            place = (shard, await self._servers(subscription.topic).locate(subscription.topic.key))
            if place not in away:
                await self._ask_for(subscription)
        except UNREACHABLE:  # logged as interrupted already; tried again after a pause
            away.add(place)

    def release(self, topics: Iterable[Topic]) -> None:
        """End the subscriptions of these topics soon, unless they are wanted again by then."""
        if not self._released:
            self.loop.call_soon(self._leave_released)
        self._released.extend(topics)

    def _leave_released(self) -> None:
        released, self._released = self._released, []
        for topic in released:
            subscription = self._subscriptions.get(topic.key)
            if subscription is None or self._owner.wanted(topic):
                continue
            if subscription.state is State.ON and subscription.connection is not None:
                subscription.state = State.LEAVING
                subscription.connection.unsubscribe(topic.key)

    async def aclose(self) -> None:
        """Close the connections and forget all topics."""
        self.retire()
        await end_tasks([*self._beginning, *filter(None, [self._repair])])
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            await connection.aclose()
        for subscription in self._subscriptions.values():
            subscription.settle(RedisUnavailable("The layer was closed."))
