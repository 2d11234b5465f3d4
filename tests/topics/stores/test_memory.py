"""The store in memory: the contract, and what is its own."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

import pytest

from channels.testing.contracts import TopicStoreContract
from channels.testing.store_contract import tools
from channels.topics.stores.base import Position, Published, Retention
from channels.topics.stores.memory import SWEEP, MemoryStore


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class MemoryTests(TopicStoreContract, IsolatedAsyncioTestCase):
    clock = Clock()

    def make_store(self, **config):
        return MemoryStore(clock=self.clock, **config)

    async def pass_time(self, seconds):
        self.clock.now += seconds


def test_the_suite_wants_to_know_how_a_store_is_made():
    with pytest.raises(NotImplementedError, match="make_store"):
        TopicStoreContract().make_store()


class Lossy(MemoryStore):
    """Breaks a promise, to show that the suite notices."""

    async def publish(self, append):
        if bytes(append.publication.data) == b"3":
            return Published(Position(0, ""))
        return await super().publish(append)


class LossyTests(TopicStoreContract, IsolatedAsyncioTestCase):
    __test__ = False

    def make_store(self, **config):
        return Lossy(**config)


def test_the_suite_fails_where_a_promise_is_broken():
    result = LossyTests("test_publications_are_numbered_from_one_within_one_epoch").run()
    assert result is not None and result.failures


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
