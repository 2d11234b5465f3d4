"""The contract of stores on every shape of Redis."""

from __future__ import annotations

import asyncio
from unittest import IsolatedAsyncioTestCase

import pytest

from channels.testing.contracts import StoreValuesContract, TopicStoreContract
from channels.topics.stores.redis import RedisStore


class OnRedis(StoreValuesContract, TopicStoreContract):
    hosts: list[object]
    servers: list
    spans_processes = True

    def make_store(self, **config):
        return RedisStore(hosts=self.hosts, prefix=type(self).__name__, **config)

    async def interrupt(self):
        for server in self.servers:
            await asyncio.to_thread(server.cut)
        return True


class SingleTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, server):
        type(self).hosts, type(self).servers = [server.address], [server]


class ShardedTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, server, second_server):
        type(self).hosts = [server.address, {"host": "127.0.0.1", "port": second_server.port}]
        type(self).servers = [server, second_server]


class SentinelTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, sentinels):
        type(self).hosts, type(self).servers = [sentinels.url], [sentinels.primary]


class ClusterTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, cluster):
        type(self).hosts, type(self).servers = [cluster.url], cluster.servers
