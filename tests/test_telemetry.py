from __future__ import annotations

from channels import telemetry


def test_listeners_hear_what_happens_until_they_are_detached():
    heard = []
    detach = telemetry.attach(lambda event, facts: heard.append((event, facts)))
    telemetry.emit("consumer.accepted", path="/")
    detach()
    detach()
    telemetry.emit("consumer.accepted", path="/unheard")
    assert heard == [("consumer.accepted", {"path": "/"})]


def test_detaching_one_listener_leaves_the_others():
    heard = []
    before = telemetry.listeners
    first = telemetry.attach(lambda event, facts: heard.append("first"))
    second = telemetry.attach(lambda event, facts: heard.append("second"))
    first()
    telemetry.emit("x")
    second()
    assert heard == ["second"]
    assert telemetry.listeners == before


def test_counts_are_kept_whether_or_not_anybody_listens():
    before = telemetry.counters["test.counted"]
    telemetry.count("test.counted")
    telemetry.count("test.counted", 4, reason="why")
    assert telemetry.counters["test.counted"] == before + 5


def test_a_listener_hears_what_is_counted():
    heard = []
    detach = telemetry.attach(lambda event, facts: heard.append((event, facts)))
    telemetry.count("test.counted", 3, reason="why")
    detach()
    assert heard == [("test.counted", {"amount": 3, "reason": "why"})]
