from __future__ import annotations

import asyncio

import pytest
from django.db import transaction

from channels.layers import channel_layers, get_channel_layer
from channels.outbox import on_commit_durably
from channels.outbox.models import HookCall
from channels.testing.outbox import arelay_outbox, relay_outbox
from tests.outbox import tools

LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture(autouse=True)
def layer(settings):
    settings.CHANNEL_LAYERS = LAYERS
    tools.calls.clear()
    yield get_channel_layer()
    channel_layers.backends.clear()


@on_commit_durably
def write_another(left: int) -> None:
    if left:
        write_another.on_commit(left - 1)


@pytest.mark.django_db
def test_does_what_was_written_in_order(layer) -> None:
    with transaction.atomic():
        tools.note.on_commit("called")
        layer.durable.send("worker", {"type": "first"})
        layer.durable.send("worker", {"type": "second"})
    assert tools.calls == []
    assert relay_outbox() == 3
    assert tools.calls == [(("called",), {})]
    assert relay_outbox() == 0
    received = [asyncio.run(layer.receive("worker")) for _ in range(2)]
    assert received == [{"type": "first"}, {"type": "second"}]


@pytest.mark.django_db
def test_what_a_hook_raises_is_the_tests() -> None:
    tools.says.on_commit("no")
    with pytest.raises(ValueError, match="no"):
        relay_outbox()
    assert HookCall.objects.count() == 1


@pytest.mark.django_db
def test_what_hooks_write_is_done_as_well_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.testing.outbox.MOST", 5)
    write_another.on_commit(4)
    assert relay_outbox() == 5
    write_another.on_commit(5)
    with pytest.raises(AssertionError, match="has done 5 things, and there are more"):
        relay_outbox()


@pytest.mark.django_db(transaction=True)
async def test_async_tests_have_it_too(layer) -> None:
    await layer.durable.asend("worker", {"type": "first"})
    assert await arelay_outbox() == 1
    assert await layer.receive("worker") == {"type": "first"}
