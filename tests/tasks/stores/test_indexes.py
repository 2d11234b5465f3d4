"""No statement that workers run often reads the whole table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection

from benchmarks.tasks.rows import fill
from channels.tasks.definition.states import State
from channels.tasks.stores import limits, statements
from channels.tasks.stores.dialects import DIALECTS
from channels.tasks.stores.overview import OLDEST_READY, QUEUES
from tests.support.databases import Database
from tests.tasks.conftest import migrated

DIALECT = DIALECTS["sqlite"]
OFTEN: dict[str, tuple[str, tuple[Any, ...]]] = {
    "ready": (statements.choose(DIALECT, State.READY, 0), ("default", 0, 10)),
    "ready of queues": (statements.choose(DIALECT, State.READY, 2), ("default", 0, "a", "b", 10)),
    "recovered": (statements.choose(DIALECT, State.RECOVERED, 0), ("default", 0, 10)),
    "is there work": (statements.HAS_WORK, ("default", "default")),
    "next due": (statements.NEXT_DUE, ()),
    "waits for a key": (limits.waiting(DIALECT), ("key",)),
    "has a place": (limits.PLACES, ("key",)),
    "begun": (limits.BEGUN, ("key", 5, "key", 5)),
    "next key": (limits.NEXT_KEY, ("key",)),
    "limits due": (limits.DUE, (5,)),
    "owners": (statements.OWNERS, ()),
    "held": (statements.HELD, ("me",)),
    "prune": (statements.prune((State.SUCCEEDED,)), (5,)),
    "blocked": (statements.IN_VAIN, ("group",)),
    "members": (statements.OF_GROUP, ("group",)),
    "unique": (statements.BY_UNIQUE_KEY, ("key",)),
}


@pytest.mark.parametrize("name", OFTEN)
def test_it_uses_an_index(sqlite: Database, name: str) -> None:
    statement, parameters = OFTEN[name]
    with migrated(sqlite), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plan = [row[-1] for row in cursor.fetchall()]
    reads = [step for step in plan if re.search(r"channels_tasks_(task|limit|start)\b| t( |$)", step)]
    assert reads
    assert [step for step in reads if "INDEX" not in step] == []


@pytest.mark.parametrize("name", ["ready", "recovered"])
def test_what_comes_next_is_found_without_sorting(sqlite: Database, name: str) -> None:
    statement, parameters = OFTEN[name]
    with migrated(sqlite), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert "ORDER BY" not in str(cursor.fetchall())


def test_postgresql_reads_no_more_of_a_table_whose_tasks_have_ended(postgresql: Database) -> None:
    """Those that wait were written last: to read from the beginning would be to read all."""
    with migrated(postgresql), connection.cursor() as cursor:
        fill(20_000, 500)
        glance = {"overview": (OLDEST_READY, ()), "queues": (QUEUES, ())}
        for name, (statement, parameters) in {**OFTEN, **glance}.items():
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on channels_tasks_task" not in plan, (name, plan)
            assert "channels_tasks_task_pkey" not in plan, (name, plan)
