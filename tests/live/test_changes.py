"""What changes in the database reaches subscribers, whatever way it was changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.db.models import F
from django.db.models.deletion import Collector
from django.db.models.signals import m2m_changed, post_delete

from channels.live.capture import statements
from tests.live.conftest import subscribed
from tests.live.shop.models import Customer, Gift, Order, Parcel, ProxyOrder, Tag


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run what changes the database in a thread, as a view would."""

    def call() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()


def filled() -> None:
    ada, bob = Customer.objects.create(name="ada"), Customer.objects.create(name="bob", active=False)
    for number in (1, 2, 3):
        Order.objects.create(number=number, customer=ada)
    Order.objects.create(number=4, customer=bob, status="done")


def numbers(rows: dict[Any, Any]) -> list[int]:
    return [row["number"] for row in rows.values()]


async def test_a_subscriber_gets_the_rows_and_then_what_changes_once_and_in_order(port: int) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:open") as client:
        assert list(client.rows.values()) == [
            {"number": number, "customer": {"name": "ada"}, "label": f"#{number}"} for number in (1, 2, 3)
        ]
        await in_thread(lambda: Order.objects.create(number=0))
        changes = await client.until(lambda rows: len(rows) == 4)
        assert changes == [
            {
                "op": "insert",
                "key": 5,
                "row": {"number": 0, "customer": {"name": None}, "label": "#0"},
                "after": None,
            }
        ]
        order = await in_thread(lambda: Order.objects.get(number=2))
        order.number = 20
        await in_thread(order.save)
        changes = await client.until(lambda rows: numbers(rows) == [0, 1, 3, 20])
        assert [(each["op"], each["key"], each["after"]) for each in changes] == [("change", 2, 3)]
        await in_thread(order.delete)
        assert await client.until(lambda rows: len(rows) == 3) == [{"op": "delete", "key": 2}]


def _bulk_update() -> None:
    orders = list(Order.objects.filter(number__lte=2))
    for order in orders:
        order.number += 100
    Order.objects.bulk_update(orders, ["number"])


def _raw_delete() -> None:
    orders = Order.objects.filter(number=1)
    orders._raw_delete(orders.db)


def _collected() -> None:
    collector = Collector(using="default", origin=Order.objects.all())
    collector.collect(Order.objects.filter(number=1))
    collector.delete()


def _rolled_back(orders: Any) -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        orders.update(number=1000)
        raise ZeroDivisionError


def _saved_in_a_nested_block() -> None:
    with transaction.atomic():
        Order.objects.filter(number=1).update(number=100)
        _rolled_back(Order.objects.filter(number=2))
        with transaction.atomic():
            Order.objects.filter(number=3).update(number=300)
        Order.objects.create(number=400)


WAYS: list[tuple[str, Callable[[], Any], list[int]]] = [
    ("save", lambda: Order.objects.create(number=9), [1, 2, 3, 9]),
    ("save by a proxy", lambda: ProxyOrder.objects.create(number=9), [1, 2, 3, 9]),
    ("save of a child", lambda: Gift.objects.create(number=9), [1, 2, 3, 9]),
    (
        "bulk_create",
        lambda: Order.objects.bulk_create([Order(number=7), Order(number=8)]),
        [1, 2, 3, 7, 8],
    ),
    ("bulk_update", _bulk_update, [3, 101, 102]),
    ("update", lambda: Order.objects.filter(number=2).update(status="done"), [1, 3]),
    (
        "update that makes it match",
        lambda: Order.objects.filter(number=4).update(status="open"),
        [1, 2, 3, 4],
    ),
    ("update by F()", lambda: Order.objects.update(number=F("number") + 10), [11, 12, 13]),
    (
        "update over a relation",
        lambda: Order.objects.filter(customer__name="ada").update(number=5),
        [5, 5, 5],
    ),
    ("delete of a queryset", lambda: Order.objects.filter(number=2).delete(), [1, 3]),
    ("raw delete", _raw_delete, [2, 3]),
    ("delete by a collector", _collected, [2, 3]),
    ("delete by a cascade", lambda: Customer.objects.get(name="ada").delete(), []),
    ("update_or_create", lambda: Order.objects.update_or_create({"number": 7}, number=1), [2, 3, 7]),
    ("nested blocks", _saved_in_a_nested_block, [2, 100, 300, 400]),
]


@pytest.mark.parametrize(("change", "after"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
async def test_each_way_to_change_rows_is_seen(
    port: int, change: Callable[[], Any], after: list[int]
) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:open") as client:
        await in_thread(change)
        await client.until(lambda rows: numbers(rows) == after)


async def test_deletes_stay_fast_and_what_finds_no_row_is_not_told(
    shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(statements, "note", lambda *facts: told.append(facts))
    assert not post_delete.has_listeners(Order)
    assert not m2m_changed.has_listeners(Order.tags.through)

    def change() -> None:
        Order.objects.filter(number=1).update(number=2)
        Order.objects.filter(number=1).delete()
        order = Order.objects.create(number=7)
        order.save()
        Order.objects.filter(number=7)._raw_delete("default")

    await in_thread(change)
    assert told == [
        ("default", "shop_order", [1]),
        ("default", "shop_order", [1]),
        ("default", "shop_order", None),
    ]


async def test_what_is_rolled_back_never_was(port: int) -> None:
    await in_thread(filled)

    async with subscribed(port, "orders:open") as client:
        await in_thread(lambda: _rolled_back(Order.objects.all()))
        await in_thread(lambda: Order.objects.filter(number=3).update(number=30))
        await client.step()
        assert numbers(client.rows) == [1, 2, 30]
        assert len(client.seen) == 1


async def test_a_related_row_that_changes_changes_the_row(port: int) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:active") as client:
        await in_thread(lambda: Customer.objects.filter(name="ada").update(name="Ada"))
        changes = await client.until(
            lambda rows: all(row["customer"]["name"] == "Ada" for row in rows.values())
        )
        assert [each["op"] for each in changes] == ["change"] * 3
        await in_thread(lambda: Customer.objects.filter(name="bob").update(active=True))
        assert [each["op"] for each in await client.until(lambda rows: len(rows) == 4)] == ["insert"]
        await in_thread(lambda: Customer.objects.filter(name="Ada").update(active=False))
        assert [each["op"] for each in await client.until(lambda rows: len(rows) == 1)] == ["delete"] * 3


async def test_a_slice_keeps_its_length(port: int) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:latest:2") as client:
        assert numbers(client.rows) == [4, 3]
        await in_thread(lambda: Order.objects.create(number=5))
        changes = await client.until(lambda rows: numbers(rows) == [5, 4])
        assert sorted(each["op"] for each in changes) == ["delete", "insert"]
        await in_thread(lambda: Order.objects.filter(number__gte=4).delete())
        await client.until(lambda rows: numbers(rows) == [3, 2])


async def test_rows_of_two_tables_change_in_either(port: int) -> None:
    gift = await in_thread(lambda: Gift.objects.create(number=1, greeting="hi"))
    async with subscribed(port, "gifts") as client:
        await in_thread(lambda: Gift.objects.filter(pk=gift.pk).update(greeting="hello", number=2))
        await client.until(lambda rows: [*rows.values()] == [{"number": 2, "greeting": "hello"}])
        await in_thread(lambda: Order.objects.filter(pk=gift.pk).update(number=3))
        await client.until(lambda rows: numbers(rows) == [3])
        await in_thread(gift.delete)
        await client.until(lambda rows: not rows)


async def test_keys_may_be_uuids_and_the_order_the_models(port: int) -> None:
    async with subscribed(port, "parcels") as client:
        heavy = await in_thread(lambda: Parcel.objects.create(weight=9))
        await client.until(lambda rows: len(rows) == 1)
        light = await in_thread(lambda: Parcel.objects.create(weight=1))
        await client.until(lambda rows: [*rows] == [str(light.pk), str(heavy.pk)])
        await in_thread(lambda: Parcel.objects.filter(pk=heavy.pk).update(weight=0))
        await client.until(lambda rows: [*rows] == [str(heavy.pk), str(light.pk)])


async def test_many_to_many_relations_are_seen(port: int) -> None:
    await in_thread(filled)
    tag = await in_thread(lambda: Tag.objects.create(name="new"))
    order = await in_thread(lambda: Order.objects.get(number=1))
    async with subscribed(port, "tagged") as client:
        await in_thread(lambda: order.tags.add(tag))
        await client.until(lambda rows: rows[order.pk]["tags"] == ["new"])
        await in_thread(lambda: Tag.objects.update(name="newer"))
        await client.until(lambda rows: rows[order.pk]["tags"] == ["newer"])
        await in_thread(order.tags.clear)
        await client.until(lambda rows: rows[order.pk]["tags"] == [])


async def test_rows_that_count_others_change_with_these(port: int) -> None:
    await in_thread(filled)
    async with subscribed(port, "customers") as client:
        assert [row["orders"] for row in client.rows.values()] == [3, 1]
        await in_thread(lambda: Order.objects.get(number=1).delete())
        await client.until(lambda rows: [row["orders"] for row in rows.values()] == [2, 1])
