"""How much a process of the fleet takes on at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from django.test import override_settings

from channels import telemetry
from channels.inspector.sampling import Sampler
from channels.observability.fleet import current
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.member import MOST_QUESTIONS, Member
from channels.observability.fleet.questions import AskConnection, AskStatus
from channels.observability.problems import KINDS
from tests.support.ports import free_port

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
LONG = 20.0
MORE = 5


class HeldWorker:
    """What works in an event loop that takes no call until it is released."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.release = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        held = threading.Event()
        self.loop.call_soon_threadsafe(lambda: held.set() or self.release.wait(LONG))
        assert held.wait(LONG)
        telemetry.register("worker", self)

    def stop(self) -> None:
        self.release.set()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LONG)
        self.loop.close()

    def statistics(self) -> dict[str, int]:
        return {}


@pytest.fixture
def held() -> Iterator[HeldWorker]:
    worker = HeldWorker()
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def member() -> Iterator[Member]:
    with override_settings(CHANNEL_LAYERS=MEMORY):
        found = Member()
        found.start()
        assert found._ready.wait(LONG)
        yield found
        found.stop()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_layer_that_is_away_is_a_problem_in_the_words_of_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away: dict[str, Any] = {"BACKEND": "channels_redis.core.RedisChannelLayer"}
    away["CONFIG"] = {"hosts": [("127.0.0.1", free_port())]}
    with override_settings(CHANNEL_LAYERS={"default": away}):
        member = Member()
        monkeypatch.setattr(current, "_member", member)
        member.start()
        eventually(lambda: bool(current.layer_error()))
        problem = Sampler().look()["problems"][0]  # a busy machine may have others
        assert problem["text"].startswith("The channel layer default does not answer: ")
        assert problem["remedy"] == KINDS["layer_away"].remedy
        member.stop()


def test_questions_over_the_limit_are_refused_and_counted_and_later_ones_are_answered(
    member: Member, held: HeldWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.observability.fleet.answering.PATIENT_LOOP_LIMIT", LONG)
    before = telemetry.counters["fleet.questions_refused"]
    question = AskConnection(f"{member.node.id[:12]}.gone")
    asking: list[Future[Any]] = []
    for _ in range(MOST_QUESTIONS + MORE):
        assert member._loop is not None
        asking.append(asyncio.run_coroutine_threadsafe(member.aask(question, LONG), member._loop))
    eventually(lambda: telemetry.counters["fleet.questions_refused"] - before == MORE)
    assert not any(each.done() for each in asking)
    held.release.set()
    eventually(lambda: sum(each.done() for each in asking) == MOST_QUESTIONS)
    answers: list[list[NodeAnswer]] = [each.result() for each in asking if each.done()]
    assert {answer.state for (answer,) in answers} == {"ok"}
    for each in asking:
        each.cancel()
    assert [each.state for each in member.ask(AskStatus(), LONG)] == ["ok"]
    assert telemetry.counters["fleet.questions_refused"] - before == MORE
