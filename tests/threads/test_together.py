"""Calls that wait are made in one visit; nobody waits for what has gone, and nobody's error is another's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from channels.threads.pool import Lane, Pool
from channels.threads.together import AT_ONCE, Together
from tests.threads.blocking import PATIENCE, Blocker, Note


class Diary:
    """Notes what is done in the thread, in its order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def writer(self, line: str) -> Callable[[], None]:
        return lambda: self.lines.append(line)


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(lambda: 1, name="test")
    yield pool
    assert pool.stop(PATIENCE)


def test_those_that_wait_are_made_in_one_visit(pool: Pool) -> None:
    diary, blocker, last = Diary(), Blocker(), Note()
    together = Together(pool, diary.writer("tidy"), diary.writer("mend"))
    Lane(pool).put(blocker)
    for call in "abc":
        together.place().put(diary.writer(call))
    blocker.release()
    Lane(pool).put(last)
    last.wait()
    assert diary.lines == ["tidy", "a", "mend", "b", "mend", "c", "tidy"]
    assert pool.pinned <= 2  # the two other lanes, at most


def test_others_have_their_turn_after_some(pool: Pool) -> None:
    diary, blocker, last = Diary(), Blocker(), Note()
    together = Together(pool, diary.writer("tidy"), lambda: None)
    Lane(pool).put(blocker)
    for _ in range(AT_ONCE + 1):
        together.place().put(diary.writer("call"))
    Lane(pool).put(diary.writer("other"))
    blocker.release()
    Lane(pool).put(last)
    last.wait()
    calls = ["call"] * AT_ONCE
    assert diary.lines == ["tidy", *calls, "tidy", "tidy", "call", "tidy", "other"]


def test_what_is_withdrawn_is_not_made(pool: Pool) -> None:
    diary, blocker, last = Diary(), Blocker(), Note()
    together = Together(pool, diary.writer("tidy"), lambda: None)
    Lane(pool).put(blocker)
    place, call = together.place(), diary.writer("call")
    place.put(call)
    assert place.withdraw(call)
    assert not place.withdraw(call)
    blocker.release()
    Lane(pool).put(last)
    last.wait()
    assert diary.lines == []


def test_care_that_fails_is_logged_and_ends_no_thread(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    together, last = Together(pool, lambda: 1 / 0, lambda: None), Note()
    with caplog.at_level(logging.ERROR, "channels.threads"):
        together.place().put(last)
        thread = last.wait()
        other = Note()
        Lane(pool).put(other)
        assert other.wait() is thread
    assert "could not be closed" in caplog.text


def test_a_forked_process_makes_none_of_them(pool: Pool) -> None:
    blocker, diary = Blocker(), Diary()
    together = Together(pool, lambda: None, lambda: None)
    Lane(pool).put(blocker)
    together.place().put(diary.writer("parent's"))
    together.reset()
    assert not together.waiting
    blocker.release()


def test_a_slow_one_can_be_named(pool: Pool) -> None:
    class Slow(Blocker):
        def label(self) -> str:
            return "In somebody's lookup."

    together, slow, plain = Together(pool, lambda: None, lambda: None), Slow(), Blocker()
    for blocker, label in ((slow, "In somebody's lookup."), (plain, "")):
        together.place().put(blocker)
        assert blocker.begun.wait(PATIENCE)
        (worker,) = pool.workers
        assert worker.doing.label() == label  # type: ignore[union-attr]
        blocker.release()
