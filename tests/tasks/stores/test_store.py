"""What every store of tasks keeps to: in memory, and in a database of each vendor."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connections

from channels.tasks.definition.states import FINISHED, MOVES, STATUS, Move, State
from channels.tasks.models import Task, Worker
from channels.tasks.stores.base import TaskStore
from channels.tasks.stores.records import Claim, Outcome, new_id, new_owner
from channels.tasks.stores.statements import COLUMNS, ENDS
from tests.tasks.stores.conftest import added, claim, record, state, worker


def test_a_task_is_kept_as_it_was_given(store: TaskStore) -> None:
    task = record(store, arguments='[["\\u0000é"],{}]', priority=-7, queue="mail", lane=1)
    store.add([task])
    assert store.get(task.id) == task
    assert store.get(new_id()) is None


def test_the_most_important_come_first_then_who_came_first(store: TaskStore) -> None:
    low, normal, high = (added(store, 2, priority=priority) for priority in (-1, 0, 1))
    owner = worker(store)
    assert [each.id for each in claim(store, owner, 3)] == [*high, normal[0]]
    assert [each.id for each in claim(store, owner)] == [normal[1], *low]


def test_a_claim_is_of_one_backend_lane_and_queue(store: TaskStore) -> None:
    added(store, backend="other")
    added(store, lane=1)
    (mail,), (other,) = added(store, queue="mail"), added(store)
    owner = worker(store)
    taken = store.turn(owner, [], [Claim(0, 10)], "default", ("mail", "slow"))
    assert [each.id for each in taken] == [mail]
    assert [each.id for each in claim(store, owner)] == [other]


def test_a_glance_says_for_how_long_each_queue_has_waited(store: TaskStore) -> None:
    now = store.clock()
    store.clock = lambda: now
    assert store.overview().queues == {}
    for queue, seconds in (("mail", 30), ("mail", 10), ("default", 2)):
        added(store, queue=queue, run_at=store.now() - seconds * 1_000_000)
    added(store, queue="later", run_at=store.now() + 1_000_000, state="scheduled")
    assert store.overview().queues == {"default": 2.0, "mail": 30.0}
    store.turn(worker(store), [], [Claim(0, 1)], "default", ("mail",))
    assert store.overview().queues == {"default": 2.0, "mail": 10.0}


def test_a_claim_counts_attempts_and_names_the_worker(store: TaskStore) -> None:
    (task,) = added(store)
    owner = worker(store)
    (taken,) = claim(store, owner)
    assert (taken.state, taken.owner, taken.owners, taken.attempts) == ("running", owner, f"{owner} ", 1)
    assert taken.started_at == taken.last_attempted_at is not None
    assert store.get(task) == taken


@pytest.mark.parametrize("move", sorted(ENDS))
def test_an_attempt_ends_as_the_table_says_and_only_for_its_owner(store: TaskStore, move: Move) -> None:
    (task,) = added(store)
    owner = worker(store)
    claim(store, owner)
    outcome = Outcome(task, move, errors='[["E","t"]]', result="5", run_at=store.now() + 10**9)
    store.turn(new_owner(), [outcome], [], "default", ())
    assert state(store, task) == "running"
    store.turn(owner, [outcome], [], "default", ())
    assert state(store, task) == MOVES[move][1]
    store.turn(owner, [Outcome(task, Move.FAIL)], [], "default", ())
    assert state(store, task) == MOVES[move][1]
    found = store.get(task)
    assert found is not None
    assert found.attempts == (0 if move is Move.RELEASE else 1)
    assert (found.finished_at is not None) == (MOVES[move][1] in FINISHED)


def test_what_is_due_becomes_ready_and_the_next_is_known(store: TaskStore) -> None:
    now = store.now()
    added(store, 3, state="scheduled", run_at=now + 5_000_000)
    added(store, state="scheduled", run_at=now + 9_000_000)
    assert store.promote() == (False, now + 5_000_000)
    store.clock = lambda: now / 10**6 + 5.1
    assert store.promote() == (True, now + 9_000_000)
    assert len(claim(store, worker(store))) == 3


def test_the_tasks_of_a_dead_worker_run_again_apart_and_at_last_no_more(store: TaskStore) -> None:
    (task,) = added(store)
    for loss in range(1, 4):
        owner = worker(store)
        (taken,) = claim(store, owner, recovered=loss > 1)
        assert (taken.id, taken.attempts) == (task, loss)
        assert claim(store, worker(store)) == []
        store.beat(owner)
        assert store.owners() == {owner: 1}
        assert store.recover(owner, 0, 3) == (0, []), "it has beaten since"
        assert store.recover(owner, 1, 3) == ((1, []) if loss < 3 else (0, [task]))
        assert not store.beat(owner)
    found = store.get(task)
    assert found is not None
    assert (found.state, found.losses, len(found.owners.split())) == ("dead", 3, 3)
    assert json.loads(found.errors)[-1][0] == "channels.tasks.exceptions.WorkerLost"


def test_tasks_of_a_worker_that_nobody_knows_run_again(store: TaskStore) -> None:
    (task,) = added(store)
    claim(store, "unknown")
    assert store.owners() == {"unknown": -1}
    assert store.recover("unknown", -1, 3) == (1, [])
    assert state(store, task) == "recovered"


def test_a_lost_task_that_waits_for_its_next_attempt_is_claimed_apart_again(store: TaskStore) -> None:
    (task,) = added(store)
    claim(store, "unknown")
    store.recover("unknown", -1, 3)
    owner = worker(store)
    claim(store, owner, recovered=True)
    store.turn(owner, [Outcome(task, Move.RETRY, run_at=1)], [], "default", ())
    store.promote()
    assert state(store, task) == "recovered"


def test_what_waits_is_cancelled_and_what_runs_is_asked(store: TaskStore) -> None:
    ready, running = added(store, 2)
    (scheduled,) = added(store, state="scheduled", run_at=store.now() + 10**9)
    assert store.cancel(ready) is State.CANCELLED
    assert store.cancel(scheduled) is State.CANCELLED
    owner = worker(store)
    claim(store, owner)
    assert store.held(owner) == {running: False}
    assert store.cancel(running) is State.RUNNING
    assert store.held(owner) == {running: True}
    store.turn(owner, [Outcome(running, Move.STOP)], [], "default", ())
    assert store.cancel(running) is None
    assert store.revive(running) and not store.revive(running)
    assert store.has_work("default") and not store.has_work("other")


def test_one_task_with_a_unique_key_waits_or_runs(store: TaskStore) -> None:
    first = record(store, unique_key="report")
    assert store.add_unique(first) == first
    assert store.add_unique(record(store, unique_key="report")) == first
    owner = worker(store)
    claim(store, owner)
    assert store.add_unique(record(store, unique_key="report")).id == first.id
    store.turn(owner, [Outcome(first.id, Move.SUCCEED, result="1")], [], "default", ())
    second = record(store, unique_key="report")
    assert store.add_unique(second) == second


def test_what_has_ended_long_ago_is_deleted(store: TaskStore) -> None:
    done, failed, kept = added(store, 3)
    owner = worker(store)
    claim(store, owner)
    outcomes = [Outcome(done, Move.SUCCEED, result="1"), Outcome(failed, Move.FAIL)]
    store.turn(owner, outcomes, [], "default", ())
    assert store.prune((State.SUCCEEDED,), store.now() + 1) == 1
    assert [store.get(each) is None for each in (done, failed, kept)] == [True, False, False]
    store.prune_workers(store.now() + 1)
    assert store.beat(owner), "it has a task"
    store.turn(owner, [Outcome(kept, Move.FAIL)], [], "default", ())
    store.prune_workers(store.now() + 1)
    assert not store.beat(owner)


def test_no_task_is_claimed_twice_by_workers_side_by_side(store: TaskStore) -> None:
    ids = added(store, 120)
    taken: list[str] = []

    def take() -> None:
        owner = new_owner()
        while records := claim(store, owner, 7):
            taken.extend(each.id for each in records)
            done = [Outcome(each.id, Move.SUCCEED, result="1") for each in records]
            store.turn(owner, done, [], "default", ())
        if store.using:
            connections[store.using].close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == ids
    assert {state(store, each) for each in ids} == {"succeeded"}


def test_the_newest_of_each_state_are_listed(store: TaskStore) -> None:
    owner = worker(store)
    done, failed, running = added(store, 3)
    claim(store, owner)
    outcomes = [Outcome(done, Move.SUCCEED, result="1"), Outcome(failed, Move.FAIL)]
    store.turn(owner, outcomes, [], "default", ())
    _, limited = added(store, 2, limit_key="key", allowance="1  ", state="scheduled")
    store.promote()
    ready = added(store, 3)
    expected = {
        State.READY: ready[:0:-1],
        State.SCHEDULED: added(store, state="scheduled", run_at=store.now() + 10**9),
        State.LIMITED: [limited],
        State.BLOCKED: added(store, state="blocked", waits_for="group"),
        State.RUNNING: [running],
        State.SUCCEEDED: [done],
        State.FAILED: [failed],
        State.DEAD: [],
    }
    assert {state: [each.id for each in store.listing(state, 2)] for state in expected} == expected


def test_models_and_rows_have_the_same_columns() -> None:
    assert [field.column for field in Task._meta.concrete_fields] == list(COLUMNS)
    assert [field.column for field in Worker._meta.concrete_fields] == ["id", "beats", "about", "seen_at"]


def test_every_state_has_a_status_and_every_move_a_way_out_of_it() -> None:
    assert STATUS.keys() == set(State)
    left = {state for sources, _ in MOVES.values() for state in sources}
    assert left == set(State) - {State.SUCCEEDED}
