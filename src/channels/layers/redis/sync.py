"""The layer for sync code: redis-py's blocking client, no event loop, safe in threads and forks."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import uuid
from typing import Any, Protocol

from redis.exceptions import NoScriptError

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.layers.members import ANSWER_TIMEOUT, Answers, GroupChannels, GroupCount
from channels.layers.names import is_process_local
from channels.layers.redis.connect.blocking import BlockingClient, BlockingClients
from channels.layers.redis.connect.commands import Sending
from channels.layers.redis.connect.errors import UNREACHABLE, RedisUnavailable
from channels.layers.redis.groups import question, read_answers
from channels.layers.redis.interfaces import NodeSettings
from channels.layers.redis.node import RedisNode
from channels.layers.redis.queues.scripts import SEND
from channels.layers.redis.queues.work_queues import require_added
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import SequenceNumbers
from channels.typing import Message


class SyncBackend(NodeSettings, Protocol):
    """What the layer for sync code uses of the engine.

    Attributes:
        node: what this process listens to and keeps.
    """

    node: RedisNode

    def checked(self, message: Message) -> bytes:
        """Return ``message`` as bytes that may be sent."""
        ...

    def require_valid_channel_name(self, channel: str) -> None:
        """Raise TypeError unless ``channel`` follows the grammar."""

    def require_valid_group_name(self, group: str) -> None:
        """Raise TypeError unless ``group`` follows the grammar."""


class RedisSyncLayer:
    """``send`` and ``group_send`` without an event loop, from any thread of any process.

    Args:
        engine: whose settings and names apply.
    """

    def __init__(self, engine: SyncBackend) -> None:
        self._engine = engine
        self._clients = BlockingClients(lambda: engine.addresses)
        self._thread = threading.local()

    def group_send(self, group: str, message: Message) -> None:
        """See :meth:`RedisChannelLayer.group_send`."""
        if telemetry.carry is not None:
            message = telemetry.carry(group, message)
        body = self._engine.checked(message)
        self._engine.require_valid_group_name(group)
        topic = self._engine.node.names.topic("group", group)
        if self._engine.node.connections.interruption(topic) is not None:
            self._clients.run(group, lambda client: client.reach(topic.key))
            self._engine.node.connections.wait_until_subscribed(topic)
        if delivery_log.note is not None:
            delivery_log.note("group", group, "published", message=message)
        others = self._engine.node.other_prefixes
        if not self._publish(topic, "", body) and others.due():
            others.look_blocking(self._clients, topic)

    def send(self, channel: str, message: Message) -> None:
        """See :meth:`RedisChannelLayer.send`."""
        if telemetry.carry is not None:
            message = telemetry.carry(channel, message)
        body = self._engine.checked(message)
        self._engine.require_valid_channel_name(channel)
        topic = self._engine.node.topic_of(channel)
        if self._engine.is_own(channel):
            self._engine.local.send(channel, message)
        elif self._engine.waits_in_redis(channel):
            self._add(channel, body)
        elif not self._publish(topic, channel, body):
            self._nobody_listens(channel, body)

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """See :meth:`RedisChannelLayer.group_channels`."""
        self._engine.require_valid_group_name(group)
        names = self._engine.node.names
        reply_to = names.topic("process", uuid.uuid4().hex)
        answers = Answers()

        def ask(client: BlockingClient) -> int:
            topic = names.topic("group", group).key
            signal = json.dumps(question(reply_to.name)).encode()
            return client.publish(
                topic, self._engine.cipher.seal_signal(topic, self._numbers().sender, signal)
            )

        def listen(client: BlockingClient) -> None:
            with contextlib.closing(client.redis.pubsub()) as pubsub:
                (pubsub.ssubscribe if client.sharded else pubsub.subscribe)(reply_to.key)
                read = pubsub.get_sharded_message if client.sharded else pubsub.get_message
                read(timeout=self._engine.addresses[0].timeout)  # it is subscribed: now nothing is missed
                answers.expect(self._clients.run(group, ask))
                open_signal = functools.partial(self._engine.cipher.open_signal, reply_to.key)
                read_answers(pubsub, client.sharded, timeout, answers, open_signal)

        self._clients.run(reply_to.name, listen)
        return answers.result(self._engine.node.members_here(group))

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """See :meth:`RedisChannelLayer.group_count`."""
        return self.group_channels(group, timeout).count

    def _nobody_listens(self, channel: str, body: bytes) -> None:
        if is_process_local(channel):
            self._engine.local.drops.add("unreachable")
        else:
            self._add(channel, body)

    def _publish(self, topic: Topic, channel: str, body: bytes) -> int:
        sending = Sending(self._numbers(), self._engine.cipher, topic, channel, body)
        sealed = sending.sealed()

        def publish(client: BlockingClient) -> int:
            try:
                return client.publish(topic.key, sealed)
            except UNREACHABLE:  # once more with the same number: nobody takes it twice
                return client.publish(topic.key, sealed)

        refused = False
        try:
            return self._clients.run(topic.name, publish)
        except RedisUnavailable:
            refused = True
            raise
        finally:
            sending.end(self._engine.node.exchange.sent, refused)

    def _add(self, channel: str, body: bytes) -> None:
        engine = self._engine
        names = engine.node.names
        keys = names.queue(channel)
        capacity = engine.get_capacity(channel)
        topic = names.topic("news", channel).key
        ident = os.urandom(16)
        entry = engine.cipher.seal_entry(keys.ready, ident, body)
        arguments = (ident, entry, capacity, max(1, int(engine.expiry * 1000)))

        def add(client: BlockingClient) -> Any:
            verb = "SPUBLISH" if client.sharded else "PUBLISH"
            try:
                return client.redis.execute_command(*SEND.by_name(keys, *arguments, verb, topic))
            except NoScriptError:
                return client.redis.execute_command(*SEND.by_text(keys, *arguments, verb, topic))

        added, expired = self._clients.run(channel, add)
        engine.node.connections.call_in_a_loop(engine.node.work_queues.watch, channel)
        require_added(engine.local.drops, channel, capacity, added, expired)

    def _numbers(self) -> SequenceNumbers:
        """Return the numbers of this thread: what one thread sends is in order, two are two senders."""
        known = getattr(self._thread, "numbers", None)
        if known is None or self._thread.pid != os.getpid():
            known = self._thread.numbers = self._engine.node.exchange.senders.thread_numbers()
            self._thread.pid = os.getpid()
        return known

    def close(self) -> None:
        """Close the connections; new ones are made when they are needed again."""
        self._clients.close()
