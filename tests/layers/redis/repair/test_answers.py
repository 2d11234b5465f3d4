"""What a sender answers to one that has missed something."""

from __future__ import annotations

import asyncio

from channels.layers.redis.repair import answers as answers_module
from channels.layers.redis.repair.answers import RepairAnswers, spans_without
from channels.layers.redis.repair.messages import Place, Question
from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sent import Sent, SentMessages
from channels.layers.redis.wire.sequencing import SequenceNumbers

NAMES = KeySpace("asgi")
TOPIC = NAMES.topic("group", "g")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Process:
    """A sender, and what it has answered."""

    def __init__(self, limit=100_000):
        self.clock = Clock()
        self.names = NAMES
        self.numbers = SequenceNumbers(self.clock)
        self.sent = SentMessages(1000, limit, self.clock)
        self.answers = RepairAnswers(self, self.sent, self.clock)
        self.told = []
        self.tasks = []

    def numbers_of(self, sender):
        return self.numbers if sender == self.numbers.sender else None

    def start(self, coroutine):
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def answer(self, reply_to, answer):
        self.told.append((reply_to, answer))

    def send(self, data, accepted=True):
        number = self.numbers.next(TOPIC.key)
        self.sent.add(self.numbers.sender, TOPIC, number, data if accepted else None)
        self.numbers.settle(TOPIC.key, number)

    async def asked(self, first, last, age=None, sender=None):
        place = Place("group", "g", sender or self.numbers.sender)
        self.answers.ask(b"asks", [Question(place, (first, last), age)])
        await asyncio.gather(*self.tasks)
        told, self.told = self.told, []
        return [(answer.span, list(answer.messages), list(answer.gone)) for _, answer in told]


async def test_the_messages_that_are_missing_are_sent_again():
    process = Process()
    for data in (b"1", b"2", b"3"):
        process.send(data)
    assert await process.asked(2, 3) == [((2, 3), [b"2", b"3"], [])]
    assert await process.asked(3, 9) == [((3, 3), [b"3"], [])]  # it has sent no more
    assert await process.asked(4, 9) == []


async def test_a_message_that_was_refused_is_neither_sent_nor_lost():
    process = Process()
    process.send(b"1")
    process.send(b"2", accepted=False)
    process.send(b"3")
    assert await process.asked(1, 3) == [((1, 3), [b"1", b"3"], [])]


async def test_what_is_on_its_way_is_not_answered_yet():
    process = Process()
    process.send(b"1")
    late = process.numbers.next(TOPIC.key)
    process.send(b"3")
    assert await process.asked(1, 3) == [((1, 1), [b"1"], [])]
    assert await process.asked(2, 3) == []
    process.numbers.settle(TOPIC.key, late)
    assert await process.asked(2, 3) == [((2, 3), [b"3"], [(2, 2)])]


async def test_what_is_not_kept_any_more_is_gone():
    process = Process(limit=500)
    for data in (b"1", b"2", b"3", b"4"):
        process.send(data)
    assert await process.asked(1, 4) == [((1, 4), [b"3", b"4"], [(1, 2)])]


async def test_who_has_just_begun_to_listen_gets_what_was_sent_since():
    process = Process()
    process.send(b"1")
    process.clock.now += 10
    process.send(b"2")
    process.clock.now += 1
    assert await process.asked(1, 2, age=5) == [((1, 2), [b"2"], [])]
    assert await process.asked(1, 2, age=20) == [((1, 2), [b"1", b"2"], [])]


async def test_much_is_answered_in_parts(monkeypatch):
    monkeypatch.setattr(answers_module, "ANSWER_SIZE", 5)
    process = Process()
    for _ in range(3):
        process.send(b"abc")
    process.send(b"longer than a part")
    assert await process.asked(1, 4) == [((1, 1), [b"abc"], [])]
    assert await process.asked(4, 4) == [((4, 4), [b"longer than a part"], [])]


async def test_a_sender_that_has_another_name_now_is_answered_for_from_what_is_kept():
    process = Process()
    process.sent.add(b"its-old1", TOPIC, 7, b"7")
    assert await process.asked(6, 9, sender=b"its-old1") == [((6, 7), [b"7"], [(6, 6)])]


async def test_of_a_sender_of_somebody_else_nothing_is_said():
    assert await Process().asked(1, 4, sender=b"somebody") == []


async def test_questions_have_a_bound(monkeypatch):
    monkeypatch.setattr(answers_module, "MAX_QUESTIONS", 2)
    process = Process()
    process.send(b"1")
    place = Place("group", "g", process.numbers.sender)
    for who in (b"a", b"b", b"c", b"a"):
        process.answers.ask(who, [Question(place, (1, 1), None)])
    await asyncio.gather(*process.tasks)
    assert [who for who, _ in process.told] == [b"a", b"b"]


def test_the_numbers_between():
    def kept(*numbers):
        return [Sent(0.0, b"", TOPIC, number, b"") for number in numbers]

    assert spans_without(kept(), (1, 3)) == [(1, 3)]
    assert spans_without(kept(2, 5, 9), (1, 6)) == [(1, 1), (3, 4), (6, 6)]
    assert spans_without(kept(1, 2, 3), (1, 3)) == []
