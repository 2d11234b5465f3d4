"""Every backend of these tests keeps its tasks in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channels.tasks.stores.redis.store import RedisStore
from tests.tasks.conftest import in_redis


@pytest.fixture(autouse=True)
def everything_in_redis(fresh: None, settings: Any, redis_options: dict[str, Any]) -> Iterator[None]:
    """The backends "default" and "database", whatever their names say."""
    with in_redis(settings, redis_options):
        yield


@pytest.fixture
def tables() -> None:
    """There are none."""


@pytest.fixture
def store() -> RedisStore:
    """The store of the backend "default"."""
    from channels.tasks.backend import store_of
    from channels.tasks.definition.contract import task_backends

    found = store_of(task_backends["default"])
    assert isinstance(found, RedisStore)
    return found
