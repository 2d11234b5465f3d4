"""Limits, as every store keeps to them."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connections

from channels.tasks.definition.states import FINISHED, Move, State
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import Claim, Outcome, TaskRecord, new_owner
from channels.tasks.stores.sql import SQLStore
from channels.tasks.stores.statements import TASKS
from tests.tasks.stores.conftest import added, claim, state, worker

ONE, TWO = "1  ", "2  "
TWO_IN_A_MINUTE = " 2 60000000"
SECOND = 1_000_000


def limited(store: TaskStore, count: int = 1, allowance: str = ONE, **values: Any) -> list[str]:
    """Tasks with a limit, as they are enqueued."""
    fields = {"state": "scheduled", "limit_key": "key", "allowance": allowance, **values}
    found = added(store, count, **fields)
    store.promote()
    return found


def states(store: TaskStore, ids: list[str]) -> list[str]:
    return [state(store, each) for each in ids]


def end(
    store: TaskStore, owner: str, task_id: str, move: Move = Move.SUCCEED, **values: Any
) -> list[TaskRecord]:
    """End an attempt, and take in the same turn what may run by that."""
    outcome = Outcome(task_id, move, **{"result": "1", "limit_key": "key", **values})
    return store.turn(owner, [outcome], [Claim(0, 10)], "default", ())


def stop_clock(store: TaskStore) -> list[float]:
    """Let the clock of a store stand still; the only item of what is returned is its time, in seconds."""
    at = [store.now() / SECOND]
    store.clock = lambda: at[0]
    return at


def test_those_that_wait_for_a_key_hold_up_nobody_else(store: TaskStore) -> None:
    holder, *waiting = limited(store, 4)
    (other,) = limited(store, limit_key="other")
    (free,) = added(store, priority=-100)
    owner = worker(store)
    assert [each.id for each in claim(store, owner)] == [holder, other, free]
    assert states(store, waiting) == ["limited"] * 3
    assert not store.has_work("default")
    for following in waiting:
        assert [each.id for each in end(store, owner, holder)] == [following], "in the same turn"
        holder = following


def test_the_most_important_that_waits_comes_first_then_who_came_first(store: TaskStore) -> None:
    (holder,) = limited(store)
    low, normal, high = (limited(store, priority=priority)[0] for priority in (-1, 0, 1))
    owner = worker(store)
    claim(store, owner)
    for following in (high, normal, low):
        assert [each.id for each in end(store, owner, holder)] == [following]
        holder = following


def test_as_many_run_at_once_as_the_limit_says(store: TaskStore) -> None:
    first, second, third = limited(store, 3, TWO)
    owner = worker(store)
    assert [each.id for each in claim(store, owner)] == [first, second]
    assert [each.id for each in end(store, owner, second)] == [third]


def test_what_is_tried_again_later_lets_others_run_meanwhile(store: TaskStore) -> None:
    first, second = limited(store, 2)
    owner = worker(store)
    claim(store, owner)
    taken = end(store, owner, first, Move.RETRY, result=None, run_at=store.now())
    assert [each.id for each in taken] == [second]
    store.promote()
    assert state(store, first) == "limited"
    assert [each.id for each in end(store, owner, second)] == [first]


def test_what_is_given_back_keeps_its_place(store: TaskStore) -> None:
    first, second = limited(store, 2)
    owner = worker(store)
    claim(store, owner)
    for move in (Move.RELEASE, Move.GIVE_BACK):
        assert [each.id for each in end(store, owner, first, move, result=None)] == [first]
    assert state(store, second) == "limited"


def test_a_lost_worker_frees_its_places_with_its_lease(store: TaskStore) -> None:
    """What it ran comes first: it has the place, and runs again; after the last loss the next one has it."""
    first, second = limited(store, 2)
    for loss in range(3):
        claim(store, "unknown", recovered=loss > 0)
        assert state(store, second) == "limited"
        store.recover("unknown", -1, 3)
    assert state(store, first) == "dead"
    assert [each.id for each in claim(store, worker(store))] == [second]


def test_a_cancelled_task_frees_its_place(store: TaskStore) -> None:
    first, second, third = limited(store, 3)
    assert store.cancel(second) is State.CANCELLED
    assert store.cancel(first) is State.CANCELLED
    assert states(store, [first, second, third]) == ["cancelled", "cancelled", "ready"]
    assert store.revive(first)
    store.promote()
    assert state(store, first) == "limited"


def test_those_that_wait_for_a_group_wait_for_their_key_then(store: TaskStore) -> None:
    (holder,) = limited(store)
    (member,) = added(store, counts_for="group")
    fields: dict[str, Any] = {"state": "blocked", "waits_for": "group", "limit_key": "key", "allowance": ONE}
    store.add_groups({"group": 1}, [])
    (blocked,) = added(store, **fields)
    owner = worker(store)
    claim(store, owner)
    store.turn(owner, [Outcome(member, Move.SUCCEED, result="1", counts_for="group")], [], "default", ())
    store.promote()
    assert state(store, blocked) == "limited"
    assert [each.id for each in end(store, owner, holder)] == [blocked]


def test_no_more_start_in_a_time_than_the_rate_says(store: TaskStore) -> None:
    clock, owner = stop_clock(store), worker(store)
    begun = store.now()
    first, second, third, fourth = limited(store, 4, TWO_IN_A_MINUTE)
    assert [each.id for each in claim(store, owner, 1)] == [first]
    clock[0] += 10
    assert [each.id for each in end(store, owner, first)] == [second], "it ends at once, and still counts"
    assert end(store, owner, second) == []
    assert store.promote() == (False, begun + 60 * SECOND)
    clock[0] += 50
    assert store.promote() == (True, begun + 70 * SECOND)
    assert [each.id for each in claim(store, owner)] == [third]
    clock[0] += 10
    store.promote()
    assert [each.id for each in claim(store, owner)] == [fourth]


def test_while_no_worker_has_time_no_starts_are_saved_up(store: TaskStore) -> None:
    clock, owner = stop_clock(store), worker(store)
    ids = limited(store, 6, TWO_IN_A_MINUTE)
    for _ in range(3):
        clock[0] += 60
        store.promote()
        assert states(store, ids) == ["ready"] * 2 + ["limited"] * 4
    claim(store, owner)
    store.promote()
    assert states(store, ids) == ["running"] * 2 + ["limited"] * 4


def test_each_attempt_is_a_start_but_not_what_was_given_back_before(store: TaskStore) -> None:
    clock, owner = stop_clock(store), worker(store)
    (first, second) = limited(store, 2, TWO_IN_A_MINUTE)
    for _ in range(3):
        claim(store, owner, 1)
        store.turn(owner, [Outcome(first, Move.RELEASE, limit_key="key")], [], "default", ())
        clock[0] += 1
    claim(store, owner, 1)
    store.cancel(second)
    store.turn(owner, [Outcome(first, Move.RETRY, run_at=store.now(), limit_key="key")], [], "default", ())
    clock[0] += 1
    store.promote()
    claim(store, owner, 1)
    (third,) = limited(store, 1, TWO_IN_A_MINUTE)
    assert states(store, [first, third]) == ["running", "limited"]


def test_a_glance_says_who_waits_for_what(store: TaskStore) -> None:
    clock = stop_clock(store)
    limited(store, 3)
    limited(store, 3, "5 2 60000000", limit_key="slow")
    claim(store, worker(store))
    store.promote()
    clock[0] += 1
    found = store.overview()
    assert found.states["limited"] == 3
    due = found.limits[1].pop("due_at")
    assert found.limits == [
        {"key": "key", "waiting": 2, "places": 1, "limit": "1 at once", "due_at": None},
        {"key": "slow", "waiting": 1, "places": 2, "limit": "5 at once, 2 in 60 s"},
    ]
    assert abs(due - (clock[0] + 59)) < 0.01


def test_a_place_of_a_row_that_somebody_has_deleted_is_found_again(store: TaskStore) -> None:
    if not isinstance(store, SQLStore):
        return  # nobody deletes tasks of Redis by hand
    first, second = limited(store, 2)
    with store.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TASKS} WHERE id = %s", (first,))
    assert state(store, second) == "limited"
    assert store.review() and not store.review()
    assert state(store, second) == "ready"


def test_a_review_only_reads_where_everybody_waits_with_good_reason(store: TaskStore) -> None:
    stop_clock(store)
    limited(store, 2)
    limited(store, 3, TWO_IN_A_MINUTE, limit_key="slow")
    if isinstance(store, SQLStore):
        store.transaction = None  # type: ignore[assignment]
    assert not store.review()


def test_what_limits_leave_behind_is_forgotten(store: TaskStore) -> None:
    clock, owner = stop_clock(store), worker(store)
    (task,) = limited(store, 1, "1 2 60000000")
    claim(store, owner)
    end(store, owner, task)
    clock[0] += 8 * 86400
    store.prune(tuple(FINISHED), store.now())
    store.prune_workers(store.now())
    if isinstance(store, SQLStore):
        with store.cursor() as cursor:
            for table in ("limit", "start"):
                cursor.execute(f"SELECT COUNT(*) FROM channels_tasks_{table}")
                assert cursor.fetchone()[0] == 0


def test_workers_side_by_side_never_run_more_than_the_limit(store: TaskStore) -> None:
    ids = limited(store, 20, TWO)
    most, running, lock = [0], [0], threading.Lock()

    def work() -> None:
        owner, ended = new_owner(), time.monotonic() + 60
        while time.monotonic() < ended:
            records = claim(store, owner, 3)
            with lock:
                running[0] += len(records)
                most[0] = max(most[0], running[0])
            with lock:
                running[0] -= len(records)
            outcomes = [Outcome(each.id, Move.SUCCEED, result="1", limit_key="key") for each in records]
            if records:
                store.turn(owner, outcomes, [], "default", ())
            elif state(store, ids[-1]) == "succeeded":
                break
            else:
                threading.Event().wait(0.001)
        if store.using:
            connections[store.using].close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(70)
    assert set(states(store, ids)) == {"succeeded"}
    assert most[0] <= 2
