"""Each test of topics has stores of its own."""

from collections.abc import Iterator

import pytest

from channels.topics.stores.manager import set_store


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    """Begin with empty stores."""
    set_store("default", None)
    yield
    set_store("default", None)
