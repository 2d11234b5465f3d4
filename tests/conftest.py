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


@pytest.fixture(autouse=True)
def django_looks_at_its_connections(django_db_blocker: Any) -> Iterator[None]:
    """Let Django ask the connections of earlier tests how they are.

    Threads of the pool outlive a test, and keep the connections that it has opened: one to a database in
    memory is never closed.
    """
    with django_db_blocker.unblock():
        yield
