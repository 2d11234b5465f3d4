"""The shared contract on every shape of Redis."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

import pytest

from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from channels.testing.contracts import ChannelLayerContract


class OnRedis(ChannelLayerContract):
    hosts: list[object]
    spans_processes = True

    def make_layer(self, **config):
        return RedisChannelLayer(hosts=self.hosts, prefix=type(self).__name__, **config)


class SingleTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, server):
        type(self).hosts = [server.address]


class ShardedTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, server, second_server):
        type(self).hosts = [server.address, {"host": "127.0.0.1", "port": second_server.port}]


class SentinelTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, sentinels):
        type(self).hosts = [sentinels.url]


class ClusterTests(OnRedis, IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _servers(self, cluster):
        type(self).hosts = [cluster.url]


class PubSubTests(OnRedis, IsolatedAsyncioTestCase):
    takes_anything = True

    @pytest.fixture(autouse=True)
    def _servers(self, server):
        type(self).hosts = [server.address]

    def make_layer(self, **config):
        return RedisPubSubChannelLayer(hosts=self.hosts, prefix="pubsub", **config)
