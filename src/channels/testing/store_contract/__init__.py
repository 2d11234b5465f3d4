"""The contract of :mod:`channels.topics.stores.base` as tests, for every store, third-party ones included.

Derive a test case and say how your store is made::

    from unittest import IsolatedAsyncioTestCase
    from channels.testing.contracts import TopicStoreContract

    class MyStoreTests(TopicStoreContract, IsolatedAsyncioTestCase):
        spans_processes = True

        def make_store(self, **config):
            return MyStore(**config)

With ``spans_processes = True`` two stores that ``make_store`` returns are two processes that reach each
other, and ``make_store(presence_lease=1.0)`` makes one whose entries live for a second. Override
``interrupt`` if the store has connections that a test can cut. A store with ``values`` (sessions of MQTT live
there) has ``StoreValuesContract`` besides.
"""

from __future__ import annotations

from channels.testing.store_contract.delivery import DeliveryContract
from channels.testing.store_contract.presence import PresenceContract
from channels.testing.store_contract.retention import RetentionContract
from channels.testing.store_contract.streams import StreamContract
from channels.testing.store_contract.values import StoreValuesContract


class TopicStoreContract(StreamContract, RetentionContract, DeliveryContract, PresenceContract):
    """All tests; mix into an ``IsolatedAsyncioTestCase``."""


__all__ = ["StoreValuesContract", "TopicStoreContract"]
