"""The store of one machine: the contract, in one process and between two."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from typing import Any

from channels.testing.contracts import StoreValuesContract, TopicStoreContract
from channels.topics.stores.host import HostStore


class HostTests(StoreValuesContract, TopicStoreContract, unittest.IsolatedAsyncioTestCase):
    spans_processes = True

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="topics")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def make_store(self, **config: Any) -> HostStore:
        return HostStore(path=self.folder, **config)
