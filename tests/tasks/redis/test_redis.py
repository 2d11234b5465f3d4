"""What is so with Redis only: the commit, wake-ups, a server that dies, keys, clusters."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from channels import telemetry
from channels.tasks import Limit, cancel, chain
from channels.tasks.backend import store_of
from channels.tasks.definition.contract import TaskResultDoesNotExist, task_backends
from channels.tasks.definition.states import FINISHED, Move
from channels.tasks.exceptions import StoreUnavailable
from channels.tasks.stores.records import Claim, Outcome
from channels.tasks.stores.redis.store import RedisStore
from tests.support.redis_servers import Cluster, RedisServer, Sentinels
from tests.tasks import jobs
from tests.tasks.conftest import finished, in_redis, wait_for, working

FULL = os.environ.get("LAYER_TESTS") == "full"


def failures() -> int:
    return telemetry.counters["tasks.store_failed"]


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A server of this test's own that writes down what it does."""
    with RedisServer("--appendonly", "yes") as server:
        yield server


def keys(store: RedisStore) -> set[str]:
    """The names of all keys of a store, without what begins them."""
    found = store._clients.run("", lambda client: client.redis.keys(f"{store._base}:*"))
    return {key.decode().removeprefix(f"{store._base}:") for key in found}


@pytest.mark.django_db(transaction=True)
def test_what_is_cancelled_or_enqueued_in_a_transaction_is_there_at_its_commit() -> None:
    with transaction.atomic():
        results = chain(jobs.add.step(1, 2), jobs.total.step())
        with pytest.raises(TaskResultDoesNotExist):
            results[0].refresh()
    results[0].refresh()
    with transaction.atomic():
        rolled_back = chain(jobs.add.step(1, 2), jobs.total.step())
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        rolled_back[0].refresh()


@pytest.mark.django_db(transaction=True)
def test_which_unique_task_is_the_one_is_decided_at_the_commit() -> None:
    """The result of one that is left out has an id that nobody else has."""
    with transaction.atomic():
        first, second = jobs.report.enqueue(2026), jobs.report.enqueue(2026)
    first.refresh()
    with pytest.raises(TaskResultDoesNotExist):
        second.refresh()
    assert jobs.report.enqueue(2026).id == first.id
    with transaction.atomic():
        assert cancel(
            first
        )  # what is in Redis already is changed at once, whatever becomes of the transaction
        transaction.set_rollback(True)
    first.refresh()
    assert first.status == "FAILED"


def test_an_idle_worker_is_told_and_does_not_poll(settings: Any) -> None:
    """It looks by itself once a minute."""
    (options,) = {str(each["OPTIONS"]): each["OPTIONS"] for each in settings.TASKS.values()}.values()
    with in_redis(settings, {**options, "poll": 60, "lease": 240}), working() as worker:
        first = finished(jobs.add.enqueue(1, 2))
        wait_for(lambda: not worker._threads.held())
        assert finished(jobs.add.enqueue(3, 4), 5).return_value == 7
        running = jobs.wait_for_cancel.enqueue()
        assert jobs.started.wait(5)
        assert cancel(running)
        assert finished(running, 5).is_finished
    assert first.return_value == 3


def test_a_server_that_is_killed_and_comes_back_loses_nothing_and_runs_nothing_twice(
    settings: Any, durable: RedisServer
) -> None:
    """With the AOF: what was answered is on its disk. What ends meanwhile is kept, and written later."""
    with in_redis(settings, {"hosts": [durable.url], "lease": 2.0}):
        running, waiting = jobs.wait_for_gate.enqueue(), jobs.add.enqueue(1, 2)
        with working() as worker:
            assert jobs.started.wait(10)
            owner, before = worker.owner, failures()
            durable.kill()
            wait_for(lambda: failures() > before, 20)
            with pytest.raises(StoreUnavailable, match=r"cannot be reached.*\(TASKS, OPTIONS\)"):
                jobs.add.enqueue(5, 6)
            jobs.gate.set()
            durable.start()
            assert finished(running, 30).worker_ids == [owner]
            assert finished(waiting, 30).return_value == 3
            assert finished(jobs.add.enqueue(3, 4), 30).return_value == 7
    assert jobs.ran == [(1, 2), (3, 4)]


def test_after_a_server_without_a_file_has_died_its_tasks_are_gone_and_workers_go_on(settings: Any) -> None:
    """What ran then ends, and its result does not count: nobody knows of it any more."""
    with RedisServer() as server, in_redis(settings, {"hosts": [server.url], "lease": 2.0}):
        running, waiting = jobs.wait_for_gate.enqueue(), jobs.note.enqueue("lost")
        with working():
            assert jobs.started.wait(10)
            server.kill()
            server.start()
            jobs.gate.set()
            assert finished(wait_for(lambda: enqueued(jobs.add)), 30).return_value == 3
            for result in (running, waiting):
                with pytest.raises(TaskResultDoesNotExist):
                    result.refresh()
    assert jobs.ran == [(1, 2)]


def enqueued(task: Any) -> Any:
    """The result of a task that is enqueued; None if Redis does not answer."""
    try:
        return task.enqueue(1, 2)
    except StoreUnavailable:
        return None


def test_a_full_server_refuses_new_tasks_and_lets_those_end_that_it_has(settings: Any) -> None:
    with RedisServer() as server, in_redis(settings, {"hosts": [server.url], "lease": 2.0}):
        failing, running = jobs.fail_at_gate.enqueue(), jobs.wait_for_gate.enqueue()
        store = store_of(task_backends["default"])
        with working(threads=2) as worker:
            wait_for(lambda: len(store.held(worker.owner)) == 2)
            server.ask("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(StoreUnavailable, match="maxmemory"):
                jobs.add.enqueue(1, 2)
            assert store.beat(worker.owner)
            jobs.gate.set()
            assert finished(running).return_value == "open"
            assert finished(failing).errors[0].exception_class is ValueError
            server.ask("CONFIG", "SET", "maxmemory", "0")
            assert finished(jobs.add.enqueue(1, 2)).return_value == 3


def test_tasks_that_were_taken_while_the_answer_was_lost_are_given_back(store: RedisStore) -> None:
    """Neither are they lost, nor is the death of their worker awaited."""
    lost = threading.Event()
    run = store._run

    def lose_one(name: str, *arguments: Any) -> Any:
        answer = run(name, *arguments)
        if name == "turn" and answer[1] and not lost.is_set():
            lost.set()
            raise StoreUnavailable("the answer is lost")
        return answer

    store._run = lose_one
    result = jobs.add.enqueue(1, 2)
    with working() as worker:
        assert finished(result, 10).return_value == 3
        assert lost.is_set()
        assert result.worker_ids == [worker.owner, worker.owner]
    record = store.get(result.id)
    assert record is not None
    assert record.losses == 0


def test_an_add_that_runs_twice_writes_once(store: RedisStore) -> None:
    """As when the answer to the first was lost: groups do not count anew either."""
    results = chain(jobs.add.step(1, 2), jobs.total.step())
    records = [store.get(each.id) for each in results]
    (taken,) = store.turn("me", [], [Claim(0, 1)], "default", ())
    store.add_groups({taken.counts_for: 1}, [each for each in records if each is not None])
    store.turn("me", [Outcome(taken.id, Move.SUCCEED, result="3", counts_for="x")], [], "default", ())
    assert [each.id for each in store.turn("me", [], [Claim(0, 5)], "default", ())] == [results[1].id]


def test_keys_have_one_hash_tag_are_never_searched_for_and_go_with_their_tasks(
    settings: Any, durable: RedisServer
) -> None:
    with in_redis(settings, {"hosts": [durable.url], "prefix": "mine"}):
        store = store_of(task_backends["default"])
        assert isinstance(store, RedisStore)
        with working():
            results = [*chain(jobs.add.step(1, 2), jobs.total.step()), jobs.fail.enqueue()]
            finished(results[1])
            finished(results[2])
            store.overview()
        assert all(key.startswith(b"{mine}:") for key in durable.all_keys())
        store.prune(tuple(FINISHED), store.now() + 1)
        store.prune_workers(store.now() + 1)
        assert keys(store) == {"backends", "queues:default"}
        used = durable.ask("INFO", "commandstats")
        assert isinstance(used, dict)
        assert "cmdstat_scan" not in used and used["cmdstat_keys"]["calls"] == 2, "by this test"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "maxmemory-policy is allkeys-lru"),
        ((), "Set appendonly to yes"),
    ],
)
def test_a_worker_tells_at_its_start_if_redis_may_lose_tasks(
    settings: Any, caplog: pytest.LogCaptureFixture, options: tuple[str, ...], told: str
) -> None:
    caplog.set_level(logging.WARNING, "channels.tasks")
    with RedisServer(*options) as server, in_redis(settings, {"hosts": [server.url]}), working():
        finished(jobs.add.enqueue(1, 2))
    assert told in caplog.text


def test_a_server_that_evicts_nothing_and_writes_all_down_is_not_told_of(
    settings: Any, caplog: pytest.LogCaptureFixture, durable: RedisServer
) -> None:
    with in_redis(settings, {"hosts": [durable.url]}), working():
        finished(jobs.add.enqueue(1, 2))
    assert "Redis" not in caplog.text


@pytest.mark.parametrize("hosts", ["redis://localhost", ["redis://a", "redis://b"], [5]])
def test_hosts_that_cannot_be_used_are_refused(hosts: Any) -> None:
    with pytest.raises((ImproperlyConfigured, StoreUnavailable, ValueError), match="hosts"):
        RedisStore(hosts, "tasks").has_work("default")


def test_a_user_needs_no_more_rights_than_the_docs_say(settings: Any) -> None:
    text = (Path(__file__).parents[3] / "docs" / "howto" / "redis.md").read_text()
    (rights,) = re.findall(r"`(\+@[^`]*~{tasks}\* &{tasks}:\*)`", text)
    with RedisServer() as server:
        server.ask("ACL", "SETUSER", "worker", "on", ">secret", *rights.split())
        url = server.url.replace("://", "://worker:secret@")
        with in_redis(settings, {"hosts": [url], "prefix": "tasks"}), working():
            results = chain(jobs.add.step(1, 2), jobs.total.using(limit=Limit(rate="9/m")).step())
            assert finished(results[1]).return_value == [3]
            assert cancel(jobs.wait_for_ever.enqueue())


def test_all_of_a_store_is_in_one_slot_of_a_cluster(settings: Any) -> None:
    """It starts three servers."""
    with Cluster() as servers, in_redis(settings, {"hosts": [servers.url]}), working():
        results = chain(jobs.add.step(1, 2), jobs.total.step())
        assert finished(results[1]).return_value == [3]
        assert finished(jobs.add_async.enqueue(1, 2)).return_value == 3


@pytest.mark.skipif(not FULL, reason="it starts five servers and waits for a failover")
def test_a_replica_takes_over_and_workers_go_on(settings: Any) -> None:
    with Sentinels() as servers, in_redis(settings, {"hosts": [servers.url]}), working():
        assert finished(jobs.add.enqueue(1, 2)).return_value == 3
        servers.fail_over()
        assert finished(wait_for(lambda: enqueued(jobs.add), 30), 30).return_value == 3
