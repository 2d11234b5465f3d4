from __future__ import annotations

from functools import partial

from channels.process import readiness


def test_whoever_is_asked_says_what_stands_in_the_way() -> None:
    before = readiness.obstacle()
    assert before == ""
    reasons = {"first": "", "second": "no room"}
    take_back = [readiness.register(name, partial(reasons.__getitem__, name)) for name in reasons]
    assert readiness.obstacle() == "second: no room"
    reasons["second"] = ""
    assert readiness.obstacle() == ""
    for each in take_back:
        each()
        each()
    reasons["second"] = "no room"
    assert readiness.obstacle() == ""


def test_the_last_check_of_a_name_counts() -> None:
    first = readiness.register("one", lambda: "old")
    second = readiness.register("one", lambda: "new")
    assert readiness.obstacle() == "one: new"
    first()
    assert readiness.obstacle() == "one: new"
    second()
    assert readiness.obstacle() == ""
