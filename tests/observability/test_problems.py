"""The table of problems: what is wrong with processes and what is lost, each with its remedy."""

from __future__ import annotations

import re

from channels.observability.fleet.answers import NodeStatus
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.messages import NodeInfo
from channels.observability.problems import (
    KINDS,
    Problem,
    of_task_store,
    of_tasks,
    problems_of,
    rates_between,
    totals_of,
)
from channels.tasks.stores.records import Overview

NODE = NodeInfo("0" * 32, "web-1", 7, "daphne", "1", 0.0)


def said(*answers: NodeAnswer, **rates: float) -> list[str]:
    return [problem.text() for problem in problems_of(answers, rates)]


def answer(**status: object) -> NodeAnswer:
    return NodeAnswer(NODE, "ok", NodeStatus(**status))  # type: ignore[arg-type]


def test_each_kind_has_a_remedy_and_is_filled_in_with_what_is_known() -> None:
    facts = {"name": "web-1:7", "seconds": 3.2, "error": "no", "doing": "a.py:1 f", "lag": 0.7}
    facts |= {"limit": 65536, "expiry": 2}
    facts |= {"backend": "default", "ready": 3, "waited": 61.0, "rate": 1.5, "what": "dropped.new"}
    for name, kind in KINDS.items():
        problem = Problem(name, facts)
        assert not re.search(r"%\(", problem.text())
        assert problem.remedy(str.upper) == kind.remedy.upper()


def test_a_process_that_says_nothing_or_is_late_is_named() -> None:
    assert said(NodeAnswer(NODE, "silent", silent=4.0)) == [
        "web-1:7 does not answer; it was last heard of 4 s ago."
    ]
    assert said(answer(lag=-1.0, doing="views.py:3 wait")) == [
        "web-1:7: the event loop is held. views.py:3 wait"
    ]
    assert said(answer(lag=0.6)) == ["web-1:7: the event loop is 0.6 s behind."]
    assert said(answer(counts={"tasks_waited_ms": 61_000})) == [
        "web-1:7: the first of the tasks that wait has waited for 61 s."
    ]
    assert said(answer()) == []


def test_losses_are_named_but_not_what_nobody_misses() -> None:
    rates = {"dropped.capacity": 2.0, "dropped.closed": 9.0, "dropped.new": 1.0, "requests": 5.0, "x": 1.0}
    assert said(**rates) == [
        "Lost, 2.0 a second: channels that are full.",
        "Lost, 1.0 a second: dropped.new",
    ]


def test_rates_are_those_of_processes_that_were_there_both_times() -> None:
    before = totals_of([answer(totals={"dropped.capacity": 10})])
    now = totals_of([answer(totals={"dropped.capacity": 30}), NodeAnswer(NODE, "silent")])
    assert rates_between(before, now, 2.0) == {"dropped.capacity": 10.0}
    assert rates_between({}, now, 2.0) == {}


def test_what_the_doctor_looks_for_has_the_remedy_of_what_the_inspector_sees_of_it() -> None:
    for looked_for, seen in (
        ("redis_away", "dropped.unreachable"),
        ("redis_buffer", "dropped.lost"),
        ("expiry_short", "dropped.expired"),
        ("topics_away", "topics.held_dropped"),
    ):
        assert KINDS[looked_for].remedy == KINDS[seen].remedy


def test_the_overview_of_a_store_says_what_is_wrong_with_its_tasks() -> None:
    states = {"ready": 2}
    gone, here = {"seen_at": 1000.0}, {"seen_at": 4000.0}
    late = Overview(states, 61.0, [gone, here], {}, [], [], {})
    assert of_task_store("default", late, 4001.0) == Problem(
        "tasks_late", {"backend": "default", "waited": 61.0}
    )
    assert of_task_store("default", Overview(states, 1.0, [gone], {}, [], [], {}), 4001.0) == Problem(
        "workers_missing", {"backend": "default", "ready": 2}
    )
    assert of_task_store("default", Overview(states, 1.0, [here], {}, [], [], {}), 4001.0) is None


def test_tasks_need_workers_and_not_to_wait() -> None:
    assert of_tasks("default", workers=0, ready=3, waited=1.0) == Problem(
        "workers_missing", {"backend": "default", "ready": 3}
    )
    assert of_tasks("default", workers=1, ready=3, waited=61.0).kind == "tasks_late"
    assert of_tasks("default", workers=1, ready=3, waited=1.0) is None
    assert of_tasks("default", workers=0, ready=0, waited=0.0) is None
