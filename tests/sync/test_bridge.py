from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from channels import telemetry
from channels.sync.bridge import LoopBridge
from channels.sync.pool import Pool, Strand
from tests.sync.blocking import PATIENCE, Blocker, Note


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(lambda: 2, name="test")
    yield pool
    assert pool.stop(PATIENCE)


class Visitor:
    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.times = 0

    def wake(self) -> None:
        self.times += 1
        self.woken.set()


def never() -> float | None:
    return None


async def test_many_announcements_are_one_wake_up(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    bridge, visitors, calls = LoopBridge(loop, pool, never), [Visitor() for _ in range(50)], []
    real = loop.call_soon_threadsafe

    def counted(*args: object) -> object:
        calls.append(args)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)

    def announce() -> None:
        assert all(bridge.announce(visitor) for visitor in visitors)

    thread = threading.Thread(target=announce)
    thread.start()
    thread.join()
    await asyncio.wait_for(visitors[-1].woken.wait(), PATIENCE)
    assert [visitor.times for visitor in visitors] == [1] * 50
    assert len(calls) == 1


def test_a_closed_loop_hears_nothing(pool: Pool) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    bridge = LoopBridge(loop, pool, never)
    assert not bridge.announce(Visitor())
    assert not bridge.announce(Visitor())


async def test_what_waits_behind_a_blocked_thread_gets_another(pool: Pool) -> None:
    bridge = LoopBridge(asyncio.get_running_loop(), pool, never)
    blocker, notes = Blocker(), [Note() for _ in range(3)]
    Strand(pool).put(blocker)
    bridge.arm_watchdog()
    for note in notes:
        Strand(pool).put(note, whole=True)
        bridge.arm_watchdog()
    while not all(note.done.is_set() for note in notes):
        await asyncio.sleep(0.001)
    blocker.release()


class Named(Blocker):
    def label(self) -> str:
        return "In a handler called Ada."


async def test_a_handler_that_takes_long_is_logged_once(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    before = telemetry.counters["threads.slow_handler"]
    bridge = LoopBridge(asyncio.get_running_loop(), pool, lambda: 0.01)
    blockers = [Named(), Blocker()]
    with caplog.at_level(logging.WARNING, "channels.threads"):
        for blocker in blockers:
            Strand(pool).put(blocker)
            bridge.arm_watchdog()
        while len(caplog.records) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
    texts = sorted(record.getMessage() for record in caplog.records)
    assert len(texts) == 2
    assert "In a handler called Ada." in texts[0] + texts[1]
    assert "called through sync_to_async" in texts[0] + texts[1]
    assert all("in __call__" in text and "CHANNELS_SLOW_HANDLER" in text for text in texts)
    assert telemetry.counters["threads.slow_handler"] == before + 2
    for blocker in blockers:
        blocker.release()


async def test_the_watch_ends_when_there_is_nothing_to_watch(pool: Pool) -> None:
    bridge = LoopBridge(asyncio.get_running_loop(), pool, lambda: 0.001)
    note = Note()
    Strand(pool).put(note)
    bridge.arm_watchdog()
    assert bridge._watchdog is not None
    while bridge._watchdog is not None:
        await asyncio.sleep(0.001)
    assert note.done.is_set()
