"""Live queries on each database, and on PostgreSQL what triggers tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, migrations, transaction
from django.db.migrations.state import ProjectState

from channels.live.operations import WatchTable
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from channels.wakeups import notify
from tests.live.conftest import create_tables, subscribed
from tests.live.shop.models import Customer, Order
from tests.live.test_changes import filled, in_thread, numbers
from tests.support.databases import Database


@pytest.fixture
def port() -> Iterator[int]:
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield server.port


@pytest.fixture(autouse=True)
def _nobody_listens_afterwards() -> Iterator[None]:
    """What a server in this process listens to goes with its database; later tests have others."""
    yield
    with notify._threads.lock:
        threads = list(notify._threads.by_alias.values())
        notify._threads.by_alias.clear()
    for thread in threads:
        thread.close()


def prepare() -> None:
    create_tables()
    filled()


def in_all_ways() -> None:
    with transaction.atomic():
        Order.objects.bulk_create([Order(number=7), Order(number=8)])
        Order.objects.filter(number=1).update(status="done")
        Order.objects.filter(number=2).delete()
        order = Order.objects.get(number=3)
        order.number = 30
        order.save()


async def test_rows_are_seen_on_every_database(database: Database, port: int) -> None:
    with database.as_default():
        await in_thread(prepare)
        async with subscribed(port, "orders:open") as client:
            await in_thread(in_all_ways)
            await client.until(lambda rows: numbers(rows) == [7, 8, 30])
            await in_thread(lambda: Customer.objects.filter(name="ada").update(name="Ada"))
            await client.until(lambda rows: [*rows.values()][-1]["customer"]["name"] == "Ada")


async def test_the_stream_may_be_kept_in_the_database_too(sqlite: Database, port: int) -> None:
    with sqlite.as_default():
        await in_thread(lambda: call_command("migrate", "channels_journal", verbosity=0))
        await in_thread(prepare)
        async with subscribed(port, "orders:database") as client:
            await in_thread(lambda: Order.objects.create(number=0))
            await client.until(lambda rows: numbers(rows) == [0, 1, 2, 3])
            await in_thread(lambda: Order.objects.filter(number=1).delete())
            await client.until(lambda rows: numbers(rows) == [0, 2, 3])


PAIRS = [("sqlite", "postgresql"), ("postgresql", "mariadb"), ("mariadb", "sqlite")]


@pytest.mark.parametrize("vendors", PAIRS, ids="-".join)
async def test_queries_of_two_databases_with_the_same_tables_see_their_own(
    request: pytest.FixtureRequest, port: int, vendors: tuple[str, str]
) -> None:
    default, other = map(request.getfixturevalue, vendors)
    with default.as_default(other=other):
        await in_thread(prepare)
        await in_thread(lambda: create_tables("other"))
        await in_thread(lambda: Order.objects.using("other").create(number=50))
        async with subscribed(port, "orders:open") as here, subscribed(port, "orders:other") as there:
            assert (numbers(here.rows), numbers(there.rows)) == ([1, 2, 3], [50])
            await in_thread(in_both)
            await here.until(lambda rows: numbers(rows) == [2, 3, 7])
            await there.until(lambda rows: numbers(rows) == [51, 60])


def in_both() -> None:
    with transaction.atomic(using="default"), transaction.atomic(using="other"):
        Order.objects.filter(number=1).delete()
        Order.objects.create(number=7)
        Order.objects.using("other").filter(number=50).update(number=51)
        Order.objects.using("other").bulk_create([Order(number=60), Order(number=61, status="done")])
    with transaction.atomic(using="default"):
        with transaction.atomic(using="other"):
            Order.objects.using("other").create(number=99)
            transaction.set_rollback(True, using="other")
        Order.objects.filter(number=2).update(status="open")


class Watched(migrations.Migration):
    operations = [WatchTable("Order")]


def migrate(backwards: bool = False) -> None:
    state = ProjectState.from_apps(__import__("django.apps").apps.apps)
    with connection.schema_editor(collect_sql=False) as editor:
        (operation,) = Watched.operations
        act = operation.database_backwards if backwards else operation.database_forwards
        act("shop", editor, state, state)


def raw(*statements: str) -> None:
    with transaction.atomic(), connections["default"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


async def test_triggers_tell_of_raw_sql_and_of_other_programs(postgresql: Database, port: int) -> None:
    with postgresql.as_default():
        await in_thread(prepare)
        await in_thread(migrate)
        async with subscribed(port, "orders:open") as client:
            await in_thread(lambda: raw("UPDATE shop_order SET number = 10 WHERE number = 1"))
            await client.until(lambda rows: numbers(rows) == [2, 3, 10])
            await in_thread(
                lambda: raw(
                    "DELETE FROM shop_order WHERE number = 2",
                    "INSERT INTO shop_order (number, status, total) "
                    "SELECT number, 'open', 0 FROM generate_series(100, 110) AS number",
                )
            )
            await client.until(lambda rows: numbers(rows) == [3, 10, *range(100, 111)])
            await in_thread(lambda: raw("UPDATE shop_order SET status = 'done' WHERE false"))
            await in_thread(lambda: raw("TRUNCATE shop_order CASCADE"))
            await client.until(lambda rows: not rows)
            await in_thread(lambda: migrate(backwards=True))
            await in_thread(
                lambda: raw("INSERT INTO shop_order (number, status, total) VALUES (1, 'open', 0)")
            )
            await in_thread(lambda: Order.objects.create(number=2))
            await client.until(lambda rows: numbers(rows) == [2])  # the other one waits for the poll


def test_the_operation_does_nothing_elsewhere_and_can_be_written(sqlite: Database) -> None:
    with sqlite.as_default():
        create_tables()
        migrate()
        migrate(backwards=True)
    name, _, arguments = WatchTable("Order").deconstruct()
    assert (name, arguments) == ("WatchTable", {"model_name": "Order"})
    assert WatchTable("Order").migration_name_fragment == "watch_order"
    assert "Order" in WatchTable("Order").describe()


def test_what_a_trigger_cannot_have_said_is_passed_over() -> None:
    from channels.live.capture.triggers import TriggerThread

    heard: list[Any] = []
    thread = TriggerThread("default", heard.append, lambda: None, lambda: False)
    told = '{"table": "t", "keys": %s, "transaction": "7"}'
    thread.heard(["nonsense", "[]", '{"table": 1}', told % "[1]", told % "[2]"])
    thread.heard([told % "[1]", told % "null"])
    over = TriggerThread("default", heard.append, lambda: None, lambda: True)
    over.start()
    over.join(10)
    assert not over.is_alive()
    assert [(hint.source, hint.tables) for hint in heard] == [
        ("default:7", {"t": [1, 2]}),
        ("default:7", {"t": None}),
    ]
