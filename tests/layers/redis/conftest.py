"""Servers that live as long as the tests of this folder; tests that break a server start their own."""

from __future__ import annotations

import pytest

from tests.support.redis_servers import Cluster, RedisServer, Sentinels, TLSRedisServer, TLSSentinel


@pytest.fixture(scope="session")
def server():
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def second_server():
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def tls_server():
    with TLSRedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def tls_sentinel(tls_server):
    with TLSSentinel(tls_server) as sentinel:
        yield sentinel


@pytest.fixture(scope="session")
def sentinels():
    with Sentinels() as servers:
        yield servers


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as servers:
        yield servers


@pytest.fixture
def own_server():
    """A server that the test may stop and pause."""
    with RedisServer() as server:
        yield server
