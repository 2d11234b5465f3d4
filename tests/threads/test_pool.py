"""The pool: order in a lane, turns among lanes, one thread per handler, no more threads than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial

import pytest

from channels.threads.pool import Lane, Pool, Worker
from tests.threads.blocking import PATIENCE, Blocker, Note


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
    pool.needs_thread = lambda: Leaving.open
    pool.abandon = Closing()
    return pool


def relieved(pool: Pool, note: Note) -> threading.Thread:
    """Do what a door does while somebody waits."""
    end = time.monotonic() + PATIENCE
    while not note.done.wait(0.002):
        assert time.monotonic() < end
        pool.relieve()
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
    Lane(pool)
    assert pool.statistics() == {"threads": 0, "idle": 0, "bound": 0, "waiting": 0}


def test_one_lane_keeps_its_order(make: Callable[[int], Pool]) -> None:
    pool, done = make(4), []
    lane, last = Lane(pool), Note()
    for n in range(200):
        lane.put(partial(done.append, n))
    lane.put(last)
    last.wait()
    assert done == list(range(200))
    assert pool.statistics()["threads"] == 1


def test_lanes_take_turns(make: Callable[[int], Pool]) -> None:
    pool, done = make(1), []
    blocker, last = Blocker(), Note()
    Lane(pool).put(blocker)
    greedy, modest = Lane(pool), Lane(pool)
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
    Lane(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    Lane(pool).put(note)
    assert relieved(pool, note) is not blocker.thread
    blocker.release()


def test_no_more_threads_than_allowed(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    blockers = [Blocker() for _ in range(4)]
    for blocker in blockers:
        Lane(pool).put(blocker)
    while not all(blocker.begun.is_set() for blocker in blockers):
        for _ in range(3):
            time.sleep(0.002)
            pool.relieve()
        begun = [blocker for blocker in blockers if blocker.begun.is_set()]
        assert len(pool.workers) <= 2
        if len(begun) >= 2:
            begun[-1].release()
            begun[-2].release()
    assert len({blocker.thread for blocker in blockers}) == 2


def test_work_that_goes_quickly_wakes_nobody_else(make: Callable[[int], Pool]) -> None:
    pool, notes = make(8), [Note() for _ in range(50)]
    for note in notes:
        Lane(pool).put(note, whole=True)
    assert len({note.wait() for note in notes}) == 1


def test_a_lane_stays_in_its_thread_until_it_leaves(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    lane, first, second, third = Lane(pool), Note(), Note(), Note()
    lane.put(first)
    thread = first.wait()
    idle(pool)
    assert pool.pinned == 1
    blocker, elsewhere = Blocker(), Note()
    Lane(pool).put(blocker)  # prefers a thread that serves no handler: a new one
    assert blocker.begun.wait(PATIENCE)
    assert blocker.thread is not thread
    lane.put(second)
    assert second.wait() is thread
    blocker.release()
    lane.leave()
    lane.leave()
    Lane(pool).put(elsewhere)
    relieved(pool, elsewhere)
    lane.put(third)
    relieved(pool, third)


def test_a_shared_thread_serves_its_lanes_and_others_by_turns(make: Callable[[int], Pool]) -> None:
    pool, done = make(1), []
    lanes = [Lane(pool) for _ in range(3)]
    for lane in lanes:
        note = Note()
        lane.put(note)
        note.wait()
    assert pool.pinned == 3
    blocker, last = Blocker(), Note()
    lanes[0].put(blocker)
    assert blocker.begun.wait(PATIENCE)
    for _ in range(3):
        for lane in lanes[1:]:
            lane.put(partial(done.append, "own"))
    Lane(pool).put(partial(done.append, "new"))
    lanes[2].put(last)
    blocker.release()
    last.wait()
    assert done.index("new") <= 2


def test_a_whole_handler_leaves_by_itself(make: Callable[[int], Pool]) -> None:
    pool, note = make(1), Note()
    lane = Lane(pool)
    lane.put(note, whole=True)
    note.wait()
    idle(pool)
    assert pool.pinned == 0


def test_leaving_while_at_work_takes_effect_afterwards(make: Callable[[int], Pool]) -> None:
    pool, blocker, after = make(1), Blocker(), Note()
    lane = Lane(pool)
    lane.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    lane.leave()
    lane.put(after)
    blocker.release()
    after.wait()
    idle(pool)
    # Put before the thread was free, and so of the next handler.
    assert pool.pinned == 1
    lane.leave()
    assert pool.pinned == 0


def test_what_comes_after_the_end_keeps_no_thread(make: Callable[[int], Pool]) -> None:
    pool, note = make(1), Note()
    lane = Lane(pool)
    lane.ended = True
    lane.put(note)
    note.wait()
    idle(pool)
    assert pool.pinned == 0


def test_work_can_be_withdrawn_until_it_begins(make: Callable[[int], Pool]) -> None:
    pool, blocker, never, last = make(1), Blocker(), Note(), Note()
    Lane(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    lane = Lane(pool)
    lane.put(never)
    assert pool.withdraw(lane, never)
    assert not pool.withdraw(lane, never)
    Lane(pool).put(last)
    blocker.release()
    last.wait()
    assert not never.done.is_set()


def test_an_executor_for_others(make: Callable[[int], Pool]) -> None:
    lane = Lane(make(1))
    assert lane.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        lane.submit(divmod, 7, 0).result(PATIENCE)
    blocker = Blocker()
    lane.put(blocker)
    cancelled = lane.submit(divmod, 7, 2)
    assert cancelled.cancel()
    blocker.release()
    with pytest.raises(CancelledError):
        cancelled.result(PATIENCE)
    assert lane.submit(divmod, 9, 2).result(PATIENCE) == (4, 1)


def test_idle_threads_tidy_up_when_it_is_due(make: Callable[[int], Pool]) -> None:
    pool, note, tidied = make(1), Note(), threading.Semaphore(0)
    delays = iter([0.001, 0.001])

    def tidy() -> float | None:
        tidied.release()
        return next(delays, None)

    pool.tidy = tidy
    Lane(pool).put(note, whole=True)
    for _ in range(3):
        assert tidied.acquire(timeout=PATIENCE)


def test_a_thread_is_visited_when_a_handler_leaves_it_untidy(make: Callable[[int], Pool]) -> None:
    pool, note, tidied = make(1), Note(), threading.Semaphore(0)
    pool.tidy = tidied.release  # type: ignore[assignment]
    lane = Lane(pool)
    lane.put(note)
    thread = note.wait()
    idle(pool)
    assert not tidied.acquire(blocking=False)
    asked: list[threading.Thread] = []
    pool.is_untidy = lambda thread: not asked.append(thread)  # type: ignore[func-returns-value]
    lane.leave()
    assert tidied.acquire(timeout=PATIENCE)
    assert asked == [thread]


def test_stopping_says_farewell_and_is_not_the_end(make: Callable[[int], Pool]) -> None:
    pool, first, second = make(1), Note(), Note()
    gone: list[threading.Thread] = []
    pool.farewell = lambda: gone.append(threading.current_thread())
    lane = Lane(pool)
    lane.put(first)
    assert pool.stop(PATIENCE)
    assert gone == [first.wait()]
    lane.put(second)
    assert second.wait() is not first.thread


def test_stopping_waits_no_longer_than_it_may(make: Callable[[int], Pool]) -> None:
    pool, blocker, late = make(1), Blocker(), Note()
    lane = Lane(pool)
    lane.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    assert not pool.stop(0.001)
    lane.put(late)  # after the blocker, which holds the thread that stops
    blocker.release()
    late.wait()


def test_the_next_piece_goes_home_if_home_is_idle_and_elsewhere_if_not(make: Callable[[int], Pool]) -> None:
    pool = make(2)
    lane, first, second, third, blocker = Lane(pool), Note(), Note(), Note(), Blocker()
    lane.put(first)
    home = first.wait()
    idle(pool)
    lane.put(second)
    assert second.wait() is home
    idle(pool)
    other = Lane(pool)
    other.put(note := Note())  # it has no home yet, and gets a thread of its own
    assert note.wait() is not home
    while pool.statistics()["idle"] < 2:
        time.sleep(0.001)
    lane.put(blocker)
    assert blocker.begun.wait(PATIENCE)
    shared = Lane(pool)
    shared.worker = lane.worker  # as if the first thing it did had been done there
    shared.worker.pins += 1  # type: ignore[union-attr]
    shared.put(third)
    assert relieved(pool, third) is not blocker.thread
    blocker.release()


def test_what_is_open_in_a_thread_keeps_its_lane_there_and_others_out(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(2))
    lane, first, second, others = Lane(pool), Leaving(), Note(), [Note() for _ in range(8)]
    lane.put(first)
    home = first.wait()
    idle(pool)
    assert pool.statistics()["bound"] == 1
    blocker = Blocker()
    pool.needs_thread = lambda: threading.current_thread() is home and Leaving.open
    Lane(pool).put(blocker)
    assert blocker.begun.wait(PATIENCE)
    for other in others:
        Lane(pool).put(other, whole=True)
    lane.put(second)
    assert second.wait() is home
    assert not any(other.done.is_set() for other in others)
    blocker.release()
    assert {other.wait() for other in others} == {blocker.thread}
    lane.leave()  # a handler is over, and what it opened is not
    lane.put(third := Closing())
    assert third.wait() is home
    lane.leave()
    while pool.statistics()["bound"]:
        time.sleep(0.001)


def test_a_thread_that_is_needed_no_more_takes_what_waits(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(1))
    lane, first, waiting = Lane(pool), Leaving(), Note()
    lane.put(first)
    first.wait()
    idle(pool)
    Lane(pool).put(waiting, whole=True)
    pool.relieve()
    assert not waiting.done.wait(0.05)
    lane.put(Closing())
    waiting.wait()


@pytest.mark.parametrize("early", [False, True])
def test_what_an_ended_connection_left_open_is_closed(make: Callable[[int], Pool], early: bool) -> None:
    pool = leaving(make(1))
    lane, first, waiting, blocker = Lane(pool), Leaving(), Note(), Blocker()
    if early:
        lane.put(blocker)
        assert blocker.begun.wait(PATIENCE)
    lane.put(first)
    if not early:
        first.wait()
        idle(pool)
    Lane(pool).put(waiting, whole=True)
    lane.ended = True
    lane.leave()
    blocker.release()
    waiting.wait()
    assert Leaving.open is False
    assert pool.statistics()["bound"] == 0


def test_what_cannot_be_closed_holds_no_thread_for_ever(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(1))
    pool.abandon = Note()
    lane, waiting = Lane(pool), Note()
    lane.put(first := Leaving())
    first.wait()
    idle(pool)
    Lane(pool).put(waiting, whole=True)
    lane.ended = True
    lane.leave()
    waiting.wait()
    Leaving.open = False


def test_requests_have_threads_of_their_own_while_there_are_enough(make: Callable[[int], Pool]) -> None:
    pool = make(3)
    lanes = [Lane(pool, exclusive=True) for _ in range(3)]
    for _ in range(3):
        notes = [Note() for _ in lanes]
        for lane, note in zip(lanes, notes, strict=True):
            lane.put(note)
        assert len({note.wait() for note in notes}) == 3
    one_too_many = Lane(pool, exclusive=True)
    one_too_many.put(note := Note())
    note.wait()
    assert len(pool.workers) == 3


def test_others_share(make: Callable[[int], Pool]) -> None:
    pool, blocker = make(8), Blocker()
    Lane(pool).put(blocker, whole=True)
    assert blocker.begun.wait(PATIENCE)
    notes = [Note() for _ in range(20)]
    for note in notes:
        Lane(pool).put(note)
    blocker.release()
    assert {note.wait() for note in notes} == {blocker.thread}


def test_idle_threads_end_but_for_the_last(make: Callable[[int], Pool]) -> None:
    pool, blockers = make(4), [Blocker() for _ in range(4)]
    pool.keep = 0.01
    gone: list[threading.Thread] = []
    pool.farewell = lambda: gone.append(threading.current_thread())
    for blocker in blockers:
        Lane(pool).put(blocker, whole=True)
    while not all(blocker.begun.is_set() for blocker in blockers):
        pool.relieve()
        time.sleep(0.001)
    for blocker in blockers:
        blocker.release()
    end = time.monotonic() + PATIENCE
    while len(gone) < 3:
        assert time.monotonic() < end
        time.sleep(0.005)
    time.sleep(0.05)
    assert pool.statistics()["threads"] == 1
    Lane(pool).put(note := Note(), whole=True)
    note.wait()


def test_a_bound_thread_does_not_end(make: Callable[[int], Pool]) -> None:
    pool = leaving(make(2))
    pool.keep = 0.01
    lane, first, second, third = Lane(pool), Leaving(), Note(), Note()
    lane.put(first)
    home = first.wait()
    pool.needs_thread = lambda: threading.current_thread() is home and Leaving.open
    idle(pool)
    Lane(pool).put(second, whole=True)
    assert second.wait() is not home
    end = time.monotonic() + PATIENCE
    while pool.statistics()["threads"] > 1:
        assert time.monotonic() < end
        time.sleep(0.005)
    lane.put(third)
    assert third.wait() is home
    lane.put(Closing())


def test_stopping_does_not_wait_for_what_has_had_its_time(make: Callable[[int], Pool]) -> None:
    pool, blocker = make(1), Blocker()
    Lane(pool).put(blocker, whole=True)
    assert blocker.begun.wait(PATIENCE)
    (worker,) = pool.workers
    worker.since -= 60
    began = time.monotonic()
    assert not pool.stop(20)
    assert time.monotonic() - began < 10
    blocker.release()
    worker.thread.join(PATIENCE)
