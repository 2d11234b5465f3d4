"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.databases import (  # noqa: F401  # fixtures
    database,
    mariadb,
    mariadb_server,
    postgresql,
    postgresql_server,
    sqlite,
)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave out the tests themselves, and servers leave the collector alone.

    A server collects once as it starts. With twelve thousand tests in memory that took 0.3 s of processor
    time for each server of a test, ten times as long as all else that it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 20)


@pytest.fixture(autouse=True)
def django_looks_at_its_connections(django_db_blocker: Any) -> Iterator[None]:
    """Let Django ask the connections of earlier tests how they are.

    Threads of the pool outlive a test, and keep the connections that it has opened: one to a database in
    memory is never closed.
    """
    with django_db_blocker.unblock():
        yield
