"""Snapshots and streams fit together: nothing is lost between them, nothing is applied twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from django.db import connections, transaction

from channels.live import changed
from tests.live.conftest import LiveClient, live_client, subscribed
from tests.live.shop.models import Order
from tests.live.test_changes import filled, in_thread, numbers


def write(seed: int) -> None:
    """Change rows in all ways at once, as a busy shop does; the last thing is a row of its own."""
    chance = random.Random(seed)
    try:
        for _ in range(25):
            with transaction.atomic():
                order = Order.objects.filter(number__lt=1000).order_by("?").first()
                way = chance.randrange(5)
                if order is None or way == 0:
                    Order.objects.create(number=chance.randrange(1000))
                elif way == 1:
                    order.delete()
                elif way == 2:
                    Order.objects.filter(pk=order.pk).update(status=chance.choice(["open", "done"]))
                elif way == 3:
                    Order.objects.filter(pk=order.pk).update(number=chance.randrange(1000))
                else:
                    Order.objects.filter(number__lt=chance.randrange(1000)).update(status="open")
        Order.objects.create(number=10_000 + seed)
    finally:
        connections.close_all()


async def follow(port: int, seed: int, writers: int) -> LiveClient:
    """Come at some time, leave and come back, until all writers are done."""
    chance = random.Random(seed)
    async with live_client(port, "orders:open") as client:
        known: dict[str, Any] = {}
        while sum(number >= 10_000 for number in numbers(client.rows)) < writers:
            result = await client.subscribe(**known)
            for _ in range(chance.randrange(1, 12)):
                if sum(number >= 10_000 for number in numbers(client.rows)) == writers:
                    break
                await client.step()
            known = {"recover": True, "offset": client.offset, "epoch": result["epoch"]}
            await client.raw.ask(unsubscribe={"channel": client.topic})
            late = [each for each in client.raw._replies if "push" in each]
            for each in late:  # what had left before the subscription ended
                client._take(each["push"]["pub"])
                known["offset"] = client.offset
            client.raw._replies.clear()
    return client


async def test_clients_that_come_and_go_amid_changes_have_what_the_database_has(port: int) -> None:
    await in_thread(filled)
    writers = [asyncio.to_thread(write, seed) for seed in range(3)]
    followers = [follow(port, seed, len(writers)) for seed in range(6)]
    *_, first, second = await asyncio.gather(*writers, *followers)
    expected = await in_thread(
        lambda: list(Order.objects.filter(status="open").order_by("number").values_list("pk", "number"))
    )
    for client in (first, second):
        assert sorted((key, row["number"]) for key, row in client.rows.items()) == sorted(expected)
        assert numbers(client.rows) == sorted(numbers(client.rows))


async def test_who_comes_back_gets_what_it_missed_and_a_snapshot_where_that_is_not_known(port: int) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:open") as stays, live_client(port, "orders:open") as client:
        epoch = (await client.subscribe())["epoch"]
        await client.raw.ask(unsubscribe={"channel": client.topic})
        await in_thread(lambda: Order.objects.filter(number=1).update(number=0))
        await stays.until(lambda rows: numbers(rows)[0] == 0)
        back = {"recover": True, "offset": client.offset, "epoch": epoch}
        result = await client.subscribe(**back)
        assert ["changes" in each["data"] for each in result["publications"]] == [True]
        assert client.rows == stays.rows
        await client.raw.ask(unsubscribe={"channel": client.topic})
        await in_thread(lambda: Order.objects.filter(number=0).update(number=1))
        await stays.until(lambda rows: numbers(rows)[0] == 1)
        client.offset = 0
        result = await client.subscribe(**{**back, "epoch": "of another stream"})
        assert ["snapshot" in each["data"] for each in result["publications"]] == [True]
        assert client.rows == stays.rows


async def test_who_comes_back_after_a_time_without_subscribers_misses_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.topics.delivery.hub.LINGER", 0.0)
    monkeypatch.setattr("channels.topics.delivery.hub.TICK", 0.05)
    await in_thread(filled)
    async with live_client(port, "orders:open") as client:
        epoch = (await client.subscribe())["epoch"]
        rows = dict(client.rows)
        await client.raw.ask(unsubscribe={"channel": client.topic})
        await _nobody_watches()
        await in_thread(lambda: Order.objects.filter(number=1).update(number=0))
        client.rows = rows
        await client.subscribe(recover=True, offset=client.offset, epoch=epoch)
        assert numbers(client.rows) == [0, 2, 3]


async def _nobody_watches() -> None:
    from channels.live.capture import watched

    async with asyncio.timeout(10):
        while watched._known.here:
            await asyncio.sleep(0.02)


async def test_many_changes_go_into_few_publications(port: int) -> None:
    await in_thread(filled)

    def hundred() -> None:
        for number in range(100, 200):
            Order.objects.create(number=number)

    async with subscribed(port, "orders:open") as client:
        await in_thread(hundred)
        await client.until(lambda rows: len(rows) == 103)
        assert len(client.seen) < 50


async def test_what_was_said_by_hand_is_looked_at(port: int) -> None:
    await in_thread(filled)

    def behind_django() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("UPDATE shop_order SET number = 77 WHERE number = 1")
        changed(Order)

    async with subscribed(port, "orders:open") as client:
        await in_thread(behind_django)
        await client.until(lambda rows: numbers(rows) == [2, 3, 77])
