"""The shared contract on the backends that need no server; others run it beside their own tests."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

import pytest

from channels.layers import InMemoryChannelLayer
from channels.testing.contracts import ChannelLayerContract


class MemoryLayerTests(ChannelLayerContract, IsolatedAsyncioTestCase):
    def make_layer(self, **config):
        return InMemoryChannelLayer(**config)


class ThirdPartyTests(ChannelLayerContract, IsolatedAsyncioTestCase):
    """A layer of which the suite may only use what 4.3 has."""

    pushing = False

    def make_layer(self, **config):
        layer = InMemoryChannelLayer(**config)
        return ThirdParty(layer)


class ThirdParty:
    def __init__(self, layer):
        for name in ("send", "receive", "new_channel", "group_add", "group_discard", "group_send", "flush"):
            setattr(self, name, getattr(layer, name))


def test_the_suite_wants_to_know_how_a_layer_is_made():
    with pytest.raises(NotImplementedError, match="make_layer"):
        ChannelLayerContract().make_layer()


class Lossy(InMemoryChannelLayer):
    """Breaks a promise, to show that the suite notices."""

    async def group_send(self, group, message):
        if message["n"] != 3:
            await super().group_send(group, message)


class LossyTests(ChannelLayerContract, IsolatedAsyncioTestCase):
    __test__ = False

    def make_layer(self, **config):
        return Lossy(**config)


def test_the_suite_fails_where_a_promise_is_broken(monkeypatch):
    monkeypatch.setattr("channels.testing.contracts.PATIENCE", 0.05)
    result = LossyTests("test_order_is_kept_in_a_group").run()
    assert result.errors
