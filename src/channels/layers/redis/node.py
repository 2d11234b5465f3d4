"""The part a process plays: what it listens to, which memberships it keeps, what it publishes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
import uuid
import weakref
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, Final

from channels import telemetry
from channels.core.bounded_cache import BoundedCache
from channels.layers.loops import end_tasks
from channels.layers.members import Answers, GroupChannels
from channels.layers.names import is_process_local
from channels.layers.redis.connect.commands import Commands
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.connect.topology import servers_at
from channels.layers.redis.exchange import SequenceExchange
from channels.layers.redis.groups import answers_to, question, take_answer
from channels.layers.redis.interfaces import NodeSettings
from channels.layers.redis.other_prefixes import OtherPrefixes
from channels.layers.redis.per_loop import LoopConnections
from channels.layers.redis.queues.forwarding import Forwarding
from channels.layers.redis.queues.work_queues import WorkQueues
from channels.layers.redis.subscriptions.receiver import Receiver
from channels.layers.redis.wire.keys import KeySpace, Topic
from channels.layers.redis.wire.sequencing import Envelope, SequenceNumbers

#: Groups whose topics are at hand: to make one is 2 % of a ``group_send``.
MAX_GROUP_TOPICS: Final = 1000
#: Seconds after which a process that has only sent listens, too.
LISTEN_AFTER: Final = 1.0


class RedisNode:
    """One process of one layer.

    Args:
        engine: whose settings and local delivery apply.
    """

    def __init__(self, engine: NodeSettings) -> None:
        self._engine = engine
        self.names = KeySpace(engine.prefix, engine.family)
        self.other_prefixes = OtherPrefixes(self.names)
        self._topic = self.names.topic("process", engine.client_prefix)
        make_topic = functools.partial(self.names.topic, "group")
        self._group_topics = BoundedCache("layer.redis_group_topics", MAX_GROUP_TOPICS, make_topic)
        self._listening = False
        self._listening_later: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.TimerHandle] = (
            weakref.WeakKeyDictionary()
        )
        self._named: dict[str, set[str]] = {}
        self._channels: dict[str, float] = {}
        self._orders: dict[str, Future[None]] = {}
        self._answers: dict[str, Answers] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._interruptions = 0
        self.exchange = SequenceExchange(self, self.names, engine.repair)
        self.receiver = Receiver(
            engine.cipher, engine.local, engine.deserialize, self, self.exchange, engine.publishes_named
        )
        self.receiver.repairs = self.exchange.attach(self.receiver)
        self.connections = LoopConnections(
            lambda: [servers_at(address) for address in engine.addresses],
            engine.policy,
            engine.cipher,
            self.receiver,
            self,
            self.exchange.senders.numbers,
            self.exchange.sent,
        )
        self.work_queues = WorkQueues(
            self.names,
            self.connections.commands,
            self.connections,
            engine.cipher,
            engine.local.drops,
            engine.expiry,
            engine.worker_timeout,
        )
        self.forwarding = Forwarding(self._forward, self.start, engine.local.drops, engine.expiry)

    def commands(self) -> Commands:
        """Return the connections for commands of the running loop."""
        return self.connections.commands()

    # What it listens to

    async def listen(self) -> None:
        """Return when messages for this process' own channels arrive here."""
        self.commands()  # makes this loop known as one that could take over the subscriptions
        if self._listening and self.connections.covers(self._topic):
            return
        before, self._listening = self._listening, True
        try:
            for topic in (*self.exchange.topics, self._topic):
                await self.connections.subscribe(topic)
            self.exchange.listens(True)
        except BaseException:
            self._listening = before
            raise

    def _listen_later(self) -> None:
        """Listen soon, to be asked for what is sent here, if the loop lives for more than one message."""
        loop = asyncio.get_running_loop()
        if self._engine.repair.enabled and loop not in self._listening_later:
            later = loop.call_later(LISTEN_AFTER, self._start_listening)
            self._listening_later[loop] = later

    def _start_listening(self) -> None:
        """Listen in the background; if Redis is away now, with the next message."""
        self._listening_later.pop(asyncio.get_running_loop(), None)
        self.start(self._try_to_listen())

    async def _try_to_listen(self) -> None:
        with contextlib.suppress(RedisUnavailable):
            await self.listen()

    async def listen_to(self, channel: str) -> None:
        """Return when what is published to the channel of that name arrives here, and what waited has."""
        known = channel in self._channels
        self._channels[channel] = time.monotonic()
        if not known:
            self._forget_idle_channels()
        topic = self.names.topic("channel", channel)
        if not self.connections.confirmed(topic):
            await self.connections.subscribe(topic)
            await self._fetch_waiting(channel)

    def _forget_idle_channels(self) -> None:
        """Listen no more to channels on which nobody has received for as long as messages are kept."""
        oldest = time.monotonic() - self._engine.expiry
        for channel, last in list(self._channels.items()):
            if last < oldest and channel not in self._engine.local.channels:
                self.channel_detached(channel)

    async def _fetch_waiting(self, channel: str) -> None:
        """Deliver what waits in Redis because it was sent while nobody listened to the channel."""
        async for body in self.work_queues.drain(channel):
            self.receiver.deliver_to(channel, body)

    def wanted(self, topic: Topic) -> bool:
        """Whether anybody here wants what is published on ``topic``."""
        if topic.kind == "group":
            return topic.name in self._engine.local.groups or topic.name in self._named
        if topic.kind == "news":
            return self.work_queues.listened(topic.name)
        if topic.kind == "channel":
            return topic.name in self._channels
        return self._listening

    def wanted_topics(self) -> Iterable[Topic]:
        """Return all topics that are wanted now."""
        groups = {*self._engine.local.groups, *self._named}
        yield from (self.names.topic("group", group) for group in groups)
        yield from (self.names.topic("channel", channel) for channel in list(self._channels))
        yield from self.work_queues.listened_topics()
        if self._listening:
            yield from (self._topic, *self.exchange.topics)

    # Memberships

    async def join(self, group: str, channel: str) -> None:
        """Make ``channel`` a member; returns when this process gets what is sent to the group."""
        if self._elsewhere(channel):
            await self._order("join", group, channel)
            return
        if self._engine.waits_in_redis(channel):
            self._named.setdefault(group, set()).add(channel)
        else:
            self._engine.local.join(group, channel)
        topic = self.names.topic("group", group)
        if not self.connections.confirmed(topic):
            await self._subscribe_or_leave(topic, channel)

    async def _subscribe_or_leave(self, topic: Topic, channel: str) -> None:
        try:
            await self.connections.subscribe(topic)
        except BaseException:
            self._leave(topic.name, channel)
            raise

    async def leave(self, group: str, channel: str) -> None:
        """End a membership; what was sent before still arrives."""
        if self._elsewhere(channel):
            await self._order("leave", group, channel)
            return
        await self.connections.caught_up(self.names.topic("group", group))
        self._leave(group, channel)

    def _leave(self, group: str, channel: str) -> None:
        if self._engine.waits_in_redis(channel):
            members = self._named.get(group, set())
            members.discard(channel)
            if not members:
                self._named.pop(group, None)
        else:
            self._engine.local.leave(group, channel)
        self.detached([group])

    def detached(self, groups: Iterable[str]) -> None:
        """Listen no more to those of ``groups`` that have no member here."""
        self._release(topic for topic in (self.names.topic("group", group) for group in groups))

    def _release(self, topics: Iterable[Topic]) -> None:
        unwanted = [topic for topic in topics if not self.wanted(topic)]
        if unwanted:
            self.connections.release(unwanted)

    def forget_memberships(self) -> None:
        """Forget which named channels are members, and which channels were listened to."""
        self._named.clear()
        self._channels.clear()

    def channel_detached(self, channel: str) -> None:
        """Listen no more to a channel by its name."""
        if channel in self._channels:
            del self._channels[channel]
            self._release([self.names.topic("channel", channel)])

    # Channels of other processes

    def _elsewhere(self, channel: str) -> bool:
        return is_process_local(channel) and not self._engine.is_own(channel)

    def topic_of(self, channel: str) -> Topic:
        """Return the topic on which messages for ``channel`` are published."""
        if not is_process_local(channel):
            return self.names.topic("channel", channel)
        return self.names.topic("process", channel.partition("!")[0].rpartition(".")[2])

    async def publish_to_channel(self, channel: str, body: bytes) -> None:
        """Publish to whoever listens to ``channel``.

        If nobody does, a message for a named channel waits in Redis, one for a channel of a
        process that has ended is counted.
        """
        if await self.commands().publish(self.topic_of(channel), channel, body):
            return
        if is_process_local(channel):
            self._engine.local.drops.add("unreachable")
        else:
            await self.work_queues.send(channel, self._engine.get_capacity(channel), body)

    async def publish_to_group(self, group: str, body: bytes) -> None:
        """Publish to all processes that have members."""
        topic = self._group_topics[group]
        if not self._listening:
            self._listen_later()
        if self.connections.interruption(topic) is not None:
            await self.connections.subscribed_again(topic)
        commands = self.commands()
        if not await commands.publish(topic, "", body) and self.other_prefixes.due():
            await self.other_prefixes.look(commands, topic)

    async def _order(self, what: str, group: str, channel: str) -> None:
        """Have the process that owns ``channel`` change its membership; wait until it has."""
        await self.listen()
        number, done = uuid.uuid4().hex, Future[None]()
        order = {"do": what, "group": group, "channel": channel, "number": number, "for": self._topic.name}
        self._orders[number] = done
        try:
            if await self._tell(self.topic_of(channel), order):
                timeout = self._engine.addresses[0].timeout
                async with asyncio.timeout(timeout):
                    await asyncio.wrap_future(done)
            else:
                telemetry.count("layer.redis_no_such_process", channel=channel)
        except TimeoutError as error:
            raise RedisUnavailable(f"The process of channel {channel!r} did not answer in time.") from error
        finally:
            del self._orders[number]

    async def _tell(self, topic: Topic, content: object) -> int:
        return await self.commands().publish_signal(topic, json.dumps(content).encode())

    # Who is in a group

    def members_here(self, group: str) -> list[str]:
        """Return the channels that this process has in ``group``."""
        return [*self._engine.local.groups.get(group, ()), *self._named.get(group, ())]

    async def members(self, group: str, seconds: float) -> GroupChannels:
        """Ask every process with members; an answer that comes later than ``seconds`` is missing."""
        await self.listen()
        asked = question(self._topic.name)
        answers = self._answers[asked["number"]] = Answers()
        try:
            answers.expect(await self._tell(self.names.topic("group", group), asked))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.wrap_future(answers.done)
            return answers.result(self.members_here(group))
        finally:
            del self._answers[asked["number"]]

    def on_question(self, group: str, content: Any) -> None:
        """See :class:`~channels.layers.redis.subscriptions.receiver.ControlHandler`."""
        reply_to = self.names.topic("process", content["for"])
        self.start(self._tell_all(reply_to, list(answers_to(content, self.members_here(group)))))

    async def _tell_all(self, topic: Topic, contents: list[Any]) -> None:
        for content in contents:
            await self._tell(topic, content)

    # What arrives

    def on_queue_notification(self, channel: str) -> None:
        """See :class:`~channels.layers.redis.subscriptions.receiver.ControlHandler`."""
        self.work_queues.on_queue_notification(channel)

    def on_group_message(self, group: str, envelope: Envelope) -> None:
        """See :class:`~channels.layers.redis.subscriptions.receiver.ControlHandler`."""
        for channel in tuple(self._named.get(group, ())):
            self.forwarding.add(channel, envelope)

    async def _forward(self, channel: str, envelope: Envelope) -> None:
        await self.work_queues.forward(channel, self._engine.get_capacity(channel), envelope)

    def on_membership_command(self, content: Any) -> None:
        """See :class:`~channels.layers.redis.subscriptions.receiver.ControlHandler`."""
        if content["do"] == "done":
            done = self._orders.get(content["number"])
            if done is not None and not done.done():
                done.set_result(None)
        elif content["do"] == "members":
            take_answer(self._answers, content)
        elif self._engine.is_own(content["channel"]):
            self.start(self._obey(content))

    async def _obey(self, content: Any) -> None:
        change = self.join if content["do"] == "join" else self.leave
        await change(content["group"], content["channel"])
        done = {"do": "done", "number": content["number"]}
        await self._tell(self.names.topic("process", content["for"]), done)

    def loop_ended(self, numbers: SequenceNumbers) -> None:
        """See :class:`~channels.layers.redis.per_loop.SubscriberListener`."""
        self.exchange.senders.add_ended_loop(numbers)

    # Interruptions

    def interrupted(self, label: str, reason: BaseException) -> None:
        """Note that messages may be missed from now on."""
        self._interruptions += 1
        self._engine.on_interrupted()

    def restored(self, topics: list[Topic], seconds: float) -> None:
        """Tell consumers; find out what was missed."""
        self.work_queues.look_again()
        for channel in self._channels:
            self.start(self._fetch_waiting(channel))
        self._engine.on_restored(seconds)
        self.exchange.restored(topics)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background of the running loop, until the connections there are closed."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            telemetry.count("layer.redis_background_failed", error=repr(task.exception()))

    def statistics(self) -> dict[str, Any]:
        """Return counts of topics, loops, interruptions, unacknowledged messages, and of repairs."""
        return {
            "topics": self.connections.topics,
            "loops": len(self.connections.loops),
            "interruptions": self._interruptions,
            "unacknowledged": self.work_queues.unacknowledged,
            **self.exchange.statistics(),
        }

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        later = self._listening_later.pop(asyncio.get_running_loop(), None)
        if later is not None:
            later.cancel()
        await self._end_background()
        await self.work_queues.aclose()
        await self.connections.aclose()
        self.exchange.listens(self._listening and self.connections.covers(self._topic))
        await self._end_background()  # what came until the subscriptions ended

    async def _end_background(self) -> None:
        here = asyncio.get_running_loop()
        await end_tasks([task for task in self._background if task.get_loop() is here])
