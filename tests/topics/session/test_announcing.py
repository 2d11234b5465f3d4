"""Signals about who comes and goes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from channels.topics.session import announcing
from channels.topics.signals import topic_joined, topic_left, topic_occupied, topic_vacated
from channels.topics.stores.manager import get_store
from tests.topics.raw_client import raw_client
from tests.topics.topics_for_tests import Room

SIGNALS = {
    "joined": topic_joined,
    "left": topic_left,
    "occupied": topic_occupied,
    "vacated": topic_vacated,
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr(announcing, "GRACE", 0.2)
    told: list[str] = []
    receivers = []
    for name, signal in SIGNALS.items():

        def receiver(name: str = name, **facts: Any) -> None:
            assert facts["sender"] is Room
            told.append(f"{name} {facts['topic']}")

        signal.connect(receiver, sender=Room)
        receivers.append((signal, receiver))
    yield told
    for signal, receiver in receivers:
        signal.disconnect(receiver, sender=Room)


async def until(told: list[str], amount: int) -> None:
    async with asyncio.timeout(5):
        while len(told) < amount:
            await asyncio.sleep(0.01)


async def test_comings_are_told_each_and_occupied_once(port: int, told: list[str]) -> None:
    async with raw_client(port) as first, raw_client(port) as second:
        for client in (first, second):
            await client.connect()
            await client.ask(subscribe={"channel": "room:told"})
        await until(told, 3)
        assert sorted(told) == ["joined room:told", "joined room:told", "occupied room:told"]
    await until(told, 6)
    assert sorted(told[3:]) == ["left room:told", "left room:told", "vacated room:told"]


async def test_a_reload_vacates_nothing(port: int, told: list[str]) -> None:
    for _ in range(2):
        async with raw_client(port) as client:
            await client.connect()
            await client.ask(subscribe={"channel": "room:reload"})
    await until(told, 6)
    await asyncio.sleep(0.3)
    assert told.count("occupied room:reload") == 1
    assert told.count("vacated room:reload") == 1
    assert told[-1] == "vacated room:reload"


async def test_of_many_that_see_a_change_one_tells(told: list[str]) -> None:
    room = Room(name="race")
    await asyncio.gather(*(announcing.announce_joined(room, None, str(n), first=True) for n in range(20)))
    assert told.count("occupied room:race") == 1


async def test_a_receiver_that_fails_is_logged_and_stops_nobody(
    told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**facts: Any) -> None:
        raise ZeroDivisionError

    topic_joined.connect(broken, sender=Room)
    try:
        await announcing.announce_joined(Room(name="broken"), None, "c", first=False)
    finally:
        topic_joined.disconnect(broken, sender=Room)
    assert told == ["joined room:broken"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("name", ["occupied", "vacated"])
async def test_who_listens_to_one_of_them_only_hears_it_each_time(
    port: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(announcing, "GRACE", 0.05)
    told: list[str] = []

    def receiver(**facts: Any) -> None:
        told.append(str(facts["topic"]))

    SIGNALS[name].connect(receiver, sender=Room)
    try:
        for number in (1, 2):
            async with raw_client(port) as client:
                await client.connect()
                await client.ask(subscribe={"channel": "room:one"})
            stream = "channels.topics/occupied:room:one"
            async with asyncio.timeout(5):
                while (await get_store().read(stream, limit=0)).position.offset < 2 * number:
                    await asyncio.sleep(0.01)
        await until(told, 2)
    finally:
        SIGNALS[name].disconnect(receiver, sender=Room)
    assert told == ["room:one"] * 2


async def test_who_listens_to_nothing_pays_for_nothing(port: int) -> None:
    assert not announcing.anybody_listens(Room(name="silent"))
