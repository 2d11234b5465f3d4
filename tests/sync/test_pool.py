"""The pool: order in a strand, turns among strands, one thread per handler, no more threads than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial

import pytest

from channels.sync.pool import Pool, Strand, Worker
from tests.sync.blocking import PATIENCE, Blocker, Note


@pytest.fixture
def make() -> Iterator[Callable[[int], Pool]]:
    pools: list[Pool] = []

    def make_pool(size: int) -> Pool:
        pools.append(Pool(lambda: size, name="test"))
        return pools[-1]

    yield make_pool
    for pool in pools:
        assert pool.stop(PATIENCE)


class Leaving(Note):
    """Work that leaves something open in its thread."""

    open: bool = False

    def __call__(self) -> None:
        Leaving.open = True
        super().__call__()


class Closing(Note):
    """Work that closes it again."""

    def __call__(self) -> None:
        Leaving.open = False
        super().__call__()


def leaving(pool: Pool) -> Pool:
    """Let the pool know what these leave open."""
    Leaving.open = False
    pool.hooks.needs_thread = lambda: Leaving.open
    pool.hooks.abandon = Closing()
    return pool


def relieved(pool: Pool, note: Note) -> threading.Thread:
    """Do what a bridge does while somebody waits."""
    end = time.monotonic() + PATIENCE
    while not note.done.wait(0.002):
        assert time.monotonic() < end
        pool.grow_if_stalled()
    return note.wait()


def idle(pool: Pool) -> Worker:
    """The one worker of the pool, once it is idle."""
    end = time.monotonic() + PATIENCE
    while pool.statistics()["idle"] < 1:
        assert time.monotonic() < end
        time.sleep(0.001)
    (worker,) = pool.workers
    return worker


def test_nothing_is_started_before_it_is_needed(make: Callable[[int], Pool]) -> None:
    pool = make(4)
    Strand(pool)
    assert pool.statistics() == {"threads": 0, "idle": 0, "bound": 0, "waiting": 0}


def test_one_strand_keeps_its_order(make: Callable[[int], Pool]) -> None:
    pool, done = make(4), []
    strand, last = Strand(pool), Note()
    for n in range(200):
        strand.put(partial(done.append, n))
    strand.put(last)
    last.wait()
    assert done == list(range(200))
    assert pool.statistics()["threads"] == 1


def test_strands_take_turns(make: Callable[[int], Pool]) -> None:
    pool, done = make(1), []
    blocker, last = Blocker(), Note()
    Strand(pool).put(blocker)
    greedy, modest = Strand(pool), Strand(pool)
    for n in range(3):
        greedy.put(partial(done.append, f"greedy {n}"))
    modest.put(partial(done.append, "modest"))
    greedy.put(last)
    blocker.release()
    last.wait()
    assert done.index("modest") <= 2
    assert [word for word in done if word != "modest"] == ["greedy 0", "greedy 1", "greedy 2"]


def test_a_blocked_thread_delays_nobody_while_another_is_free(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    blocker, note = Blocker(), Note()
    Strand(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    Strand(pool).put(note)
    assert relieved(pool, note) is not blocker.thread
    blocker.release()


def test_no_more_threads_than_allowed(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    blockers = [Blocker() for _ in range(4)]
    for blocker in blockers:
        Strand(pool).put(blocker)
    while not all(blocker.begun.is_set() for blocker in blockers):
        for _ in range(3):
            time.sleep(0.002)
            pool.grow_if_stalled()
        begun = [blocker for blocker in blockers if blocker.begun.is_set()]
        assert len(pool.workers) <= 2
        if len(begun) >= 2:
            begun[-1].release()
            begun[-2].release()
    assert len({blocker.thread for blocker in blockers}) == 2


def test_work_that_goes_quickly_wakes_nobody_else(make: Callable[[int], Pool]) -> None:
    pool, notes = make(8), [Note() for _ in range(50)]
    for note in notes:
        Strand(pool).put(note, whole=True)
    assert len({note.wait() for note in notes}) == 1


def test_a_strand_stays_in_its_thread_until_it_leaves(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    strand, first, second, third = Strand(pool), Note(), Note(), Note()
    strand.put(first)
    thread = first.wait()
    idle(pool)
    assert pool.pinned == 1
    blocker, elsewhere = Blocker(), Note()
    Strand(pool).put(blocker)  # prefers a thread that serves no handler: a new one
    assert blocker.begun.wait(PATIENCE)
    assert blocker.thread is not thread
    strand.put(second)
    assert second.wait() is thread
    blocker.release()
    strand.leave()
    strand.leave()
    Strand(pool).put(elsewhere)
    relieved(pool, elsewhere)
    strand.put(third)
    relieved(pool, third)


def test_a_shared_thread_serves_its_strands_and_others_by_turns(make: Callable[[int], Pool]) -> None:
    pool, done = make(1), []
    strands = [Strand(pool) for _ in range(3)]
    for strand in strands:
        note = Note()
        strand.put(note)
        note.wait()
    assert pool.pinned == 3
    blocker, last = Blocker(), Note()
    strands[0].put(blocker)
    assert blocker.begun.wait(PATIENCE)
    for _ in range(3):
        for strand in strands[1:]:
            strand.put(partial(done.append, "own"))
    Strand(pool).put(partial(done.append, "new"))
    strands[2].put(last)
    blocker.release()
    last.wait()
    assert done.index("new") <= 2


def test_a_whole_handler_leaves_by_itself(make: Callable[[int], Pool]) -> None:
    pool, note = make(1), Note()
    strand = Strand(pool)
    strand.put(note, whole=True)
    note.wait()
    idle(pool)
    assert pool.pinned == 0


def test_leaving_while_at_work_takes_effect_afterwards(make: Callable[[int], Pool]) -> None:
    pool, blocker, after = make(1), Blocker(), Note()
    strand = Strand(pool)
    strand.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    strand.leave()
    strand.put(after)
    blocker.release()
    after.wait()
    idle(pool)
    # Put before the thread was free, and so of the next handler.
    assert pool.pinned == 1
    strand.leave()
    assert pool.pinned == 0


def test_what_comes_after_the_end_keeps_no_thread(make: Callable[[int], Pool]) -> None:
    pool, note = make(1), Note()
    strand = Strand(pool)
    strand.ended = True
    strand.put(note)
    note.wait()
    idle(pool)
    assert pool.pinned == 0


def test_work_can_be_withdrawn_until_it_begins(make: Callable[[int], Pool]) -> None:
    pool, blocker, never, last = make(1), Blocker(), Note(), Note()
    Strand(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    strand = Strand(pool)
    strand.put(never)
    assert pool.withdraw(strand, never)
    assert not pool.withdraw(strand, never)
    Strand(pool).put(last)
    blocker.release()
    last.wait()
    assert not never.done.is_set()


def test_an_executor_for_others(make: Callable[[int], Pool]) -> None:
    strand = Strand(make(1))
    assert strand.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        strand.submit(divmod, 7, 0).result(PATIENCE)
    blocker = Blocker()
    strand.put(blocker)
    cancelled = strand.submit(divmod, 7, 2)
    assert cancelled.cancel()
    blocker.release()
    with pytest.raises(CancelledError):
        cancelled.result(PATIENCE)
    assert strand.submit(divmod, 9, 2).result(PATIENCE) == (4, 1)


def test_idle_threads_close_what_is_stale_when_it_is_due(make: Callable[[int], Pool]) -> None:
    pool, note, tidied = make(1), Note(), threading.Semaphore(0)
    delays = iter([0.001, 0.001])

    def close_stale() -> float | None:
        tidied.release()
        return next(delays, None)

    pool.hooks.close_stale = close_stale
    Strand(pool).put(note, whole=True)
    for _ in range(3):
        assert tidied.acquire(timeout=PATIENCE)


def test_a_thread_is_visited_when_a_handler_leaves_stale_connections(make: Callable[[int], Pool]) -> None:
    pool, note, tidied = make(1), Note(), threading.Semaphore(0)
    pool.hooks.close_stale = tidied.release
    strand = Strand(pool)
    strand.put(note)
    thread = note.wait()
    idle(pool)
    assert not tidied.acquire(blocking=False)
    asked: list[threading.Thread] = []
    pool.hooks.has_stale = lambda thread: not asked.append(thread)
    strand.leave()
    assert tidied.acquire(timeout=PATIENCE)
    assert asked == [thread]


def test_stopping_says_farewell_and_is_not_the_end(make: Callable[[int], Pool]) -> None:
    pool, first, second = make(1), Note(), Note()
    gone: list[threading.Thread] = []
    pool.hooks.close_all = lambda: gone.append(threading.current_thread())
    strand = Strand(pool)
    strand.put(first)
    assert pool.stop(PATIENCE)
    assert gone == [first.wait()]
    strand.put(second)
    assert second.wait() is not first.thread


def test_stopping_waits_no_longer_than_it_may(make: Callable[[int], Pool]) -> None:
    pool, blocker, late = make(1), Blocker(), Note()
    strand = Strand(pool)
    strand.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    assert not pool.stop(0.001)
    strand.put(late)  # after the blocker, which holds the thread that stops
    blocker.release()
    late.wait()


def test_the_next_piece_goes_home_if_home_is_idle_and_elsewhere_if_not(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    strand, first, second, third, blocker = Strand(pool), Note(), Note(), Note(), Blocker()
    strand.put(first)
    home = first.wait()
    idle(pool)
    strand.put(second)
    assert second.wait() is home
    idle(pool)
    other = Strand(pool)
    other.put(note := Note())  # it has no home yet, and gets a thread of its own
    assert note.wait() is not home
    while pool.statistics()["idle"] < 2:
        time.sleep(0.001)
    strand.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    shared = Strand(pool)
    shared.worker = strand.worker  # as if the first thing it did had been done there
    shared.worker.pins += 1
    shared.put(third)
    assert relieved(pool, third) is not blocker.thread
    blocker.release()


def test_what_is_open_in_a_thread_keeps_its_strand_there_and_others_out(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(2))
    strand, first, second, others = Strand(pool), Leaving(), Note(), [Note() for _ in range(8)]
    strand.put(first)
    home = first.wait()
    idle(pool)
    assert pool.statistics()["bound"] == 1
    blocker = Blocker()
    pool.hooks.needs_thread = lambda: threading.current_thread() is home and Leaving.open
    Strand(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    for other in others:
        Strand(pool).put(other, whole=True)
    strand.put(second)
    assert second.wait() is home
    assert not any(other.done.is_set() for other in others)
    blocker.release()
    assert {other.wait() for other in others} == {blocker.thread}
    strand.leave()  # a handler is over, and what it opened is not
    strand.put(third := Closing())
    assert third.wait() is home
    strand.leave()
    while pool.statistics()["bound"]:
        time.sleep(0.001)


def test_a_thread_that_is_needed_no_more_takes_what_waits(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(1))
    strand, first, waiting = Strand(pool), Leaving(), Note()
    strand.put(first)
    first.wait()
    idle(pool)
    Strand(pool).put(waiting, whole=True)
    pool.grow_if_stalled()
    assert not waiting.done.wait(0.05)
    strand.put(Closing())
    waiting.wait()


@pytest.mark.parametrize("early", [False, True])
def test_what_an_ended_connection_left_open_is_closed(make: Callable[[int], Pool], early: bool) -> None:
    pool = leaving(make(1))
    strand, first, waiting, blocker = Strand(pool), Leaving(), Note(), Blocker()
    if early:
        strand.put(blocker)
        assert blocker.begun.wait(PATIENCE)
    strand.put(first)
    if not early:
        first.wait()
        idle(pool)
    Strand(pool).put(waiting, whole=True)
    strand.ended = True
    strand.leave()
    blocker.release()
    waiting.wait()
    assert Leaving.open is False
    assert pool.statistics()["bound"] == 0


def test_what_cannot_be_closed_holds_no_thread_for_ever(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(1))
    pool.hooks.abandon = Note()
    strand, waiting = Strand(pool), Note()
    strand.put(first := Leaving())
    first.wait()
    idle(pool)
    Strand(pool).put(waiting, whole=True)
    strand.ended = True
    strand.leave()
    waiting.wait()
    Leaving.open = False


def test_requests_have_threads_of_their_own_while_there_are_enough(make: Callable[[int], Pool]) -> None:
    pool = make(3)
    strands = [Strand(pool, exclusive=True) for _ in range(3)]
    for _ in range(3):
        notes = [Note() for _ in strands]
        for strand, note in zip(strands, notes, strict=True):
            strand.put(note)
        assert len({note.wait() for note in notes}) == 3
    one_too_many = Strand(pool, exclusive=True)
    one_too_many.put(note := Note())
    note.wait()
    assert len(pool.workers) == 3


def test_others_share(make: Callable[[int], Pool]) -> None:
    pool, blocker = make(8), Blocker()
    Strand(pool).put(blocker, whole=True)
    assert blocker.begun.wait(PATIENCE)
    notes = [Note() for _ in range(20)]
    for note in notes:
        Strand(pool).put(note)
    blocker.release()
    assert {note.wait() for note in notes} == {blocker.thread}


def test_idle_threads_end_but_for_the_last(make: Callable[[int], Pool]) -> None:
    pool, blockers = make(4), [Blocker() for _ in range(4)]
    pool.keep = 0.01
    gone: list[threading.Thread] = []
    pool.hooks.close_all = lambda: gone.append(threading.current_thread())
    for blocker in blockers:
        Strand(pool).put(blocker, whole=True)
    while not all(blocker.begun.is_set() for blocker in blockers):
        pool.grow_if_stalled()
        time.sleep(0.001)
    for blocker in blockers:
        blocker.release()
    end = time.monotonic() + PATIENCE
    while len(gone) < 3:
        assert time.monotonic() < end
        time.sleep(0.005)
    time.sleep(0.05)
    assert pool.statistics()["threads"] == 1
    Strand(pool).put(note := Note(), whole=True)
    note.wait()


def test_a_bound_thread_does_not_end(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(2))
    pool.keep = 0.01
    strand, first, second, third = Strand(pool), Leaving(), Note(), Note()
    strand.put(first)
    home = first.wait()
    pool.hooks.needs_thread = lambda: threading.current_thread() is home and Leaving.open
    idle(pool)
    Strand(pool).put(second, whole=True)
    assert second.wait() is not home
    end = time.monotonic() + PATIENCE
    while pool.statistics()["threads"] > 1:
        assert time.monotonic() < end
        time.sleep(0.005)
    strand.put(third)
    assert third.wait() is home
    strand.put(Closing())


def test_stopping_does_not_wait_for_what_has_had_its_time(make: Callable[[int], Pool]) -> None:
    pool, blocker = make(1), Blocker()
    Strand(pool).put(blocker, whole=True)
    assert blocker.begun.wait(PATIENCE)
    (worker,) = pool.workers
    worker.since -= 60
    began = time.monotonic()
    assert not pool.stop(20)
    assert time.monotonic() - began < 10
    blocker.release()
    worker.thread.join(PATIENCE)
