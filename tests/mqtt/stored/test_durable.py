"""The writing of a session: shared by those who wait, refused to who was overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from channels import telemetry
from channels.mqtt.stored import durable
from channels.mqtt.stored.durable import Durable, Overtaken
from channels.protocols.mqtt.packets import Publish, PubRel
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.values import Value


class Recording:
    """A session that notes what is asked of it."""

    def __init__(self) -> None:
        self.written = 0
        self.events: list[Any] = []

    def stored(self) -> tuple[bytes, float]:
        self.written += 1
        return b"%d" % self.written, 100.0

    def send_stored(self, packet: Publish | PubRel) -> None:
        self.events.append(packet)

    def overtaken(self) -> None:
        self.events.append("overtaken")

    def store_failed(self) -> None:
        self.events.append("failed")


class SlowValues:
    """Values that are written when the test says so."""

    def __init__(self) -> None:
        self.kept, self.puts = MemoryStore().values, 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def get(self, key: str) -> Value | None:
        return await self.kept.get(key)

    async def put(self, key: str, value: Value, ttl: float) -> bool:
        self.puts += 1
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("it is away")
        return await self.kept.put(key, value, ttl)


class Writing:
    """A session, its record, and the tasks of both."""

    def __init__(self) -> None:
        self.values, self.session = SlowValues(), Recording()
        self.tasks: list[asyncio.Task[object]] = []
        self.durable = Durable("k", 3, self.values, self.spawn)
        self.durable.of(self.session)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def done(self) -> None:
        while self.tasks:
            await self.tasks.pop()


async def test_those_who_wait_for_each_other_share_a_write() -> None:
    writing = Writing()
    writing.values.gate.clear()
    commits = [asyncio.ensure_future(writing.durable.commit()) for _ in range(10)]
    await asyncio.sleep(0)
    writing.values.gate.set()
    await asyncio.gather(*commits)
    assert writing.values.puts <= 2
    kept = await writing.values.get("k")
    assert kept is not None
    assert kept.version >> 32 == 3


async def test_what_is_of_qos_2_leaves_when_it_was_stored_and_in_its_order() -> None:
    writing = Writing()
    writing.values.gate.clear()
    first, second = PubRel(1), PubRel(2)
    writing.durable.hold(first)
    await asyncio.sleep(0)
    writing.durable.hold(second)
    await asyncio.sleep(0)
    assert writing.session.events == []
    writing.values.gate.set()
    await writing.done()
    assert writing.session.events == [first, second]
    assert writing.session.written == 2, "the second came after the first snapshot"


async def test_what_was_held_for_a_connection_that_ended_is_not_sent_over_the_next() -> None:
    writing = Writing()
    writing.values.gate.clear()
    writing.durable.hold(PubRel(1))
    await asyncio.sleep(0)
    writing.durable.forget_held()
    writing.durable.hold(PubRel(2))
    writing.values.gate.set()
    await writing.done()
    assert writing.session.events == [PubRel(2)]


async def test_who_was_overtaken_is_told_and_sends_nothing() -> None:
    writing = Writing()
    assert await writing.values.put("k", Value(4 << 32, b"theirs"), 100)
    writing.durable.hold(PubRel(1))
    await writing.done()
    assert writing.session.events == ["overtaken"]
    with pytest.raises(Overtaken):
        await writing.durable.commit()
    await writing.durable.settle()
    assert await writing.values.get("k") == Value(4 << 32, b"theirs")


async def test_a_store_that_is_away_is_told_where_something_is_to_be_sent_and_else_counted() -> None:
    writing, before = Writing(), telemetry.counters["mqtt.session_not_stored"]
    writing.values.away = True
    writing.durable.hold(PubRel(1))
    await writing.done()
    assert writing.session.events == ["failed"]
    await writing.durable.settle()
    assert telemetry.counters["mqtt.session_not_stored"] == before + 1


async def test_several_acknowledgements_are_stored_together_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(durable, "LAZY", 0.01)
    writing = Writing()
    for _ in range(50):
        writing.durable.soon()
    while not writing.tasks:
        await asyncio.sleep(0.01)
    await writing.done()
    assert writing.values.puts == 1


async def test_what_has_ended_is_erased_and_not_written_again() -> None:
    writing = Writing()
    await writing.durable.commit()
    writing.durable.soon()
    await writing.durable.erase()
    await writing.durable.commit()
    kept = await writing.values.get("k")
    assert kept is not None
    assert (kept.data, writing.values.puts) == (b"", 2)
