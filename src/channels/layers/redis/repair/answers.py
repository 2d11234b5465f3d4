"""The sender's side: answers those who ask for what they have missed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol

from channels.layers.redis.repair.messages import Answer, Question
from channels.layers.redis.wire.gaps import Span
from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sent import Sent, SentMessages
from channels.layers.redis.wire.sequencing import SequenceNumbers

#: Bytes of messages in one answer; whoever wants more asks again.
ANSWER_SIZE: Final = 256 * 1024
#: Questions that wait for their answers; more are asked again by those who asked them.
MAX_QUESTIONS: Final = 10_000


class AnsweringNode(Protocol):
    """What is asked of the process."""

    names: KeySpace

    def numbers_of(self, sender: bytes) -> SequenceNumbers | None:
        """Return the numbers of a sender of this process."""

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background, until the process closes its connections."""

    async def answer(self, reply_to: bytes, answer: Answer) -> None:
        """Tell the process with that token."""


class RepairAnswers:
    """Answers questions in batches: what is kept is searched once for all that wait.

    Args:
        node: the process.
        sent: what it keeps.
        clock: seconds, that of ``sent``.
    """

    def __init__(
        self, node: AnsweringNode, sent: SentMessages, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._node = node
        self._sent = sent
        self._clock = clock
        self._waiting: dict[tuple[bytes, bytes, bytes], tuple[bytes, Question]] = {}
        self._serving = False

    def ask(self, reply_to: bytes, questions: Sequence[Question]) -> None:
        """Answer soon; of two questions of one process about the same sender and topic the later."""
        for question in questions:
            key = (reply_to, question.place.sender, self._topic_key(question))
            if key in self._waiting or len(self._waiting) < MAX_QUESTIONS:
                self._waiting[key] = (reply_to, question)
        if self._waiting and not self._serving:
            self._serving = True
            self._node.start(self._serve())

    def _topic_key(self, question: Question) -> bytes:
        return self._node.names.topic(question.place.kind, question.place.name).key

    async def _serve(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = list(self._waiting.values()), {}
                for reply_to, answer in self._answers(asked):
                    await self._node.answer(reply_to, answer)
        finally:
            self._serving = False

    def _answers(self, asked: Sequence[tuple[bytes, Question]]) -> Iterator[tuple[bytes, Answer]]:
        keys = {(question.place.sender, self._topic_key(question)): None for _, question in asked}
        kept = self._sent.find(keys)
        for reply_to, question in asked:
            key = (question.place.sender, self._topic_key(question))
            answer = self._answer(question, key[1], kept.get(key, []))
            if answer is not None:
                yield reply_to, answer

    def _answer(self, question: Question, topic: bytes, kept: Sequence[Sent]) -> Answer | None:
        """Return what is known of the first numbers, or None if they are on their way or nobody's here."""
        numbers = self._node.numbers_of(question.place.sender)
        latest = kept[-1].number if kept else 0  # of a sender that has another name by now
        settled = latest if numbers is None else numbers.settled(topic)
        first, last = question.span[0], min(question.span[1], settled)
        if first > last:
            return None
        since, all_meant = self._meant(question, numbers, topic)
        known = [sent for sent in kept if first <= sent.number <= last]
        messages, last = _first_part(
            [each for each in known if each.data is not None and each.at >= since], last
        )
        gone = spans_without(known, (first, last)) if all_meant else []
        return Answer(question.place, (first, last), gone, messages)

    def _meant(self, question: Question, numbers: SequenceNumbers | None, topic: bytes) -> tuple[float, bool]:
        """Return since when messages were meant for whoever asks, and whether all were that are not kept."""
        if question.age is None:
            return float("-inf"), True
        younger = numbers is not None and numbers.age(topic) < question.age
        return self._clock() - question.age, younger


def _first_part(messages: Sequence[Sent], last: int) -> tuple[list[bytes], int]:
    """Return as many messages as one answer holds, at least one, and the last number it is about then."""
    sizes = itertools.accumulate(len(sent.data or b"") for sent in messages)
    fit = max(1, sum(size <= ANSWER_SIZE for size in sizes))
    if fit < len(messages):
        last = messages[fit].number - 1
    return [sent.data for sent in messages[:fit] if sent.data is not None], last


def spans_without(known: Sequence[Sent], span: Span) -> list[Span]:
    """Return the numbers of ``span`` that none of ``known``, which are in order, has."""
    spans, at = [], span[0]
    for sent in known:
        if sent.number > span[1]:
            break
        if sent.number > at:
            spans.append((at, sent.number - 1))
        at = sent.number + 1
    if at <= span[1]:
        spans.append((at, span[1]))
    return spans
