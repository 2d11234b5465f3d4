"""Who is dead, by what is seen of them."""

from __future__ import annotations

from channels.tasks.worker.rounds.liveness import Observer


def test_one_that_does_not_beat_for_a_lease_is_dead() -> None:
    observer = Observer(4.0)
    assert [observer.silent({"a": 1, "b": beat}, now) for beat, now in ((1, 0), (2, 1.5), (3, 3))] == [
        [],
        [],
        [],
    ]
    assert observer.silent({"a": 1, "b": 4}, 4.5) == [("a", 1)]


def test_one_that_has_no_tasks_any_more_is_seen_anew_when_it_has() -> None:
    observer = Observer(2.0)
    observer.silent({"a": 1}, 0)
    observer.silent({}, 1)
    assert observer.silent({"a": 1}, 2) == []
    assert observer.silent({"a": 1}, 3) == []
    assert observer.silent({"a": 1}, 4) == [("a", 1)]


def test_who_could_not_look_for_a_while_sees_all_anew() -> None:
    observer = Observer(2.0)
    observer.silent({"a": 1}, 0)
    assert observer.silent({"a": 1}, 60) == []
    observer.forget()
    assert observer.silent({"a": 1}, 61) == []
    assert observer.silent({"a": 1}, 62) == []
    assert observer.silent({"a": 1}, 63) == [("a", 1)]
