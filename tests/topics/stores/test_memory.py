"""The store in memory: the contract, and what is its own."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

from channels.testing.contracts import StoreValuesContract, TopicStoreContract
from channels.testing.store_contract import tools
from channels.topics.stores.base import Retention
from channels.topics.stores.memory import SWEEP, MemoryStore


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class MemoryTests(StoreValuesContract, TopicStoreContract, IsolatedAsyncioTestCase):
    clock = Clock()

    def make_store(self, **config):
        return MemoryStore(clock=self.clock, **config)

    async def pass_time(self, seconds):
        self.clock.now += seconds


async def test_what_has_expired_is_forgotten_though_nobody_reads_it():
    clock = Clock()
    store = MemoryStore(clock=clock)
    retention = Retention(10, 1.0, position_ttl=5.0, idempotency_ttl=1.0)
    for n in range(3):
        await store.publish(tools.append(f"old-{n}", n, retention, idempotency_key="k"))
    await store.publish(tools.append("young", 1, Retention(10, 60.0), idempotency_key="k"))
    stream = store.sync._streams["old-0"]
    clock.now += SWEEP + 1
    await store.publish(tools.append("other", 1, tools.KEPT))
    assert set(store.sync._streams) == {"young", "other"}
    assert stream.keys == {} and not stream._publications
