"""Redis servers for wake-ups, stores of each test's own, and who notes what was woken."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from channels.wakeups import Listener, listen
from tests.layers.redis.conftest import own_server  # noqa: F401 (fixture)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)


class Woken(list[str]):
    """What was woken, in order."""

    def listen(self, name: str, using: str = "default") -> Listener:
        return listen(name, using, lambda: self.append(name))


@pytest.fixture
def woken() -> Iterator[Woken]:
    """Notes what wakes "one" and "two"."""
    found = Woken()
    listeners = [found.listen("one"), found.listen("two")]
    yield found
    for listener in listeners:
        listener.close()


def host_settings() -> dict[str, Any]:
    config = {"path": tempfile.mkdtemp(prefix="wakeups")}
    return {"STORES": {"default": {"BACKEND": "channels.topics.stores.host.HostStore", "CONFIG": config}}}


def redis_settings(server: Any) -> dict[str, Any]:
    config = {"hosts": [server.url]}
    return {"STORES": {"default": {"BACKEND": "channels.topics.stores.redis.RedisStore", "CONFIG": config}}}


@pytest.fixture(params=["host", "redis"])
def topics(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The setting of a store that spans processes."""
    if request.param == "redis":
        return redis_settings(request.getfixturevalue("own_server"))
    return host_settings()
