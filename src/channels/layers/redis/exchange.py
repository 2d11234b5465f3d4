"""What processes tell each other of the messages that they have published and missed."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from channels.layers.redis.connect.commands import Commands, backoff
from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.per_loop import LoopConnections
from channels.layers.redis.repair.answers import RepairAnswers
from channels.layers.redis.repair.messages import (
    NUMBERED,
    Answer,
    Question,
    encode_answer,
    question_signal,
    read_questions,
)
from channels.layers.redis.repair.requests import RepairedReceiver, Repairs
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.subscriptions.offline_senders import DetachedSenders
from channels.layers.redis.wire.keys import KeySpace, Topic
from channels.layers.redis.wire.sent import SentMessages
from channels.layers.redis.wire.sequencing import REPAIR, Envelope, SequenceNumbers

#: Seconds for which a question about numbers, or its answer, is tried while Redis is away.
SIGNAL_LIFETIME: Final = 30.0
#: Topics named in one question; more are asked for in several.
ROLL_CALL_SIZE: Final = 500


class ListeningProcess(Protocol):
    """The process that publishes and misses."""

    connections: LoopConnections

    async def listen(self) -> None:
        """Return when answers arrive here."""

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background of the running loop, until the connections there are closed."""


class SequenceExchange:
    """Tells the numbers that were reached, and asks for what is missing.

    Args:
        process: the process.
        names: of topics.
        limits: how much is kept, and waited for.

    Attributes:
        senders: of this process, but for those of loops that run.
        sent: what this process has published lately.
        topics: where it is asked.
        repairs: the gaps that are open; after :meth:`attach`.
    """

    repairs: Repairs

    def __init__(self, process: ListeningProcess, names: KeySpace, limits: RepairLimits) -> None:
        self.names = names
        self.senders = DetachedSenders()
        self.sent = SentMessages(limits.window, limits.buffer)
        self._queries = names.topic("roll-call", "")
        self.topics = (names.topic("repair", self.senders.names.token.hex()), self._queries)
        self._process = process
        self._limits = limits
        self._answers = RepairAnswers(self, self.sent)

    def attach(self, receiver: RepairedReceiver) -> Repairs:
        """Return what holds messages of ``receiver`` that come behind a gap."""
        self.repairs = Repairs(receiver, self, self._limits)
        return self.repairs

    def listens(self, yes: bool) -> None:
        """Note whether this process can be asked for what it has sent, from now on."""
        self.senders.names.askable = yes

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background of the running loop."""
        self._process.start(coroutine)

    def _commands(self) -> Commands:
        return self._process.connections.commands()

    # Numbers

    def on_sequence_query(self, content: Any) -> None:
        """Tell the latest numbers of the topics asked for; see :class:`.receiver.SequenceHandler`."""
        topics = [self.names.topic(kind, name) for kind, name in content if kind in NUMBERED]
        if len(topics) != len(content):
            raise ValueError(f"a question about topics without numbers: {content!r}")
        self._tell_numbers(topics)

    def _tell_numbers(self, topics: list[Topic]) -> None:
        async def answer(commands: Commands) -> None:
            for topic in topics:
                await until_done(functools.partial(commands.mark, topic, commands.numbers))

        self._process.connections.in_each_loop(answer)
        self.start(self._answer_for_others(topics))

    async def _answer_for_others(self, topics: list[Topic]) -> None:
        """Tell the numbers of threads and ended loops of this process."""
        for topic, numbers in list(self.senders.on(topics)):
            await until_done(functools.partial(self._commands().mark, topic, numbers))

    def restored(self, topics: list[Topic]) -> None:
        """Ask all senders which numbers they have reached on ``topics``, and tell those of this process.

        A sender that was cut off as well may not hear the question: it tells by itself when it is back.
        """
        self.repairs.resume()
        self._tell_numbers(list(self.sent.topics()))
        asked = [[topic.kind, topic.name] for topic in topics if topic.kind in NUMBERED]
        for start in range(0, len(asked), ROLL_CALL_SIZE):
            self.start(self._ask_for_numbers(asked[start : start + ROLL_CALL_SIZE]))

    async def _ask_for_numbers(self, topics: list[list[str]]) -> None:
        signal = json.dumps(topics).encode()
        await until_done(functools.partial(self._commands().publish_signal, self._queries, signal))

    def numbers_of(self, sender: bytes) -> SequenceNumbers | None:
        """Return the numbers of a sender of this process."""
        for commands in self._process.connections.loops.values():
            if commands.numbers.sender == sender:
                return commands.numbers
        return self.senders.of(sender)

    # Messages

    def on_repair_question(self, content: Any) -> None:
        """Send messages of this process again to who asks for them."""
        self._answers.ask(*read_questions(content))

    def on_repair_answer(self, answer: Answer) -> None:
        """Take messages that this process has missed."""
        self.repairs.answered(self.names.topic(answer.place.kind, answer.place.name), answer)

    async def answer(self, reply_to: bytes, answer: Answer) -> None:
        """See :class:`~channels.layers.redis.repair.answers.AnsweringNode`."""
        envelope = Envelope(REPAIR, answer.place.sender, 0, "", encode_answer(answer))
        topic = self.names.topic("repair", reply_to.hex())
        with contextlib.suppress(RedisUnavailable):  # whoever asks asks again
            await self._commands().publish_envelope(topic, envelope)

    async def ask_for_repair(self, process: bytes, questions: Sequence[Question]) -> None:
        """See :class:`~channels.layers.redis.repair.requests.AskingNode`."""
        signal = json.dumps(question_signal(self.senders.names.token, questions)).encode()
        topic = self.names.topic("repair", process.hex())
        with contextlib.suppress(RedisUnavailable):  # it is asked again
            await self._process.listen()
            await self._commands().publish_signal(topic, signal)

    def statistics(self) -> dict[str, Any]:
        """Return how many messages were repaired and were not, and the bytes that are kept and held."""
        return {
            "repaired": self.repairs.repaired,
            "unrepaired": dict(self.repairs.unrepaired),
            "kept": self.sent.size,
            "held": self.repairs.held,
        }


async def until_done(call: Callable[[], Awaitable[object]]) -> None:
    """Repeat a call that may be made twice while Redis is away, for as long as somebody may wait for it."""
    deadline = time.monotonic() + SIGNAL_LIFETIME
    for wait in backoff():
        try:
            await call()
            return
        except RedisUnavailable:
            if time.monotonic() > deadline:
                raise
        await sleep(wait)
