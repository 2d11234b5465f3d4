from __future__ import annotations

import itertools

import pytest

from channels.layers.host.client.client import BrokerClient
from channels.layers.host.wire.runtime_dir import RuntimeDirectory
from tests.layers.host.client.fakes import PATIENCE, RecordingHandler


@pytest.fixture
def runtime_dir(directory):
    runtime_dir = RuntimeDirectory(directory)
    runtime_dir.prepare()
    return runtime_dir


@pytest.fixture
def handler():
    return RecordingHandler()


@pytest.fixture
def make(runtime_dir, handler):
    clients = []

    def make(timeout=PATIENCE):
        clients.append(BrokerClient(runtime_dir, "me", handler, timeout, 1_000_000, itertools.count(1)))
        clients[-1].start()
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        assert not client._loop._thread.is_alive()
