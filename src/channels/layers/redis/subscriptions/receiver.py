"""What arrives from Redis for this process, and where it goes."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from channels import telemetry
from channels.exceptions import ChannelFull
from channels.layers.local.delivery import LocalDelivery
from channels.layers.redis.repair.messages import Answer, decode_answer
from channels.layers.redis.repair.requests import Repairs
from channels.layers.redis.wire.encryption import EnvelopeCipher, NotAuthentic
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import CONTROL, MESSAGE, REPAIR, Envelope
from channels.typing import Message

#: The name under which channels_redis 4.3 logs members that were full.
logger = logging.getLogger("channels_redis.core")

#: In place of a message that could not be read.
NOTHING: Final = object()


class ControlHandler(Protocol):
    """Who acts on what is no message for a consumer."""

    def on_queue_notification(self, channel: str) -> None:
        """Look at the queue of ``channel``: it has a message."""

    def on_group_message(self, group: str, envelope: Envelope) -> None:
        """Forward a group's message to the members that are queues."""

    def on_membership_command(self, content: Any) -> None:
        """Change a membership of this process, or note that another process has."""

    def on_question(self, group: str, content: Any) -> None:
        """Tell who of this process is in ``group``."""


class SequenceHandler(Protocol):
    """Who tells and hears what was published and missed."""

    def on_sequence_query(self, content: Any) -> None:
        """Tell the latest numbers of the topics asked for."""

    def on_repair_question(self, content: Any) -> None:
        """Send messages of this process again to who asks for them."""

    def on_repair_answer(self, answer: Answer) -> None:
        """Take messages that this process has missed."""


class Receiver:
    """Opens envelopes and delivers their messages.

    Args:
        cipher: opens envelopes.
        local: the channels and groups of this process.
        deserialize: bytes to message.
        signals: acts on everything else,
        sequences: but for what is about numbers, and messages that were missed.
        takes_anything: whether a message may be something else than a dict.
    """

    def __init__(
        self,
        cipher: EnvelopeCipher,
        local: LocalDelivery,
        deserialize: Callable[[bytes], Message],
        signals: ControlHandler,
        sequences: SequenceHandler,
        takes_anything: bool = False,
    ) -> None:
        self._cipher = cipher
        self._local = local
        self._deserialize = deserialize
        self._signals = signals
        self._sequences = sequences
        self._takes_anything = takes_anything
        self.repairs: Repairs | None = None

    def handle(self, topic: Topic, watch: GapDetector, data: bytes) -> None:
        """See :class:`~channels.layers.redis.subscriptions.subscriber.MessageHandler`."""
        try:
            # The news of a queue are published by a script of Redis, and only say where to look.
            envelope = None if topic.kind == "news" else self._cipher.open(topic.key, data)
        except NotAuthentic as error:
            self.refuse(error)
            return
        if envelope is not None and watch.in_order(envelope):
            self.deliver(topic, envelope)
            return
        if envelope is None or envelope.kind == CONTROL:
            self.signal(topic, data if envelope is None else envelope.body)
            return
        if envelope.kind == REPAIR:
            self._take_answer(topic, envelope.body)
        elif self.repairs is None or not self.repairs.takes(envelope):
            self._take_or_count(topic, watch, envelope)
        else:
            self.repairs.out_of_order(topic, watch, envelope)

    def _take_or_count(self, topic: Topic, watch: GapDetector, envelope: Envelope) -> None:
        """Take a message of a sender that cannot be asked: what is missing before it is lost."""
        missing = watch.missing(envelope)
        if missing > 0:
            self.count_lost(topic, missing)
        if missing >= 0 and envelope.kind == MESSAGE:
            self.deliver(topic, envelope)

    def _take_answer(self, topic: Topic, data: bytes) -> None:
        try:
            if topic.kind != "repair":
                raise ValueError(f"nothing of ours on {topic.kind} {topic.name}")
            self._sequences.on_repair_answer(decode_answer(data))
        except (ValueError, KeyError, TypeError, struct.error) as error:
            self._undecodable(error)

    def signal(self, topic: Topic, data: bytes) -> None:
        """Take one of the layer's own signals; anything else is counted."""
        if topic.kind == "news":
            self._signals.on_queue_notification(topic.name)
            return
        signals = self._signals
        acts: dict[str, Callable[[Any], None]] = {
            "roll-call": self._sequences.on_sequence_query,
            "process": signals.on_membership_command,
            "group": functools.partial(signals.on_question, topic.name),
            "repair": self._sequences.on_repair_question,
        }
        act = acts.get(topic.kind)
        try:
            if act is None:
                raise ValueError(f"nothing of ours on {topic.kind} {topic.name}")
            act(json.loads(data))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._undecodable(error)

    def count_lost(self, topic: Topic, amount: int) -> None:
        """Count messages that never come: a lost group message once per member that misses it."""
        members = len(self._local.groups.get(topic.name, ())) if topic.kind == "group" else 1
        self._local.drops.add("lost", amount * members)

    def open_sealed(self, topic: Topic, data: bytes) -> Envelope | None:
        """Return a message that somebody sent on ``topic``, or None for one that is counted."""
        try:
            envelope = self._cipher.open(topic.key, data)
        except NotAuthentic as error:
            self.refuse(error)
            return None
        if envelope is None or envelope.kind != MESSAGE:
            self._undecodable(ValueError(f"no message for {topic.kind} {topic.name}"))
            return None
        return envelope

    def deliver(self, topic: Topic, envelope: Envelope) -> None:
        """Deliver a message to the members of its group, or to its channel."""
        if topic.kind != "group":
            self.deliver_to(envelope.channel or topic.name, envelope.body)
            return
        self._signals.on_group_message(topic.name, envelope)
        message = self.open(envelope.body)
        if isinstance(message, dict):
            self._local.group_send(topic.name, message)
        elif message is not NOTHING:
            for channel in tuple(self._local.groups.get(topic.name, ())):
                self._deliver(channel, message)

    def deliver_to(self, channel: str, body: bytes | None) -> None:
        """Put a message on a channel of this process; one that is full misses it, and is counted."""
        message = self.open(body)
        if message is not NOTHING:
            self._deliver(channel, message)

    def _deliver(self, channel: str, message: Message) -> None:
        with contextlib.suppress(ChannelFull):  # counted there; the sender is elsewhere
            self._local.send(channel, message)

    def open(self, body: bytes | None) -> Message | Any:
        """Return the message, or NOTHING for one that cannot be read and is counted: of another format, say.

        A body that is None is what is left of an entry that was refused, and counted, before.
        """
        if body is None:
            return NOTHING
        try:
            message = self._deserialize(body)
        except Exception as error:  # a serializer of one's own may raise anything
            self._undecodable(error)
            return NOTHING
        if isinstance(message, dict) or self._takes_anything:
            return message
        self._undecodable(TypeError(f"a message is a dict, got {type(message).__name__}"))
        return NOTHING

    def refuse(self, error: NotAuthentic) -> None:
        """Count what was not sent to where it arrived by anybody who has a key."""
        telemetry.emit("layer.message_unauthentic", error=repr(error))
        self._local.drops.add("unauthentic")

    def _undecodable(self, error: Exception) -> None:
        telemetry.emit("layer.message_undecodable", error=repr(error))
        self._local.drops.add("undecodable")


def log_full_members(group: str, full: int, members: int) -> None:
    """Log members that were full, a line for each message, as channels_redis 4.3 does."""
    logger.info("%s of %s channels over capacity in group %s", full, members, group)
