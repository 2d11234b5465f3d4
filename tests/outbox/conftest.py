from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from channels.layers import channel_layers, get_channel_layer
from channels.outbox.relay.relay import Relay
from tests.support.databases import Database

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture
def layer() -> Iterator[Any]:
    with override_settings(CHANNEL_LAYERS=MEMORY):
        yield get_channel_layer()
    channel_layers.backends.clear()


@pytest.fixture
def outbox(database: Database) -> Iterator[Database]:
    """A database with the tables of the outbox, in use as Django's default one."""
    with database.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        yield database


@pytest.fixture
def relay(outbox: Database) -> Iterator[Relay]:
    """A relay of that database, at work."""
    relay = Relay("default")
    relay.start()
    yield relay
    relay.stop(timeout=5)
