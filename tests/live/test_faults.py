"""What goes wrong: no right, too many rows, rows that cannot be written, no database, no store."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from channels.live import LiveQuery, query
from channels.live.capture import hints
from channels.topics.delivery import snapshots
from channels.topics.stores.base import StoreUnavailable
from tests.live.conftest import live_client, subscribed
from tests.live.shop.models import Order
from tests.live.shop.topics import OpenOrders
from tests.live.test_changes import filled, in_thread, numbers


async def test_who_has_no_right_gets_nothing(port: int) -> None:
    async with live_client(port, "forbidden") as client:
        assert (await client.subscribe())["code"] == 103


async def test_a_query_with_too_many_rows_is_refused_and_says_what_to_do(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    await in_thread(filled)
    async with live_client(port, "few") as client:
        error = await client.subscribe()
        assert (error["code"], error["message"]) == (106, "this query has too many rows")
        assert "raise Few.max_rows" in caplog.text
        await in_thread(lambda: Order.objects.filter(number=1).delete())
        assert (await client.subscribe())["recovered"]
        await in_thread(lambda: Order.objects.create(number=9))
        reply = await client.raw.next()
        assert reply["push"]["unsubscribe"] == {"code": 2000, "reason": "this query has too many rows"}
        await in_thread(lambda: Order.objects.first().delete())
        assert (await client.subscribe())["recovered"]


async def test_a_snapshot_larger_than_what_may_wait_for_a_client_is_refused(
    port: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CHANNELS_TOPICS = {"MAX_QUEUE_SIZE": 1000}
    await in_thread(lambda: Order.objects.bulk_create([Order(number=number) for number in range(50)]))
    async with live_client(port, "orders:open") as client:
        error = await client.subscribe()
        assert (error["code"], "larger" in error["message"]) == (106, True)


async def test_a_row_that_cannot_be_written_is_left_out_and_the_others_are_not(port: int) -> None:
    await in_thread(lambda: [Order.objects.create(number=number) for number in (1, -1, 2)])
    async with subscribed(port, "fragile") as client:
        assert numbers(client.rows) == [1, 2]
        await in_thread(lambda: Order.objects.filter(number=2).update(number=-2))
        await client.until(lambda rows: numbers(rows) == [1])
        await in_thread(lambda: Order.objects.filter(number=-1).update(number=3))
        await client.until(lambda rows: sorted(numbers(rows)) == [1, 3])


async def test_while_the_database_is_away_subscribers_try_again_and_rows_stay(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_thread(filled)
    away = threading.Event()

    def queryset(self: Any) -> Any:
        if away.is_set():
            raise DatabaseError("the server has gone away")
        return Order.objects.filter(status="open").order_by("number")

    monkeypatch.setattr(OpenOrders, "queryset", queryset)
    away.set()
    async with live_client(port, "orders:open") as client:
        error = await client.subscribe()
        assert (error["code"], error["temporary"]) == (100, True)
        away.clear()
        await client.subscribe()
        away.set()
        await in_thread(lambda: Order.objects.filter(number=1).delete())
        async with live_client(port, "orders:open") as another:
            await another.subscribe()
            assert numbers(another.rows) == [1, 2, 3]  # as all have them
            away.clear()
            await another.until(lambda rows: numbers(rows) == [2, 3])
        await client.until(lambda rows: numbers(rows) == [2, 3])


async def test_a_row_that_is_gone_before_it_is_evaluated_was_never_there(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many commits while an evaluation runs go into the next one."""
    await in_thread(filled)
    held, entered = threading.Event(), threading.Event()
    evaluations: list[int] = []

    def queryset(self: Any) -> Any:
        evaluations.append(1)
        entered.set()
        held.wait(20)
        return Order.objects.filter(status="open").order_by("number")

    async with subscribed(port, "orders:open") as client:
        monkeypatch.setattr(OpenOrders, "queryset", queryset)
        await in_thread(lambda: Order.objects.create(number=7))
        await in_thread(lambda: entered.wait(20))

        def meanwhile() -> None:
            for number in range(100, 200):
                Order.objects.create(number=number)
            Order.objects.filter(number__lt=190, number__gte=100).delete()

        await in_thread(meanwhile)
        held.set()
        await client.until(lambda rows: numbers(rows) == [1, 2, 3, 7, *range(190, 200)])
        assert len(evaluations) < 20


class _Away:
    """A store that does not answer."""

    spans_processes = True

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable("away")


async def test_a_commit_stands_while_nobody_can_be_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await in_thread(filled)
    async with subscribed(port, "orders:open") as client:
        monkeypatch.setattr(hints, "get_store", _Away)
        await in_thread(lambda: Order.objects.filter(number=1).delete())
        assert await in_thread(Order.objects.filter(number=1).exists) is False
        monkeypatch.undo()
        order = await in_thread(lambda: Order.objects.get(number=2))
        order.status = "done"
        await in_thread(order.save)  # which tells of itself, and of what was not told
        await client.until(lambda rows: numbers(rows) == [3])


async def test_the_slow_poll_finds_what_nobody_told(port: int, settings: Any, monkeypatch: Any) -> None:
    settings.CHANNELS_LIVE = {"POLL": 0.2}
    await in_thread(filled)
    async with subscribed(port, "orders:open") as client:
        monkeypatch.setattr(hints, "get_store", _Away)
        await in_thread(lambda: Order.objects.filter(number=1).delete())
        await client.until(lambda rows: numbers(rows) == [2, 3])


MISTAKES: dict[str, dict[str, Any]] = {
    "fields is ()": {"fields": ()},
    "fields is 'id'": {"fields": "id"},
    "it cannot be both": {"fields": ["customer", "customer.name"]},
    "serializer is 3": {"serializer": 3},
    "needs a history": {"history": None},
    "delta = True": {"delta": True},
    "max_rows is at least 1": {"max_rows": 0},
    "would hide LiveQuery.fields": {"pattern": "mistaken:<int:fields>"},
    "cache = True has no use": {"cache": True},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_class_that_contradicts_itself_says_so(mistake: str) -> None:
    attributes = {"pattern": "mistaken", "fields": ["id"], **MISTAKES[mistake]}
    with pytest.raises(ImproperlyConfigured) as caught:
        type("Mistaken", (LiveQuery,), attributes)
    assert mistake in str(caught.value)


class Unfit(LiveQuery):
    pattern = "unfit:<slug:kind>"
    fields = ("id",)
    kind: str

    def queryset(self) -> Any:
        return {"list": [], "values": Order.objects.values("id"), "texts": Order.objects.values_list("id")}[
            self.kind
        ]

    def may_subscribe(self, user: Any) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "said"), [("list", "a list"), ("values", "values()"), ("texts", "values()")]
)
async def test_what_is_no_query_of_rows_is_named(
    port: int, caplog: pytest.LogCaptureFixture, kind: str, said: str
) -> None:
    async with live_client(port, f"unfit:{kind}") as client:
        assert (await client.subscribe())["code"] == 100
        assert f"Unfit.queryset() has returned {said}" in caplog.text


async def test_without_the_app_it_is_said_what_is_missing(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(snapshots._makers, LiveQuery, (query._not_installed, query.has_views))
    async with live_client(port, "orders:open") as client:
        assert (await client.subscribe())["code"] == 100
    assert "'channels.live' is not in INSTALLED_APPS" in caplog.text


def test_nothing_else_is_published_to_it() -> None:
    with pytest.raises(TypeError, match="change rows in the database"):
        OpenOrders().publish({"number": 1})


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.live.serving.source.RETRY", 0.1)
