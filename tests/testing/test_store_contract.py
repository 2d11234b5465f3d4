"""The contract of stores as tests: they pass where it is kept, and fail where it is broken."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

import pytest

from channels.testing.contracts import TopicStoreContract
from channels.topics.stores.base import Position, Published
from channels.topics.stores.memory import MemoryStore
from tests.topics.stores.test_memory import MemoryTests  # noqa: F401 (runs here as well)


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


class Forgetful(MemoryStore):
    """Tells nobody of a message to all, and nobody who is present."""

    async def broadcast(self, message):
        pass

    async def presence(self, topic):
        return {}


class ForgetfulTests(TopicStoreContract, IsolatedAsyncioTestCase):
    __test__ = False

    def make_store(self, **config):
        return Forgetful(**config)


@pytest.mark.parametrize(
    "name", ["test_a_message_to_all_reaches_every_receiver", "test_the_same_client_twice_is_one"]
)
def test_the_suite_fails_where_something_is_missing(name, monkeypatch):
    monkeypatch.setattr("channels.testing.store_contract.tools.PATIENCE", 0.1)
    result = ForgetfulTests(name).run()
    assert result is not None
    assert result.failures or result.errors
