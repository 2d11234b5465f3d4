from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import connection, transaction
from django.test import override_settings

from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers import channel_layers
from channels.layers.base import BaseChannelLayer
from channels.outbox import durable
from channels.outbox.messages import restore
from channels.outbox.models import DurableMessage
from tests.support.databases import Database

WRONG = [
    ("a group", {"type": "said"}, TypeError, "Got 'a group'"),
    ("room", {"type": "said", "what": {"items": [1, object()]}}, TypeError, r"what.*items.*\[?1"),
    ("room", "said", InvalidMessageError, "not a dict but str"),
    ("room", {"type": "said", "text": "x" * 101}, MessageTooLarge, "the outbox takes 100"),
]


def test_the_row_holds_what_layers_carry(layer, outbox: Database) -> None:
    message = {
        "type": "said",
        "on": date(2030, 1, 2),
        "price": Decimal("1.50"),
        "raw": b"\0\xff",
        "text": "\0ñ🙂",
    }
    layer.durable.group_send("room", message)
    layer.durable.send("worker", message)
    first, second = DurableMessage.objects.order_by("id")
    assert (first.layer, first.kind, first.target) == ("default", "group", "room")
    assert (second.layer, second.kind, second.target) == ("default", "channel", "worker")
    assert restore(bytes(first.payload)) == restore(bytes(second.payload)) == message


@pytest.mark.parametrize(("group", "message", "kind", "said"), WRONG)
def test_what_cannot_be_sent_is_refused_with_its_path(
    layer, sqlite: Database, group, message, kind, said
) -> None:
    with sqlite.as_default(), override_settings(CHANNELS_OUTBOX={"MAX_SIZE": 100}), transaction.atomic():
        with pytest.raises(kind, match=said):
            layer.durable.group_send(group, message)
        with connection.cursor() as cursor:  # the transaction goes on
            cursor.execute("SELECT 1")


def test_a_channel_needs_the_name_of_one(layer) -> None:
    with pytest.raises(TypeError, match="Got 'a channel'"):
        layer.durable.send("a channel", {"type": "said"})


def test_without_the_tables_it_says_how_to_make_them(layer, database: Database) -> None:
    with database.as_default(), pytest.raises(Exception, match="channels_outbox_message") as raised:
        layer.durable.group_send("room", {"type": "said"})
    (note,) = raised.value.__notes__
    assert note == "The tables of channels.outbox are not in the database 'default': run `manage.py migrate`."


def test_a_database_that_nobody_relays_is_refused(layer, sqlite: Database) -> None:
    with (
        sqlite.as_default(other=sqlite),
        pytest.raises(
            ImproperlyConfigured, match=r"'other'. Add the alias to CHANNELS_OUTBOX\['DATABASES'\]"
        ),
    ):
        layer.durable.group_send("room", {"type": "said"}, using="other")


async def test_async_code_is_told_what_to_call(layer) -> None:
    with pytest.raises(SynchronousOnlyOperation, match="await layer.durable.agroup_send"):
        layer.durable.group_send("room", {"type": "said"})
    with pytest.raises(SynchronousOnlyOperation, match="await layer.durable.asend"):
        layer.durable.send("worker", {"type": "said"})


async def test_async_code_writes_rows_that_are_committed(layer, outbox: Database) -> None:
    await layer.durable.agroup_send("room", {"type": "said"})
    await layer.durable.asend("worker", {"type": "said"})
    assert [row.target async for row in DurableMessage.objects.order_by("id")] == ["room", "worker"]


class Others(BaseChannelLayer):
    extensions = ["groups"]


def test_layers_of_others_have_it_by_a_function(sqlite: Database) -> None:
    channel_layers.set("others", Others())
    try:
        with pytest.raises(TypeError, match="Got 'a group'"):
            durable("others").group_send("a group", {"type": "said"})
    finally:
        channel_layers.backends.clear()
    with pytest.raises(ImproperlyConfigured, match="There is no channel layer 'absent'"):
        durable("absent")
