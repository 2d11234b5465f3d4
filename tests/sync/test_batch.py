"""Calls that wait are made in one visit; nobody waits for what has gone, and nobody's error is another's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels.sync import batch as module
from channels.sync.batch import AT_ONCE, BatchExecutor
from channels.sync.bridge import LoopBridge
from channels.sync.pool import Pool, Strand
from tests.sync.blocking import PATIENCE, Blocker, Note


class Diary:
    """Notes what is done in the thread, in its order."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def writer(self, line: str) -> Callable[[], None]:
        return lambda: self.lines.append(line)

    async def until(self, count: int) -> list[Any]:
        """Wait for so many lines, and a moment longer."""
        async with asyncio.timeout(PATIENCE):
            while len(self.lines) < count:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        return self.lines


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(lambda: 1, name="test")
    yield pool
    assert pool.stop(PATIENCE)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits that are never taken for held up, or too long, however slow the machine is."""
    monkeypatch.setattr(module, "PATIENCE", PATIENCE)
    monkeypatch.setattr(module, "LONGEST", PATIENCE)


pytestmark = pytest.mark.usefixtures("patient")


def nothing() -> None: ...


def batch_in(pool: Pool, diary: Diary | None = None, **more: Any) -> BatchExecutor:
    """Calls made in the running loop; the diary gets what is done around them."""
    close_stale = nothing if diary is None else diary.writer("close_stale")
    bridge = LoopBridge(asyncio.get_running_loop(), pool, lambda: None)
    return BatchExecutor(
        pool,
        **{"close_stale": close_stale, "close_broken": nothing, "arm_watchdog": bridge.arm_watchdog, **more},
    )


async def test_those_that_wait_are_made_in_one_visit(pool: Pool) -> None:
    diary = Diary()
    batch = batch_in(pool, diary, close_broken=diary.writer("close_broken"))
    for call in "abc":
        batch.strand().put(diary.writer(call))
    assert await diary.until(7) == [
        "close_stale",
        "a",
        "close_broken",
        "b",
        "close_broken",
        "c",
        "close_stale",
    ]
    assert pool.pinned == 0


async def test_a_visit_waits_for_those_that_still_come(pool: Pool) -> None:
    diary = Diary()
    batch = batch_in(pool, diary)
    for call in "abc":
        batch.strand().put(diary.writer(call))
        await asyncio.sleep(0)
    assert await diary.until(5) == ["close_stale", "a", "b", "c", "close_stale"]


async def test_what_comes_during_a_visit_is_made_in_the_next(pool: Pool) -> None:
    diary, blocker = Diary(), Blocker()
    batch = batch_in(pool, diary)
    batch.strand().put(blocker)
    assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
    for call in "ab":
        batch.strand().put(diary.writer(call))
        await asyncio.sleep(0.01)
    assert len(pool.workers) == 1
    blocker.release()
    # What has come by the time that it looks is its own.
    assert await diary.until(4) == ["close_stale", "a", "b", "close_stale"]


async def test_a_visit_that_is_held_up_gets_company(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.001)
    monkeypatch.setattr(pool, "size", lambda: 2)
    diary, blocker = Diary(), Blocker()
    batch = batch_in(pool, diary)
    batch.strand().put(blocker)
    assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
    batch.strand().put(diary.writer("a"))
    assert await diary.until(4) == ["close_stale", "close_stale", "a", "close_stale"]
    blocker.release()
    assert await diary.until(5)
    batch.strand().put(diary.writer("b"))
    assert (await diary.until(8))[5:] == ["close_stale", "b", "close_stale"]


async def test_a_visit_that_follows_another_is_not_held_up_by_its_thread(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    strand, begun, first, handler, last = Strand(pool), Note(), Blocker(), Blocker(), Note()
    strand.put(begun)  # from now on this connection's handlers belong to the thread
    begun.wait()
    batch = batch_in(pool)
    batch.strand().put(first)
    assert await asyncio.to_thread(first.begun.wait, PATIENCE)
    await asyncio.sleep(0.02)  # nobody watches over the first visit any more
    strand.put(handler)
    Strand(pool).put(Note())  # the thread takes turns: this one, the handler, and only then the next visit
    monkeypatch.setattr(pool, "size", lambda: 2)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(module, "LONGEST", 0)
    batch._check_later()
    batch.strand().put(last)
    first.release()
    assert await asyncio.to_thread(handler.begun.wait, PATIENCE)
    assert await asyncio.to_thread(last.wait) is not handler.thread
    handler.release()
    strand.leave()


async def test_care_that_fails_between_others_ends_no_thread(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    diary, batch = Diary(), batch_in(pool, ahead=lambda calls: 1 / 0)
    with caplog.at_level(logging.ERROR, "channels.threads"):
        for call in "ab":
            batch.strand().put(diary.writer(call))
        assert await diary.until(2) == ["a", "b"]
    assert pool.workers[0].thread.is_alive()
    assert "the thread goes on" in caplog.text


async def test_a_visit_for_which_there_is_no_thread_is_asked_for_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.001)
    diary, blocker = Diary(), Blocker()
    batch = batch_in(pool)
    Strand(pool).put(blocker)
    assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
    batch.strand().put(diary.writer("a"))
    await asyncio.sleep(0.05)
    assert len(pool.ready) == 1
    blocker.release()
    assert await diary.until(1) == ["a"]


@pytest.mark.parametrize("limit", ["count", "time"])
async def test_others_have_their_turn_after_some(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    calls = AT_ONCE
    if limit == "time":
        monkeypatch.setattr(module, "LONGEST", 0)
        calls = 1
    diary, blocker = Diary(), Blocker()
    batch = batch_in(pool, diary)
    Strand(pool).put(blocker)
    assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
    for _ in range(calls + 1):
        batch.strand().put(diary.writer("call"))
    while not pool.ready:
        await asyncio.sleep(0)
    Strand(pool).put(diary.writer("other"))
    blocker.release()
    lines = await diary.until(calls + 6)
    assert lines == [
        "close_stale",
        *["call"] * calls,
        "close_stale",
        "other",
        "close_stale",
        "call",
        "close_stale",
    ]


async def test_several_are_prepared_before_they_are_made(pool: Pool) -> None:
    diary, blocker, seen = Diary(), Blocker(), []
    batch: BatchExecutor = batch_in(pool, ahead=lambda calls: seen.append((len(calls), len(batch.waiting))))
    batch.strand().put(diary.writer("alone"))
    await diary.until(1)
    assert seen == []
    Strand(pool).put(blocker)
    for call in "abc":
        batch.strand().put(diary.writer(call))
    blocker.release()
    assert await diary.until(4) == ["alone", "a", "b", "c"]
    assert seen == [(3, 0)]


async def test_what_is_withdrawn_is_not_made(pool: Pool) -> None:
    diary, last = Diary(), Note()
    batch = batch_in(pool, diary)
    strand, call = batch.strand(), diary.writer("call")
    strand.put(call)
    assert strand.withdraw(call)
    assert not strand.withdraw(call)
    await asyncio.sleep(0.02)
    batch.strand().put(last)
    assert await diary.until(2) == ["close_stale", "close_stale"]


async def test_care_that_fails_is_logged_and_ends_no_thread(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    diary, batch = Diary(), batch_in(pool, close_stale=lambda: 1 / 0)
    with caplog.at_level(logging.ERROR, "channels.threads"):
        for call in "ab":
            batch.strand().put(diary.writer(call))
            await diary.until(1)
    assert await diary.until(2) == ["a", "b"]
    assert len(pool.workers) == 1
    assert "could not be closed" in caplog.text


async def test_a_forked_process_makes_none_of_them(pool: Pool) -> None:
    blocker, diary = Blocker(), Diary()
    batch = batch_in(pool)
    batch.strand().put(blocker)
    assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
    batch.strand().put(diary.writer("parent's"))
    batch.reset()
    assert not batch.waiting
    blocker.release()
    batch.strand().put(diary.writer("child's"))
    assert await diary.until(1) == ["child's"]


def test_a_loop_that_has_closed_begins_no_visit(pool: Pool) -> None:
    """Its successor does."""
    diary, batch = Diary(), BatchExecutor(pool, nothing, nothing, nothing)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_put(batch, diary.writer("lost loop")))
    loop.close()

    async def scenario() -> list[Any]:
        batch.strand().put(diary.writer("new loop"))
        return await diary.until(2)

    assert asyncio.run(scenario()) == ["lost loop", "new loop"]


async def _put(batch: BatchExecutor, call: Callable[[], None]) -> None:
    batch.strand().put(call)


async def test_a_slow_one_can_be_named(pool: Pool) -> None:
    class Slow(Blocker):
        def label(self) -> str:
            return "In somebody's lookup."

    batch = batch_in(pool)
    for blocker, label in ((Slow(), "In somebody's lookup."), (Blocker(), "")):
        batch.strand().put(blocker)
        assert await asyncio.to_thread(blocker.begun.wait, PATIENCE)
        (worker,) = (each for each in pool.workers if not each.idle)
        assert worker.doing.label() == label
        blocker.release()
        await asyncio.sleep(0.02)
