"""What is announced is heard here, and carried to others if that is possible."""

import logging

import pytest

from channels import telemetry
from channels.access import announcements
from channels.access.announcements import Change, announce, carry, hear, listen


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else hears of it."""
    monkeypatch.setattr(announcements, "_listeners", [])
    monkeypatch.setattr(announcements, "_carriers", [])


def test_listeners_hear_what_is_announced_and_what_is_carried_here() -> None:
    heard: list[Change] = []
    carried: list[Change] = []
    listen(heard.append)
    carry(carried.append)
    announce(Change(user="1"))
    hear(Change(user="2"))
    assert heard == [Change(user="1"), Change(user="2")]
    assert carried == [Change(user="1")]


def test_a_carrier_carries_once() -> None:
    carried: list[Change] = []
    put = carried.append
    carry(put)
    carry(put)
    announce(Change())
    assert len(carried) == 1


def test_a_carrier_that_fails_is_counted_and_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    carried: list[Change] = []

    def fail(change: Change) -> None:
        raise ConnectionError("nobody is there")

    carry(fail)
    carry(carried.append)
    before = telemetry.counters["security.access_unannounced"]
    with caplog.at_level(logging.WARNING):
        announce(Change(session="digest"))
    assert carried
    assert telemetry.counters["security.access_unannounced"] == before + 1
    assert "nobody is there" in caplog.text
