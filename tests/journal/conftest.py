"""Databases as they are by default, and stores of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.topics.conftest import own_store  # noqa: F401 (fixture)


@pytest.fixture
def sqlite_by_default(tmp_path: Path) -> Database:
    """A fresh file of SQLite, without options: a journal that is rolled back, transactions that wait late."""
    return Database(
        "sqlite", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "default.sqlite3")}
    )
