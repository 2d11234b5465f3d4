"""The ways of messages are traced in a running server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.scripts.loading import SCRIPTS, load

tracing = load("tracing")


def stop(when: int, thread: str, function: str) -> object:
    return tracing.Stop(when, thread, f"{function[0]}.py", function)


def functions(way: object) -> list[str]:
    return [stop.function for stop in way.stops]  # type: ignore[attr-defined]


def mark(when: int, thread: str, name: str) -> object:
    return tracing.Stop(when, thread, tracing.MARK, name)


def test_a_way_goes_from_its_first_function_to_its_mark() -> None:
    stops = [stop(1, "a", "before"), stop(2, "a", "X.first"), stop(3, "a", "next"), mark(4, "a", "end")]
    way = tracing.find_way("way", [*stops, stop(5, "a", "after")], ".first", "end")
    assert functions(way) == ["X.first", "next"]


@pytest.mark.parametrize("missing", [".nothing", ".first"])
def test_there_is_no_way_without_both_ends(missing: str) -> None:
    assert tracing.find_way("way", [stop(2, "a", "X.first")], missing, "end") is None


def test_a_function_is_a_stop_once() -> None:
    names = ["first", "again", "other", "again"]
    stops = [stop(at, "a", name) for at, name in enumerate(names)]
    way = tracing.find_way("way", [*stops, mark(9, "a", "end")], "first", "end")
    assert functions(way) == ["first", "again", "other"]


def test_what_a_thread_does_after_the_next_has_begun_is_no_part() -> None:
    stops = [stop(1, "a", "first"), stop(2, "b", "goes on"), stop(3, "a", "late"), mark(4, "b", "end")]
    assert functions(tracing.find_way("way", stops, "first", "end")) == ["first", "goes on"]


def test_the_thread_in_which_a_way_ends_is_whole() -> None:
    stops = [stop(1, "a", "first"), stop(2, "b", "work"), stop(3, "a", "reply"), mark(4, "a", "end")]
    way = tracing.find_way("way", stops, "first", "end")
    assert functions(way) == ["first", "reply", "work"]
    assert way.threads == ["a", "b"]
    assert way.changes == 1


@pytest.mark.timeout(240)
def test_the_ways_of_this_checkout() -> None:
    command = [sys.executable, str(SCRIPTS / "ways.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    lines = [line.split() for line in done.stdout.splitlines()]
    heads = [line[0] for line in lines if "functions" in line]
    assert heads == ["frame:", "group:", "page:", "answer:"]
    stops = [line[1] for line in lines if len(line) == 2 and line[0].endswith(".py")]
    for expected in (
        "Connection.data_received",
        "HostChannelLayer.group_send",
        "AsyncWebsocketConsumer.send",
    ):
        assert expected in stops
    frame = next(line for line in lines if line[0] == "frame:")
    functions, changes = int(frame[1]), int(frame[6])
    assert functions <= 20, "a frame visits more functions than it did: is each of them one step?"
    assert changes <= 15, "a frame changes between files more often than it did"
    page = next(line for line in lines if line[0] == "page:")
    functions, changes = int(page[1]), int(page[6])
    assert functions <= 41, "a page visits more functions than it did: is each of them one step?"
    assert changes <= 25, "a page changes between files more often than it did"
    group = next(line for line in lines if line[0] == "group:")
    assert 2 <= int(group[-2]) <= 4  # a thread of each process at least


def test_an_unknown_way_is_refused() -> None:
    done = subprocess.run([sys.executable, str(SCRIPTS / "ways.py"), "road"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such way: road; there are frame, group, page" in done.stderr
