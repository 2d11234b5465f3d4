"""Servers that live as long as the tests of this folder; tests that break a server start their own."""

from __future__ import annotations

from tests.layers.redis.conftest import (  # noqa: F401 (fixtures)
    cluster,
    own_server,
    second_server,
    sentinels,
    server,
)
