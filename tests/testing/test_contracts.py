"""The shared contract on the backends that need no server; others run it beside their own tests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import IsolatedAsyncioTestCase

import pytest

from channels.layers import InMemoryChannelLayer
from channels.layers.host import HostChannelLayer
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


class Repeating(InMemoryChannelLayer):
    async def send(self, channel, message):
        await super().send(channel, message)
        await super().send(channel, message)

    async def group_discard(self, group, channel):
        """Nobody leaves."""


class Endless(InMemoryChannelLayer):
    def __init__(self, **config):
        super().__init__(**{**config, "capacity": 1000})


class Careless(InMemoryChannelLayer):
    async def group_send(self, group, message):
        """Whatever the name is."""


class Blocking(InMemoryChannelLayer):
    @property
    def sync(self):
        raise RuntimeError("there is none")


@pytest.mark.parametrize(
    ("layer_class", "test"),
    [
        (Lossy, "test_order_is_kept_in_a_group"),
        (Repeating, "test_members_get_what_is_sent_to_their_group"),
        (Endless, "test_a_full_channel_refuses"),
        (Careless, "test_names_are_checked"),
        (Blocking, "test_the_sync_face"),
    ],
)
def test_the_suite_fails_where_a_promise_is_broken(layer_class, test, monkeypatch):
    class Tests(ChannelLayerContract, IsolatedAsyncioTestCase):
        __test__ = False

        def make_layer(self, **config):
            return layer_class(**config)

    monkeypatch.setattr("channels.testing.contracts.PATIENCE", 0.05)
    result = Tests(test).run()
    assert [*result.errors, *result.failures]


class SpanningTests(ChannelLayerContract, IsolatedAsyncioTestCase):
    """Each layer is a process of its own."""

    __test__ = False
    spans_processes = takes_anything = True

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="fw"))
        self.addCleanup(shutil.rmtree, self.directory)

    def make_layer(self, **config):
        return HostChannelLayer(path=self.directory / "broker", **config)


@pytest.mark.parametrize("test", ["test_who_is_in_a_group_in_other_processes", "test_names_are_checked"])
def test_what_a_layer_says_of_itself_decides_what_it_must_do(test):
    assert SpanningTests(test).run().wasSuccessful()
