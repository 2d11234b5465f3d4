"""What is held behind a gap, what is asked, and when it is given up."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from channels.layers.redis.repair import requests
from channels.layers.redis.repair.messages import Answer, Place
from channels.layers.redis.repair.requests import Repairs
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.wire.gaps import GapDetector
from channels.layers.redis.wire.keys import KeySpace
from channels.layers.redis.wire.sequencing import (
    ASKABLE,
    MARK,
    MESSAGE,
    Envelope,
    encode_envelope,
    unseal,
)
from tests.layers.redis.tools import until

NAMES = KeySpace("asgi")
TOPIC, OTHER = NAMES.topic("group", "g"), NAMES.topic("group", "other")
SENDER = ASKABLE + b"four01"


class Clock:
    """Stands still at times that a test sets, else it is the true one."""

    now = 0.0

    def __call__(self):
        return self.now or time.monotonic()


class Process:
    def __init__(self, **limits):
        self.delivered = []
        self.lost = 0
        self.asked = []
        self.tasks = set()
        self.watches = {TOPIC: GapDetector(), OTHER: GapDetector()}
        self.clock = Clock()
        self.repairs = Repairs(self, self, RepairLimits(**limits), self.clock)

    def deliver(self, topic, envelope):
        self.delivered.append((topic.name, envelope.number))

    def count_lost(self, topic, amount):
        self.lost += amount

    def open_sealed(self, topic, data):
        return unseal(data)

    def start(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ask_for_repair(self, process, questions):
        self.asked += [(process, question.span) for question in questions]

    def hears(self, number, topic=TOPIC, kind=MESSAGE, body=b"x", sender=SENDER):
        envelope = Envelope(kind, sender, number, "", body)
        if self.watches[topic].in_order(envelope):
            self.deliver(topic, envelope)
        else:
            self.repairs.out_of_order(topic, self.watches[topic], envelope)

    def answer(self, first, last, gone=()):
        messages = [encode_envelope(MESSAGE, SENDER, n, "", b"x") for n in range(first, last + 1)]
        self.repairs.answered(
            TOPIC, Answer(Place("group", "g", SENDER), (first, last), gone, [] if gone else messages)
        )

    @property
    def numbers(self):
        return [number for _, number in self.delivered]


@pytest.fixture
async def processes():
    made = []

    def make(**limits):
        made.append(Process(**limits))
        return made[-1]

    yield make
    for process in made:
        for task in list(process.tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_gap_is_asked_for_and_others_are_not_held_up(processes):
    process = processes()
    for number in (1, 4, 5):
        process.hears(number)
    process.hears(1, OTHER)
    process.hears(1, sender=ASKABLE + b"other1")
    assert process.delivered == [("g", 1), ("other", 1), ("g", 1)]
    await until(lambda: process.asked)
    assert process.asked == [(b"four", (2, 3))]
    assert process.repairs.held > 0
    process.answer(2, 3)
    assert process.numbers[3:] == [2, 3, 4, 5]
    assert (len(process.repairs), process.repairs.held, process.repairs.repaired) == (0, 0, 2)
    await until(lambda: not process.tasks)


async def test_a_gap_at_the_end_is_asked_for_again_until_there_is_an_answer(processes):
    process = processes()
    process.hears(1)
    process.hears(3, kind=MARK)
    await until(lambda: len(process.asked) == 2)
    assert process.asked == [(b"four", (2, 3))] * 2
    process.answer(2, 2)
    await until(lambda: len(process.asked) == 3)
    assert process.asked[-1] == (b"four", (3, 3))
    process.answer(3, 3)
    assert process.numbers == [1, 2, 3]


async def test_what_is_gone_is_lost(processes):
    process = processes()
    for number in (1, 4):
        process.hears(number)
    process.answer(2, 3, gone=[(2, 3)])
    assert (process.numbers, process.lost, dict(process.repairs.unrepaired)) == ([1, 4], 2, {"gone": 2})


async def test_an_answer_that_nobody_waits_for_is_nothing(processes):
    process = processes()
    process.answer(1, 2)
    assert process.delivered == []


async def test_waiting_has_an_end(processes):
    process = processes(timeout=0.2)
    for number in (1, 3, 6):
        process.hears(number)
    await until(lambda: process.lost)
    assert (process.numbers, process.lost, dict(process.repairs.unrepaired)) == ([1, 3, 6], 3, {"timeout": 3})
    process.hears(7)
    process.hears(2)  # too late
    assert process.numbers == [1, 3, 6, 7]
    assert process.repairs.held == 0


async def test_the_time_counts_anew_when_a_way_is_back_but_not_for_ever(processes):
    process = processes(timeout=10, window=30)
    clock = process.clock
    clock.now = 100.0
    for number in (1, 3):
        process.hears(number)
    await until(lambda: len(process.asked) == 1)
    for asked, again in enumerate([process.repairs.resume, lambda: process.hears(3, kind=MARK)] * 2, 2):
        clock.now += 9
        again()
        await until(lambda asked=asked: len(process.asked) == asked)
    clock.now += 9
    process.repairs.resume()
    await until(lambda: process.lost)
    assert (process.numbers, process.lost) == ([1, 3], 1)


async def test_what_waits_has_a_bound(processes):
    process = processes(buffer=1000)
    for number in (1, 3, 4):
        process.hears(number, body=b"x" * 450)
    assert process.numbers == [1]
    process.hears(5, body=b"x" * 450)
    assert (process.numbers, process.lost) == ([1, 3, 4, 5], 1)
    assert dict(process.repairs.unrepaired) == {"overflow": 1}
    assert process.repairs.held == 0


async def test_so_have_gaps(processes, monkeypatch):
    monkeypatch.setattr(requests, "MAX_GAPS", 1)
    process = processes()
    for topic in (TOPIC, OTHER):
        for number in (1, 3):
            process.hears(number, topic)
    assert process.delivered == [("g", 1), ("other", 1), ("other", 3)]


async def test_who_was_not_interrupted_has_missed_nothing_of_a_sender_it_has_not_heard_of(processes):
    process = processes()
    process.hears(5)
    process.hears(9, OTHER, kind=MARK)
    process.hears(10, OTHER)
    assert process.delivered == [("g", 5), ("other", 10)]


async def test_who_was_may_have(processes):
    process = processes()
    process.watches[TOPIC].interrupt()
    process.hears(5)
    assert process.delivered == []
    await until(lambda: process.asked)
    assert process.asked == [(b"four", (1, 4))]
    process.answer(4, 4)  # the first are not among what it may have missed
    assert process.delivered == []
    process.repairs.answered(
        TOPIC,
        Answer(Place("group", "g", SENDER), (1, 4), [], [encode_envelope(MESSAGE, SENDER, 4, "", b"x")]),
    )
    assert process.numbers == [4, 5]


def test_repairs_that_are_switched_off_take_nothing():
    envelope = Envelope(MESSAGE, SENDER, 1, "", b"")
    assert Process().repairs.takes(envelope)
    assert not Process(window=0).repairs.takes(envelope)
    assert not Process().repairs.takes(envelope._replace(sender=b"old-name"))
