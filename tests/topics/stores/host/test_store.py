"""The store of one machine: the contract, in one process and between two."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import unittest
import unittest.mock
from collections.abc import Iterator
from typing import Any

from channels.layers.host.client.sender import COLLECT
from channels.layers.host.wire.send_buffer import WriteBuffer
from channels.testing.contracts import StoreValuesContract, TopicStoreContract
from channels.testing.store_contract.tools import append
from channels.topics.stores.host import HostStore
from channels.topics.stores.host.database import Database
from channels.topics.stores.host.store import PIECE


class HostTests(StoreValuesContract, TopicStoreContract, unittest.IsolatedAsyncioTestCase):
    spans_processes = True

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="topics")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def make_store(self, **config: Any) -> HostStore:
        return HostStore(path=self.folder, **config)

    def test_a_batch_is_one_transaction_and_few_writes_of_the_socket(self) -> None:
        store = self.make_store()
        self.addCleanup(store.sync.close)
        given = [append(f"counted:{n % 50}", n) for n in range(PIECE)]
        store.sync.publish_many(given)  # connects
        with counted(Database, "_run") as transactions, counted(WriteBuffer, "write") as writes:
            store.sync.publish_many(given)
        assert len(transactions) == 1
        assert 1 <= len(writes) <= PIECE / COLLECT + 1

    def test_looking_who_is_present_connects_to_no_broker(self) -> None:
        store = self.make_store()
        self.addCleanup(store.sync.close)
        assert store.sync.presence("nobody") == {}
        assert store.sync.presence_stats("nobody").clients == 0
        assert store.sync.layer.sync._engine.client is None


@contextlib.contextmanager
def counted(cls: type, name: str) -> Iterator[list[str]]:
    """Note each call of a method in this thread."""
    calls: list[str] = []
    function, thread = getattr(cls, name), threading.get_ident()

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread:
            calls.append(name)
        return function(*args, **kwargs)

    with unittest.mock.patch.object(cls, name, wrapper):
        yield calls
