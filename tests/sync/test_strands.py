"""The serial queue of a connection, and the threads that work such queues off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from channels.sync.pool import Pool
from channels.sync.strands import NoHooks, Strand
from tests.sync.blocking import PATIENCE, Blocker, Note


class Hooks(NoHooks):
    """Writes down what a pool calls, and in which thread; something is left open while ``open``."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.open = False
        self.due: float | None = None
        self.changed = threading.Condition()

    def note(self, call: str) -> None:
        with self.changed:
            self.calls.append((call, threading.current_thread().name))
            self.changed.notify_all()

    def wait_for(self, call: str, times: int = 1) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.count(call) >= times, PATIENCE), self.calls

    def count(self, call: str) -> int:
        return [name for name, _ in self.calls].count(call)

    def begin(self) -> None:
        self.note("begin")

    def needs_thread(self) -> bool:
        return self.open

    def abandon(self) -> None:
        self.open = False
        self.note("abandon")

    def close_stale(self) -> float | None:
        self.note("close_stale")
        return self.due

    def close_all(self) -> None:
        self.note("close_all")


@pytest.fixture
def make() -> Iterator[Callable[..., Pool]]:
    pools: list[Pool] = []

    def make_pool(hooks: Hooks | None = None, keep: float = 60.0, size: int = 2) -> Pool:
        pools.append(Pool(lambda: size, name="test", keep=keep, hooks=hooks))
        return pools[-1]

    yield make_pool
    for pool in pools:
        assert pool.stop(PATIENCE)


def done_by(strand: Strand) -> threading.Thread:
    """Do something; returns in which thread that was."""
    note = Note()
    strand.put(note)
    return note.wait()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_strand_is_an_executor(make):
    strand = Strand(make())
    assert strand.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    assert strand.submit(int, "11", base=2).result(PATIENCE) == 3
    with pytest.raises(ZeroDivisionError):
        strand.submit(divmod, 1, 0).result(PATIENCE)


def test_work_can_be_taken_back_until_it_begins(make):
    strand, blocker, note, last = Strand(make()), Blocker(), Note(), Note()
    for work in (blocker, note, last):
        strand.put(work)
    assert blocker.begun.wait(PATIENCE)
    assert strand.withdraw(note)
    assert not strand.withdraw(note)
    assert not strand.withdraw(blocker)
    blocker.release()
    last.wait()
    assert not note.done.is_set()


def two_threads(pool: Pool) -> list[Blocker]:
    """Have two threads at work at the same time."""
    blockers = [Blocker(), Blocker()]
    for blocker in blockers:
        Strand(pool).put(blocker, whole=True)
    while not all(blocker.begun.is_set() for blocker in blockers):
        pool.grow_if_stalled()
        time.sleep(0.001)
    return blockers


def test_hooks_are_called_around_work_and_at_the_end_of_a_thread(make):
    hooks = Hooks()
    pool = make(hooks, keep=0.02)
    for blocker in two_threads(pool):
        blocker.release()
    hooks.wait_for("close_all")
    (ended,) = {name for call, name in hooks.calls if call == "close_all"}
    until(lambda: ended not in {thread.name for thread in threading.enumerate()})
    calls = [call for call, name in hooks.calls if name == ended and call != "close_stale"]
    assert calls == ["begin", "close_all"]
    assert pool.statistics()["threads"] == 1, "the last one stays"


def test_a_strand_that_left_something_open_comes_back_to_its_thread(make):
    hooks = Hooks()
    strand = Strand(make(hooks))
    hooks.open = True
    thread = done_by(strand)
    until(lambda: strand.bound)
    assert strand.worker.is_bound
    assert done_by(strand) is thread
    assert hooks.count("begin") == 1, "the thread is as the strand has left it"
    hooks.open = False
    assert done_by(strand) is thread
    until(lambda: not strand.bound)
    assert done_by(strand) is thread


def test_an_idle_thread_closes_what_gets_stale_in_it_again_and_again(make):
    hooks = Hooks()
    hooks.due = 0.005
    pool = make(hooks)
    strand = Strand(pool)
    strand.put(note := Note(), whole=True)
    thread = note.wait()
    hooks.wait_for("close_stale", 3)
    assert {name for call, name in hooks.calls if call == "close_stale"} == {thread.name}
    assert done_by(Strand(pool)) is thread


def test_a_worker_is_asked_for_no_longer_than_its_work_may_take(make):
    blocker = Blocker()
    pool = make()
    Strand(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    (worker,) = pool.workers
    now = time.monotonic()
    assert worker.deadline(now, 5.0) == worker.since + 5.0 <= now + 5.0
    blocker.release()
    until(lambda: worker.idle)
    assert worker.deadline(now, 5.0) == now + 5.0


def test_a_notification_without_work_is_harmless(make):
    pool = make()
    strand = Strand(pool)
    done_by(strand)
    (worker,) = pool.workers
    until(lambda: worker.idle)
    for _ in range(3):
        worker.notices.put(None)
        worker.notices.put(None)
        until(worker.notices.empty)
    assert done_by(strand) is worker.thread


def test_finishing_and_leaving_give_the_thread_to_others(make):
    pool = make()
    strand = Strand(pool)
    strand.leave()
    strand.put(strand.finish)
    until(lambda: pool.workers and pool.workers[0].idle)
    assert strand.worker is None
    done_by(strand)
    until(lambda: not strand.queued)
    assert strand.worker is not None
    strand.leave()
    assert strand.worker is None
    assert pool.pinned == 0


def test_threads_that_end_and_are_needed_again(make):
    pool = make(keep=0.002)
    for _ in range(20):
        for blocker in two_threads(pool):
            blocker.release()
        time.sleep(0.002)
    until(lambda: pool.statistics()["threads"] == 1)


def test_no_hooks_leave_nothing_open():
    hooks = NoHooks()
    assert (hooks.begin(), hooks.abandon(), hooks.close_all(), hooks.close_stale()) == (None,) * 4
    assert not hooks.needs_thread()
    assert not hooks.has_stale(threading.current_thread())
