"""The order of messages, and two relays at once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import connection, transaction
from django.test import override_settings

from channels.exceptions import ChannelFull
from channels.layers import channel_layers
from channels.layers.base import BaseChannelLayer
from channels.outbox import durable
from channels.outbox.models import DurableMessage, Lease
from channels.outbox.relay.relay import Relay
from tests.outbox.tools import calls, is_empty, note, until
from tests.support.databases import Database

WRITERS, EACH = 4, 15


class Full(BaseChannelLayer):
    """A layer of somebody else's, whose channels are full at times."""

    extensions = ["groups"]

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, int]] = []
        self.refusals = {"full": 3}

    async def send(self, channel, message) -> None:
        await self.group_send(channel, message)

    async def group_send(self, group, message) -> None:
        if self.refusals.get(group, 0):
            self.refusals[group] -= 1
            raise ChannelFull
        self.sent.append((group, message["number"]))


@pytest.fixture
def full():
    layer = Full()
    channel_layers.set("default", layer)
    yield layer
    channel_layers.backends.clear()


def test_what_is_tried_again_keeps_its_place_and_holds_up_nobody_else(full: Full, outbox: Database) -> None:
    with transaction.atomic():
        for number in range(5):
            durable().send("full", {"type": "said", "number": number})
            durable().send("other", {"type": "said", "number": number})
    relay = Relay("default")
    relay.start()
    until(is_empty)
    relay.stop(5)
    assert [number for name, number in full.sent if name == "full"] == [0, 1, 2, 3, 4]
    assert [number for name, number in full.sent if name == "other"] == [0, 1, 2, 3, 4]
    assert full.sent[0] == ("other", 0)


def test_a_channel_that_stays_full_is_given_up_by_itself(full: Full, outbox: Database) -> None:
    full.refusals["full"] = 2
    with override_settings(CHANNELS_OUTBOX={"MAX_ATTEMPTS": 2}):
        for number in range(2):
            durable().send("full", {"type": "said", "number": number})
        relay = Relay("default")
        relay.start()
        until(is_empty)
        relay.stop(5)
    dead = DurableMessage.objects.get()
    assert (dead.state, dead.attempts, dead.error) == ("dead", 2, "ChannelFull: ")
    assert full.sent == [("full", 1)]


async def test_two_relays_do_everything_once_and_in_order(layer, outbox: Database) -> None:
    """Writers at once, some of whose transactions are rolled back."""
    calls.clear()
    channel = await layer.new_channel()
    for writer in range(WRITERS):
        await layer.group_add(f"room-{writer}", channel)
    layer.capacity = 10_000
    relays = [Relay("default"), Relay("default")]

    def write(writer: int) -> None:
        for number in range(EACH):
            with transaction.atomic():
                layer.durable.group_send(f"room-{writer}", {"type": "said", "by": writer, "number": number})
                note.on_commit(writer, number)
                transaction.set_rollback(number % 5 == 4)
        connection.close()

    for relay in relays:
        relay.start()
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in writers:
        thread.start()
    kept = [number for number in range(EACH) if number % 5 != 4]
    found = [await asyncio.wait_for(layer.receive(channel), 30) for _ in range(WRITERS * len(kept))]
    await asyncio.to_thread(until, is_empty)
    for relay in relays:
        await asyncio.to_thread(relay.stop, 5)
    for writer in range(WRITERS):
        assert [message["number"] for message in found if message["by"] == writer] == kept
    assert sorted(args for args, _ in calls) == [(writer, n) for writer in range(WRITERS) for n in kept]
    assert layer.statistics()["unread"] == 0
    assert not await asyncio.to_thread(lambda: Lease.objects.exclude(owner="").exists())
