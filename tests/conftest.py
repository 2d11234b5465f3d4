"""What holds for every test."""

from __future__ import annotations

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

#: Servers that take seconds to start: those tests that share them run in one process.
SHARED = ("sentinels", "cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in SHARED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(autouse=True)
def django_looks_at_its_connections(django_db_blocker: Any) -> Iterator[None]:
    """Let Django ask the connections of earlier tests how they are.

    Threads of the pool outlive a test, and keep the connections that it has opened: one to a database in
    memory is never closed.
    """
    with django_db_blocker.unblock():
        yield
