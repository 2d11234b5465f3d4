"""Named channels: messages that wait in Redis until a worker takes them.

Who takes a message holds a lease on it, prolonged while the process lives, until it is
acknowledged. If the process dies the lease runs out, and the message goes to the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError

from channels import telemetry
from channels.exceptions import ChannelFull
from channels.layers.local.drops import DropCounter
from channels.layers.redis.connect.commands import Commands, backoff
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.connect.scripts import Script
from channels.layers.redis.queues.expiry import ExpiryTimer
from channels.layers.redis.queues.scripts import (
    ACKNOWLEDGE,
    FORWARD,
    GIVE_BACK,
    RENEW,
    SEND,
    SWEEP,
    TAKE,
)
from channels.layers.redis.wire.encryption import EnvelopeCipher, NotAuthentic
from channels.layers.redis.wire.keys import KeySpace, Topic
from channels.layers.redis.wire.sequencing import Envelope

Acknowledge = Callable[[], Awaitable[None]]

#: Seconds after which a receiver looks again though no news came (they may have been lost).
LOOK_AGAIN: Final = 5.0
#: Seconds after which what is in a queue has surely expired, besides the expiry.
SWEEP_AFTER: Final = 0.1
#: Seconds for which the news of a channel are listened to after the last receive.
LISTEN_ON: Final = 10.0


class QueueNotifications(Protocol):
    """Who subscribes to the news of queues."""

    async def subscribe(self, topic: Topic) -> None:
        """Return when ``topic`` is subscribed."""

    def release(self, topics: list[Topic]) -> None:
        """End subscriptions."""


class WorkQueues:
    """The queues of one layer.

    Args:
        names: of keys and topics.
        commands: returns the connections of the running loop.
        news: subscribes to the news.
        cipher: binds each entry to its queue.
        drops: counts what expired, and what was refused.
        expiry: seconds an unread message is kept.
        lease: seconds after which what a dead process had taken goes to another.
    """

    def __init__(
        self,
        names: KeySpace,
        commands: Callable[[], Commands],
        news: QueueNotifications,
        cipher: EnvelopeCipher,
        drops: DropCounter,
        expiry: float,
        lease: float,
    ) -> None:
        self._names = names
        self._commands = commands
        self._news = news
        self._cipher = cipher
        self._drops = drops
        self._expiry = max(1, int(expiry * 1000))
        self._lease = lease
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._listened: dict[str, float] = {}
        self._taken: dict[tuple[str, bytes], bool] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._worked = False
        self._sweeper = ExpiryTimer(expiry + SWEEP_AFTER, self._sweep, self._start)

    @property
    def _lease_time(self) -> int:
        return max(1, int(self._lease * 1000))

    @property
    def unacknowledged(self) -> int:
        """How many messages this process has taken and not acknowledged."""
        return len(self._taken)

    def listened(self, channel: str) -> bool:
        """Whether the news of ``channel`` are wanted."""
        return channel in self._listened

    def listened_topics(self) -> list[Topic]:
        """Return the topics of all news that are wanted."""
        return [self._names.topic("news", channel) for channel in list(self._listened)]

    def on_queue_notification(self, channel: str) -> None:
        """Have whoever receives on ``channel`` look; called in any thread."""
        for loop, event in list(self._waiting.get(channel, ())):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def look_again(self) -> None:
        """Have every receiver look: news may have been missed."""
        for channel in list(self._waiting):
            self.on_queue_notification(channel)

    async def send(self, channel: str, capacity: int, body: bytes) -> None:
        """Add a message; raises ChannelFull or RedisUnavailable."""
        ident = os.urandom(16)
        arguments = (ident, self._sealed(channel, ident, body), capacity, self._expiry)
        added, expired = await self._script(channel, SEND, *arguments, tries=1, tells=True)
        self._sweeper.watch(channel)
        require_added(self._drops, channel, capacity, added, expired)

    async def forward(self, channel: str, capacity: int, envelope: Envelope) -> None:
        """Add a group's message once, however many processes forward it; full queues are counted."""
        source = envelope.sender + envelope.number.to_bytes(8) + channel.encode()
        ident = hashlib.blake2b(source, digest_size=16).digest()
        arguments = (ident, self._sealed(channel, ident, envelope.body), capacity, self._expiry)
        added, expired = await self._script(channel, FORWARD, *arguments, tries=3, tells=True)
        self._sweeper.watch(channel)
        with contextlib.suppress(ChannelFull):
            require_added(self._drops, channel, capacity, added, expired)

    def _sealed(self, channel: str, ident: bytes, body: bytes) -> bytes:
        return self._cipher.seal_entry(self._names.queue(channel).ready, ident, body)

    def _opened(self, channel: str, ident: bytes, entry: bytes) -> bytes | None:
        """Return the message of an entry; one that was put here from elsewhere is counted, and None."""
        try:
            return self._cipher.open_entry(self._names.queue(channel).ready, ident, entry)
        except NotAuthentic as error:
            telemetry.emit("layer.message_unauthentic", error=repr(error))
            self._drops.add("unauthentic")
            return None

    def watch(self, channel: str) -> None:
        """Count what expires in ``channel`` because nobody takes it; called in a loop."""
        self._sweeper.watch(channel)

    async def _sweep(self, channel: str) -> int:
        expired, left = await self._script(channel, SWEEP, self._lease_time, self._expiry, tries=2)
        self._count_expired(expired)
        return int(left)

    async def take(self, channel: str) -> tuple[bytes | None, Acknowledge]:
        """Wait for a message; returns it with the coroutine function that acknowledges it.

        None in its place is one that was refused.

        Cancelling loses none. A first use without Redis raises RedisUnavailable; later on it
        waits until Redis is back.
        """
        ident, entry = await self._wait(channel)
        self._hold(channel, ident)

        async def acknowledge() -> None:
            await self._acknowledge(channel, ident)

        return self._opened(channel, ident, entry), acknowledge

    async def receive(self, channel: str) -> bytes | None:
        """Wait for a message and acknowledge it; cancelling loses none. None is one that was refused."""
        ident, entry = await self._wait(channel)
        self._hold(channel, ident)
        done = self._start(self._acknowledge(channel, ident))
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            self._start(self._give_back(channel, ident, entry))
            raise
        return self._opened(channel, ident, entry)

    async def drain(self, channel: str) -> AsyncIterator[bytes | None]:
        """Take and acknowledge all that waits now. None is a message that was refused."""
        while taken := await self._take_now(channel):
            ident, entry = taken
            self._hold(channel, ident)
            yield self._opened(channel, ident, entry)
            await self._acknowledge(channel, ident)

    async def _wait(self, channel: str) -> tuple[bytes, bytes]:
        entry = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.setdefault(channel, []).append(entry)
        waits = backoff()
        try:
            while True:
                entry[1].clear()
                try:
                    await self._listen(channel)
                    if taken := await self._take_now(channel):
                        return taken
                except RedisUnavailable:
                    if not self._worked:
                        raise
                    await asyncio.sleep(next(waits))
                    continue
                await _set_within(entry[1], LOOK_AGAIN)
        finally:
            self._waiting[channel].remove(entry)
            if not self._waiting[channel]:
                del self._waiting[channel]

    async def _listen(self, channel: str) -> None:
        """Subscribe to the news of ``channel``; end those nobody has asked for lately."""
        now = time.monotonic()
        known = channel in self._listened
        self._listened[channel] = now
        if not known:
            stale = [
                name
                for name, last in list(self._listened.items())
                if last < now - LISTEN_ON and name not in self._waiting
            ]
            for name in stale:
                self._listened.pop(name, None)
            self._news.release([self._names.topic("news", name) for name in stale])
        await self._news.subscribe(self._names.topic("news", channel))

    async def _take_now(self, channel: str) -> tuple[bytes, bytes] | None:
        taking = self._start(self._script(channel, TAKE, self._lease_time, tries=1))
        try:
            reply = await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda task: self._return_taken(channel, task))
            raise
        self._worked = True
        self._count_expired(reply[0])
        return (reply[1], reply[2]) if len(reply) > 1 else None

    def _return_taken(self, channel: str, taking: asyncio.Task[Any]) -> None:
        """Give back what arrives for a receiver that is not there any more."""
        if taking.cancelled() or taking.exception() is not None:
            return  # the lease runs out and it is taken again
        if len(taking.result()) > 1:
            self._start(self._give_back(channel, *taking.result()[1:]))

    async def _give_back(self, channel: str, ident: bytes, body: bytes) -> None:
        self._taken.pop((channel, ident), None)
        reply = await self._script(channel, GIVE_BACK, ident, body, self._expiry, tries=3, tells=True)
        self._count_expired(reply[0])

    def _count_expired(self, amount: int) -> None:
        if amount:
            self._drops.add("expired", amount)

    async def _acknowledge(self, channel: str, ident: bytes) -> None:
        """Tell Redis that a message is done; what fails now is tried again by the keeper."""
        if (channel, ident) not in self._taken:
            return
        self._taken[channel, ident] = True
        try:
            reply = await self._script(channel, ACKNOWLEDGE, ident, tries=3)
        except RedisUnavailable:
            return
        self._count_expired(reply[0])
        self._taken.pop((channel, ident), None)

    def _hold(self, channel: str, ident: bytes) -> None:
        """Keep a lease from running out until the message is acknowledged."""
        self._taken[channel, ident] = False
        if self._keeper is None or self._keeper.done() or self._keeper.get_loop().is_closed():
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        """Prolong the leases, and acknowledge what could not be acknowledged before."""
        while self._taken:
            await asyncio.sleep(self._lease / 3)
            for (channel, ident), acknowledged in list(self._taken.items()):
                try:
                    if acknowledged:
                        await self._acknowledge(channel, ident)
                    elif (channel, ident) in self._taken:
                        await self._script(channel, RENEW, self._lease_time, ident, tries=2)
                except RedisUnavailable:
                    break  # the next round tries again

    async def _script(self, channel: str, script: Script, *args: Any, tries: int, tells: bool = False) -> Any:
        """Run a script on a queue; one that ``tells`` publishes the news as well."""
        keys = self._names.queue(channel)
        news = self._names.topic("news", channel).key

        def arguments(sharded: bool) -> tuple[Any, ...]:
            return (*args, "SPUBLISH" if sharded else "PUBLISH", news) if tells else args

        run = functools.partial(self._commands().execute, channel, keys.ready, tries=tries)
        try:
            return await run(lambda sharded: script.by_name(keys, *arguments(sharded)))
        except NoScriptError:
            return await run(lambda sharded: script.by_text(keys, *arguments(sharded)))

    async def aclose(self) -> None:
        """End what runs in this loop; unacknowledged messages go to others when their leases end."""
        self._sweeper.close()
        here = asyncio.get_running_loop()
        tasks = [task for task in self._background if task.get_loop() is here]
        if self._keeper is not None and self._keeper.get_loop() is here:
            tasks.append(self._keeper)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # whoever awaits it has it


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def require_added(drops: DropCounter, channel: str, capacity: int, added: int, expired: int) -> None:
    """Count what SEND found expired; raise ChannelFull if it added nothing."""
    if expired:
        drops.add("expired", expired)
    if not added:
        drops.add("capacity")
        raise ChannelFull(f"Channel {channel!r} holds its capacity of {capacity} unread messages.")
