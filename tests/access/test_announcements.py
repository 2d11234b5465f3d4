"""What is announced is heard here, and carried to others if that is possible."""

import logging

import pytest

from channels import telemetry
from channels.access import announcements
from channels.access.announcements import Change, announce, carry, hear, listen, receive_announcements


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else hears of it."""
    monkeypatch.setattr(announcements, "_listeners", [])
    monkeypatch.setattr(announcements, "_carriers", [])
    monkeypatch.setattr(announcements, "_receivers", [])


def test_listeners_hear_what_is_announced_and_what_is_carried_here() -> None:
    heard: list[Change] = []
    carried: list[Change] = []
    listen(heard.append)
    carry(carried.append, list)
    announce(Change(user="1"))
    hear(Change(user="2"))
    assert heard == [Change(user="1"), Change(user="2")]
    assert carried == [Change(user="1")]


def test_a_carrier_carries_once() -> None:
    carried: list[Change] = []
    begun: list[str] = []
    put = carried.append
    for _ in range(2):
        carry(put, lambda: begun.append("received"))
    announce(Change())
    receive_announcements()
    assert len(carried) == len(begun) == 1


def test_a_carrier_that_fails_is_counted_and_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    carried: list[Change] = []

    def fail(change: Change) -> None:
        raise ConnectionError("nobody is there")

    carry(fail, list)
    carry(carried.append, list)
    before = telemetry.counters["security.access_unannounced"]
    with caplog.at_level(logging.WARNING):
        announce(Change(session="digest"))
    assert carried
    assert telemetry.counters["security.access_unannounced"] == before + 1
    assert "nobody is there" in caplog.text
