from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from channels.process import serving


@pytest.fixture(autouse=True)
def watchers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    for name, value in (
        ("_watchers", []),
        ("_watchers_of_work", []),
        ("announced", False),
        ("_works", False),
    ):
        monkeypatch.setattr(serving, name, value)
    calls: list[str] = []
    serving.when_serving(lambda: calls.append("start"), lambda: calls.append("stop"))
    yield calls
    serving.announced = False


def test_starts_once_what_waits_for_it(watchers: list[str]) -> None:
    assert watchers == []
    serving.announce()
    serving.announce()
    assert watchers == ["start"]


def test_starts_at_once_what_comes_later(watchers: list[str]) -> None:
    serving.announce()
    serving.when_serving(lambda: watchers.append("late"), lambda: None)
    assert watchers == ["start", "late"]


def test_stops_it_and_starts_it_again(watchers: list[str]) -> None:
    serving.end()
    assert watchers == []
    serving.announce()
    serving.end()
    serving.end()
    serving.announce()
    assert watchers == ["start", "stop", "start"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_a_fork_does_not_serve_until_it_says_so() -> None:
    serving.announce()
    child = os.fork()
    if not child:
        os._exit(int(serving.announced))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_who_works_need_not_serve_and_who_serves_works(watchers: list[str]) -> None:
    serving.when_working(lambda: watchers.append("work"), lambda: watchers.append("no work"))
    serving.announce_work()
    serving.announce_work()
    assert watchers == ["work"]
    serving.announce()
    assert watchers == ["work", "start"]
    serving.end()
    assert watchers == ["work", "start", "stop", "no work"]
    serving.announce()
    assert watchers[4:] == ["work", "start"]
