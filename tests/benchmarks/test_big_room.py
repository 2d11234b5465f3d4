"""A very big room, with few: all are let in, hear what is said, and nobody else waits for long."""

from __future__ import annotations

import pytest

from benchmarks import big_room
from benchmarks.big_room import Room, run
from benchmarks.many import server


def test_one_message_reaches_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_room, "PER_CONNECTION", 8)
    found = run(20, times=2)
    assert found["members"] == 20
    assert 0 < found["last_byte_ms"] <= found["slowest_ms"]
    assert found["echo_at_most_ms"] > 0


def test_whoever_is_not_let_in_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_room, "PATIENCE", 0.5)
    monkeypatch.setattr(big_room, "_HEADERS", 255)  # no frame of HTTP/2 that is ever answered
    with server(1) as running, pytest.raises(TimeoutError, match="0 are in"):
        Room(running.ports[0], 3)
