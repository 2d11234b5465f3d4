from __future__ import annotations

import asyncio

import pytest
from django.db import transaction

from channels.outbox.relay.relay import Relay
from tests.outbox.tools import anote, calls, is_empty, note, rolled_back, until


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


async def test_after_the_commit_and_never_after_a_rollback(layer, relay: Relay) -> None:
    channel = await layer.new_channel()
    await layer.group_add("room", channel)

    def write() -> None:
        with rolled_back():
            layer.durable.group_send("room", {"type": "never"})
        with transaction.atomic():
            for number in range(3):
                layer.durable.group_send("room", {"type": "said", "number": number})
            layer.durable.send(channel, {"type": "direct"})

    await asyncio.to_thread(write)
    messages = [await asyncio.wait_for(layer.receive(channel), 20) for _ in range(4)]
    assert messages == [*({"type": "said", "number": number} for number in range(3)), {"type": "direct"}]
    await asyncio.to_thread(until, is_empty)


async def test_hooks_are_called_after_the_commit(relay: Relay) -> None:
    def write() -> None:
        with rolled_back():
            note.on_commit("never")
        with transaction.atomic():
            note.on_commit(1, what=["two", {"three": None}])
            anote.on_commit(4)

    await asyncio.to_thread(write)
    await asyncio.to_thread(until, lambda: len(calls) == 2 and is_empty())
    assert sorted(calls, key=str) == [((1,), {"what": ["two", {"three": None}]}), (4,)]
