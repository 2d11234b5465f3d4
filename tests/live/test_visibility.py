"""Rows that only some users may have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.live.conftest import LiveClient
from tests.live.shop.models import Customer, Order
from tests.live.shop.topics import Mine
from tests.live.test_changes import in_thread, numbers
from tests.topics.raw_client import raw_client


def authenticate(scope: Any, request: Any) -> Any:
    return User(pk=1, username=request.name)


@pytest.fixture(autouse=True)
def _users(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"AUTHENTICATE": authenticate}
    settings.CHANNELS_ACCESS_INTERVAL = 3600


@asynccontextmanager
async def user(port: int, name: str) -> AsyncIterator[LiveClient]:
    async with raw_client(port) as raw:
        await raw.connect(name=name)
        client = LiveClient(raw, "orders:mine")
        await client.subscribe()
        yield client


def two_customers() -> None:
    for name in ("ada", "bob"):
        Customer.objects.create(name=name)
    for number, customer in ((1, 1), (2, 2), (3, 1)):
        Order.objects.create(number=number, customer_id=customer)


async def test_each_user_has_the_rows_that_are_visible_and_hears_of_these_only(port: int) -> None:
    await in_thread(two_customers)
    async with user(port, "ada") as ada, user(port, "bob") as bob:
        assert (numbers(ada.rows), numbers(bob.rows)) == ([1, 3], [2])
        await in_thread(lambda: Order.objects.filter(number=3).update(number=0, customer_id=2))
        assert await ada.until(lambda rows: numbers(rows) == [1]) == [{"op": "delete", "key": 3}]
        changes = await bob.until(lambda rows: numbers(rows) == [0, 2])
        assert [(each["op"], each["after"]) for each in changes] == [("insert", None)]
        await in_thread(lambda: Order.objects.filter(number=1).delete())
        await ada.until(lambda rows: not rows)
        await in_thread(lambda: Order.objects.create(number=9, customer_id=2))
        changes = await bob.until(lambda rows: numbers(rows) == [0, 2, 9])
        assert [each["op"] for each in changes] == ["insert"]
        assert len(bob.seen) == 1


async def test_history_and_recovery_show_nothing_that_is_not_visible(port: int) -> None:
    await in_thread(two_customers)
    async with user(port, "ada") as ada:
        reply = await ada.raw.ask(history={"channel": "orders:mine", "limit": -1})
        assert reply["error"]["code"] == 108
        await ada.raw.ask(unsubscribe={"channel": "orders:mine"})
        await in_thread(lambda: Order.objects.create(number=4, customer_id=2))
        result = await ada.subscribe(recover=True, offset=ada.offset)
        assert [[*each["data"]] for each in result["publications"]] == [["snapshot"]]
        assert numbers(ada.rows) == [1, 3]


async def test_who_may_have_other_rows_now_is_asked_to_subscribe_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_thread(two_customers)
    async with user(port, "ada") as ada:
        monkeypatch.setattr(Mine, "visible_to", lambda self, user, row: True)
        await Mine().arecheck()
        reply = await ada.raw.next()
        assert reply["push"]["unsubscribe"]["code"] == 2500
        await ada.subscribe()
        assert numbers(ada.rows) == [1, 2, 3]


async def test_a_row_of_which_it_cannot_be_said_is_not_visible(port: int) -> None:
    await in_thread(two_customers)
    await in_thread(lambda: Order.objects.create(number=5))
    async with user(port, "None") as nobody:
        assert numbers(nobody.rows) == []
