"""Each test of topics has stores of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from channels.topics.stores.manager import set_store


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    """Begin with empty stores."""
    set_store("default", None)
    yield
    set_store("default", None)


@pytest.fixture(autouse=True)
def django_looks_at_its_connections(django_db_blocker: Any) -> Iterator[None]:
    """Let Django's pages, and the threads of servers, ask connections of earlier tests how they are."""
    with django_db_blocker.unblock():
        yield
