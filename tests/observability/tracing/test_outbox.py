"""Durable messages: the relay sends them in the trace of the transaction that has written them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from channels.layers.local.carried import CarriedMessage
from channels.observability.tracing.setup import instrument
from channels.outbox.messages import restore
from channels.outbox.models import DurableMessage
from channels.outbox.relay.relay import Relay
from tests.observability.tracing.spans import Spans, ids, parent
from tests.outbox.conftest import layer  # noqa: F401 (fixture)
from tests.support.databases import Database, sqlite  # noqa: F401 (fixture)


@pytest.fixture
def tables(sqlite: Database) -> Any:  # noqa: F811
    with sqlite.as_default():
        call_command("migrate", "channels_outbox", verbosity=0)
        yield


def write(layer: Any, spans: Spans) -> None:  # noqa: F811
    with spans.tracer.start_as_current_span("request"), transaction.atomic():
        layer.durable.group_send("room", {"type": "said"})


def test_a_row_holds_where_its_trace_goes_on_and_nothing_more(
    layer: Any,  # noqa: F811
    tables: None,
    spans: Spans,
) -> None:
    layer.durable.group_send("room", {"type": "said"})
    instrument(spans.provider)
    write(layer, spans)
    plain, traced = (bytes(row.payload) for row in DurableMessage.objects.order_by("id"))
    assert b"trace" not in plain
    assert restore(plain) == restore(traced) == {"type": "said"}
    assert ids(spans.one("request"))[0] in restore(traced).beside["traceparent"]


async def test_the_relay_sends_in_the_trace_of_who_has_written(
    layer: Any,  # noqa: F811
    tables: None,
    spans: Spans,
) -> None:
    instrument(spans.provider)
    channel = await layer.new_channel()
    await layer.group_add("room", channel)
    await asyncio.to_thread(write, layer, spans)
    relay = Relay("default")
    relay.start()
    async with asyncio.timeout(20):
        message = await layer.receive(channel)
    await asyncio.to_thread(relay.stop, timeout=5)
    written, sent = spans.named("send said")
    assert isinstance(message, CarriedMessage)
    assert parent(written) == ids(spans.one("request"))[1]
    assert parent(sent) == ids(written)[1]
    assert ids(sent)[1] in message.beside["traceparent"]
