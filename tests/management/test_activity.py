"""Lines about topics and tasks, from facts as they are told."""

from __future__ import annotations

import datetime
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from channels import telemetry
from channels.management import activity
from channels.management.activity import ActivityLines, lines_of_activity

NOON = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def activities(lines: list[str]) -> ActivityLines:
    return ActivityLines(lines.append)


def ended(status: str, seconds: float, *errors: str) -> Any:
    return SimpleNamespace(
        status=SimpleNamespace(value=status),
        task=SimpleNamespace(module_path="shop.tasks.mail"),
        started_at=NOON,
        finished_at=NOON + datetime.timedelta(seconds=seconds),
        errors=[SimpleNamespace(exception_class_path=error) for error in errors],
    )


def test_what_happens_in_one_moment_shares_a_line(activities: ActivityLines, lines: list[str]) -> None:
    for user in ("", "7", "8"):
        activities("topics.subscribed", {"topic": "board:a", "user": user, "client": "c"})
    for number in (1, 2):
        activities("topics.delivered", {"topic": "board:a", "publications": number, "subscribers": 3})
    activities("topics.unsubscribed", {"topic": "board:a", "user": "7", "client": "c"})
    activities.flush()
    assert lines == [
        "Topic SUBSCRIBE board:a [3 clients, 3 subscribers now]",
        "Topic PUBLISH board:a 3 publications [3 subscribers]",
        "Topic UNSUBSCRIBE board:a [1 client, 2 left]",
    ]
    activities.flush()
    assert len(lines) == 3


def test_a_publication_has_one_line_whoever_gets_it(activities: ActivityLines, lines: list[str]) -> None:
    activities("topics.published", {"topic": "empty"})
    activities("topics.subscribed", {"topic": "full", "user": "7", "client": "c"})
    activities("topics.published", {"topic": "full"})
    activities("topics.delivered", {"topic": "full", "publications": 1, "subscribers": 1})
    activities.flush()
    assert lines == [
        "Topic PUBLISH empty 1 publication [nobody is subscribed in this process]",
        "Topic SUBSCRIBE full [user 7, 1 subscriber now]",
        "Topic PUBLISH full 1 publication [1 subscriber]",
    ]


def test_topics_of_ours_and_other_facts_have_none(activities: ActivityLines, lines: list[str]) -> None:
    activities("topics.published", {"topic": "channels.topics/control"})
    activities("topics.published", {"topic": "channels-reload"})
    activities("server.slow_reader", {"client": "x"})
    activities.flush()
    assert lines == []


def test_a_name_does_not_end_a_line(activities: ActivityLines, lines: list[str]) -> None:
    activities("topics.subscription_refused", {"topic": "a\nb", "user": ""})
    activities.flush()
    assert lines == ["Topic REFUSE a\\x0ab [may_subscribe() says no to anonymous]"]


def test_lines_of_one_moment_are_bounded(
    activities: ActivityLines, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "MOST_LINES", 2)
    for number in range(5):
        activities("topics.published", {"topic": f"t{number}"})
    activities.flush()
    assert lines[2:] == ["... and 3 more topics and tasks in the same moment"]


def test_a_task_that_begins_and_ends_in_one_moment_has_one_line(
    activities: ActivityLines, lines: list[str]
) -> None:
    activities.task_started(None, ended("RUNNING", 0))
    activities.task_finished(None, ended("SUCCESSFUL", 0.25))
    activities.flush()
    activities.task_started(None, ended("RUNNING", 0))
    activities.flush()
    activities.task_finished(None, ended("FAILED", 1, "builtins.ValueError"))
    activities.flush()
    for seconds in (1, 3):
        activities.task_finished(None, ended("SUCCESSFUL", seconds))
    activities.flush()
    assert lines == [
        "Task SUCCESSFUL shop.tasks.mail [0.25 s]",
        "Task START shop.tasks.mail",
        "Task FAILED shop.tasks.mail [1.00 s] builtins.ValueError",
        "Task SUCCESSFUL shop.tasks.mail 2 times [1.00 to 3.00 s]",
    ]


def test_lines_come_by_themselves_and_end_with_the_block() -> None:
    came = threading.Event()
    with lines_of_activity(lambda line: came.set(), tasks=False):
        telemetry.emit("topics.published", topic="board:a")
        assert came.wait(20)
        before = telemetry.listeners
    assert len(telemetry.listeners) == len(before) - 1
