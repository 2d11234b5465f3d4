"""The database bridge: stale connections are closed, and nobody is visited in vain."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db import DatabaseError, connections, transaction

from channels import db
from channels.core import database
from channels.core.database import opened_by
from channels.db import (
    DatabaseSyncToAsync,
    Lookup,
    aclose_old_connections,
    connections_due,
    database_sync_to_async,
    opened_anywhere,
    sync_executor,
    sync_threads,
)
from channels.sync.batch import BatchExecutor
from channels.sync.pool import Pool, Strand
from tests.support.hops import counted_hops
from tests.support.serving import serving
from tests.sync.blocking import PATIENCE, Blocker

DISK = "disk"
TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")


@pytest.fixture
def disk(django_db_blocker: Any, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The settings of a database on disk, whose connections close after each use."""
    settings = {**connections.settings["default"], "NAME": str(tmp_path / "db.sqlite3"), "CONN_MAX_AGE": 0}
    connections.settings[DISK] = settings
    with django_db_blocker.unblock():
        yield settings
    for connection in connections.all(initialized_only=True):
        if connection.alias == DISK:
            connection.close()
            del connections[DISK]
    del connections.settings[DISK]


def use() -> Any:
    """Use the database in the thread this runs in; return its connection."""
    connection = connections[DISK]
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return connection


class TestDue:
    async def test_nothing_open_costs_nothing(self) -> None:
        async with ThreadSensitiveContext():
            with counted_hops() as hops:
                assert connections_due() is False
                await aclose_old_connections()
            assert hops == []
            assert sync_executor() is None

    async def test_what_is_open_elsewhere_does_not_matter(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            await sync_to_async(use)()
            assert connections_due()

            async def elsewhere() -> bool:
                async with ThreadSensitiveContext():
                    return connections_due()

            assert await asyncio.create_task(elsewhere(), context=contextvars.Context()) is False

    async def test_a_stale_connection_is_closed_by_one_visit(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            connection = await sync_to_async(use)()
            assert connection.connection is not None
            with counted_hops() as hops:
                await aclose_old_connections()
                assert connection.connection is None
                await aclose_old_connections()
            assert hops == ["close_old_connections"]

    async def test_a_connection_that_may_stay_is_left_alone(self, disk: Any) -> None:
        disk["CONN_MAX_AGE"] = 600
        async with ThreadSensitiveContext():
            connection = await sync_to_async(use)()
            with counted_hops() as hops:
                await aclose_old_connections()
            assert hops == []
            connection.close_at = 0.0
            assert connections_due()

    async def test_one_without_an_age_never_is(self, disk: Any) -> None:
        disk["CONN_MAX_AGE"] = None
        async with ThreadSensitiveContext():
            await sync_to_async(use)()
            assert not connections_due()

    @pytest.mark.parametrize("trouble", ["errors_occurred", "autocommit", "health"])
    async def test_trouble_is_due_whatever_the_age(self, trouble: str, disk: Any) -> None:
        disk.update(CONN_MAX_AGE=600, CONN_HEALTH_CHECKS=trouble == "health")
        async with ThreadSensitiveContext():
            connection = await sync_to_async(use)()
            if trouble == "errors_occurred":
                connection.errors_occurred = True
            elif trouble == "autocommit":
                connection.autocommit = False
            else:
                connection.health_check_done = True
            assert connections_due()
            await aclose_old_connections()
            assert not connections_due()

    async def test_a_transaction_is_never_interrupted(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            connection = await sync_to_async(use)()
            block = transaction.atomic(DISK)
            await sync_to_async(block.__enter__)()
            assert connection.close_at is not None
            assert not connections_due()
            await sync_to_async(block.__exit__)(None, None, None)
            assert connections_due()

    async def test_a_database_in_memory_cannot_be_closed(self, disk: Any) -> None:
        disk["NAME"] = ":memory:"
        async with ThreadSensitiveContext():
            await sync_to_async(use)()
            assert not connections_due()

    async def test_reconnecting_counts_once(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            for _ in range(3):
                await database_sync_to_async(use)()
            (thread,) = sync_threads()
            assert [connection.alias for connection in opened_by(thread)] == [DISK]

    async def test_a_thread_that_ended_is_forgotten(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            await sync_to_async(use)()
            (thread,) = sync_threads()
            assert thread in database.opened
        await asyncio.get_running_loop().run_in_executor(None, thread.join, 30)
        gc.collect()
        assert all(connection.alias != DISK for connection in opened_anywhere())
        async with ThreadSensitiveContext():
            await sync_to_async(use)()
        assert thread not in database.opened

    def test_a_connection_that_is_gone_is_forgotten(self) -> None:
        thread = threading.current_thread()
        before = list(opened_by(thread))
        gone = connections.create_connection("default")
        database._remember(gone)
        assert list(opened_by(thread)) == [*before, gone]
        del gone
        gc.collect()
        assert list(opened_by(thread)) == before
        kept = connections.create_connection("default")
        database._remember(kept)
        assert len(database.opened[thread]) == len(before) + 1


class TestThreads:
    def test_under_async_to_sync_it_is_the_thread_outside(self, disk: Any) -> None:
        connection = use()

        async def inside() -> bool:
            assert sync_threads() == [threading.main_thread()]
            due = connections_due()
            await aclose_old_connections()
            return due

        assert async_to_sync(inside)() is True
        assert connection.connection is None

    def test_in_a_task_of_such_a_loop_too(self) -> None:
        async def inside() -> list[threading.Thread]:
            async def task() -> list[threading.Thread]:
                return sync_threads()

            return await asyncio.create_task(task(), context=contextvars.Context())

        assert async_to_sync(inside)() == [threading.main_thread()]

    async def test_otherwise_it_is_the_single_thread(self) -> None:
        thread = await sync_to_async(threading.current_thread)()
        assert sync_executor() is SyncToAsync.single_thread_executor
        assert sync_threads() == [thread]

    async def test_an_executor_of_another_kind_has_no_known_threads(self) -> None:
        class Strange(Executor):
            def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
                future: Future[Any] = Future()
                future.set_result(fn(*args, **kwargs))
                return future

        async with ThreadSensitiveContext() as context:
            SyncToAsync.context_to_thread_executor[context] = Strange()
            assert await sync_to_async(threading.get_ident)() == threading.get_ident()
            assert sync_threads() == []


class TestDatabaseSyncToAsync:
    async def test_closes_before_and_after(self, disk: Any) -> None:
        async with ThreadSensitiveContext():
            stale = await sync_to_async(use)()
            seen: list[Any] = []

            def work(value: int) -> int:
                seen.append(stale.connection)
                use()
                return value

            assert await database_sync_to_async(work)(3) == 3
            assert seen == [None]
            assert stale.connection is None

    def test_leaves_a_transaction_further_up_alone(self, disk: Any) -> None:
        with transaction.atomic(DISK):
            connection = use()
            async_to_sync(database_sync_to_async(use))()
            assert connection.connection is not None
            assert use() is connection

    async def test_closes_after_an_error(self, disk: Any) -> None:
        def fail() -> None:
            use()
            raise DatabaseError("no")

        async with ThreadSensitiveContext():
            with pytest.raises(DatabaseError, match="no"):
                await database_sync_to_async(fail)()
            assert not connections_due()

    async def test_is_a_class_to_derive_from(self) -> None:
        seen: list[str] = []

        class Watching(DatabaseSyncToAsync[Any, Any]):
            def thread_handler(self, loop: Any, *args: Any, **kwargs: Any) -> Any:
                seen.append("in")
                return super().thread_handler(loop, *args, **kwargs)

        def three() -> int:
            return 3

        assert await Watching(three)() == 3
        assert seen == ["in"]

    async def test_decorates_methods(self) -> None:
        class Thing:
            @database_sync_to_async
            def double(self, n: int) -> int:
                return 2 * n

        assert await Thing().double(2) == 4


class TestLookup:
    """Those of connections that have not visited a thread are made together."""

    SERVED: ClassVar[Any] = {"type": "websocket", "asgi": {"version": "3.0"}}

    @pytest.fixture
    def lookups(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchExecutor]:
        pool = Pool(lambda: 1, name="lookups")
        lookups = BatchExecutor(
            pool,
            db._lookup_batcher.close_stale,
            db._lookup_batcher.close_broken,
            db._lookup_batcher.arm_watchdog,
            db._lookup_batcher.ahead,
        )
        monkeypatch.setattr(db, "_lookup_batcher", lookups)
        yield lookups
        assert pool.stop(PATIENCE)

    async def _at_once(
        self, lookups: BatchExecutor, *calls: Callable[[], Any], then: Callable[[], Any] = int
    ) -> list[Any]:
        """Make lookups that all wait before the first is made, ``then`` something else in the same thread."""

        async def look(call: Callable[[], Any]) -> Any:
            with serving(self.SERVED):
                return await Lookup(call)()

        blocker = Blocker()
        Strand(lookups.pool).put(blocker)
        looks = [asyncio.ensure_future(look(call)) for call in calls]
        while len(lookups.waiting) < len(calls):
            await asyncio.sleep(0)
        Strand(lookups.pool).put(then)
        blocker.release()
        return await asyncio.gather(*looks, return_exceptions=True)

    async def test_share_what_the_visit_opens(self, disk: Any, lookups: BatchExecutor) -> None:
        opened: list[Any] = []

        def look() -> Any:
            connection = use()
            opened.append(connection.connection)
            return connection

        # The visit itself closes it, not the thread when it has nothing to do.
        afterwards: list[Any] = []
        first, second, third = await self._at_once(
            lookups, look, look, look, then=lambda: afterwards.append(connections[DISK].connection)
        )
        assert first is second is third
        assert opened[0] is opened[1] is opened[2]
        lookups.pool.stop(PATIENCE)
        assert afterwards == [None]

    async def test_do_not_share_what_is_broken(self, disk: Any, lookups: BatchExecutor) -> None:
        opened: list[Any] = []

        def breaks() -> None:
            connection = use()
            opened.append(connection.connection)
            connection.set_autocommit(False)
            raise DatabaseError("broken")

        def look() -> None:
            opened.append(use().connection)

        error, nothing = await self._at_once(lookups, breaks, look)
        assert isinstance(error, DatabaseError)
        assert nothing is None
        assert opened[0] is not opened[1]

    async def test_context_variables_are_each_ones_own(self, lookups: BatchExecutor) -> None:
        variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

        def look() -> int:
            variable.set(variable.get() + 1)
            return variable.get()

        assert await self._at_once(lookups, look, look) == [1, 1]

    async def _ask_at_once(
        self, lookups: BatchExecutor, ahead: Callable[[list[Any]], object], *asked: Any
    ) -> list[Any]:
        """Have lookups that all wait at once answered; those of odd numbers have a tenant."""
        look_up = Lookup(lambda each: each, ahead=ahead)
        blocker = Blocker()

        async def look(each: int) -> Any:
            TENANT.set("odd" if each % 2 else "even")
            with serving(self.SERVED):
                return await look_up(each)

        Strand(lookups.pool).put(blocker)
        looks = [asyncio.ensure_future(look(each)) for each in asked]
        while len(lookups.waiting) < len(asked):
            await asyncio.sleep(0)
        blocker.release()
        return await asyncio.gather(*looks)

    async def test_are_prepared_together_in_the_same_surroundings(self, lookups: BatchExecutor) -> None:
        prepared: list[tuple[Any, list[Any]]] = []

        def ahead(asked: list[Any]) -> None:
            prepared.append((TENANT.get(), asked))

        assert await self._ask_at_once(lookups, ahead, 1, 2, 3, 4, 5) == [1, 2, 3, 4, 5]
        assert prepared == [("odd", [1, 3, 5]), ("even", [2, 4])]

    async def test_one_alone_is_not_prepared(self, lookups: BatchExecutor) -> None:
        prepared: list[Any] = []
        assert await self._ask_at_once(lookups, prepared.append, 1, 2) == [1, 2]
        assert await self._ask_at_once(lookups, prepared.append, 1) == [1]
        assert prepared == []

    async def test_what_cannot_be_prepared_is_made_all_the_same(
        self, disk: Any, lookups: BatchExecutor, caplog: pytest.LogCaptureFixture
    ) -> None:
        def ahead(asked: list[Any]) -> None:
            use().set_autocommit(False)
            raise DatabaseError("broken")

        with caplog.at_level(logging.DEBUG, "channels.db"):
            assert await self._ask_at_once(lookups, ahead, 1, 3) == [1, 3]
        assert "each call is on its own" in caplog.text

    async def test_of_a_connection_with_a_thread_is_made_there(self, lookups: BatchExecutor) -> None:
        with serving(self.SERVED):
            thread = await database_sync_to_async(threading.current_thread)()
            assert await Lookup(threading.current_thread)() is thread
        assert not lookups.pool.workers

    async def test_without_a_server_it_is_an_ordinary_call(self, lookups: BatchExecutor) -> None:
        async with ThreadSensitiveContext():
            assert await Lookup(len)("three") == 5
        assert not lookups.pool.workers

    async def test_one_that_nobody_waits_for_any_more_is_not_made(self, lookups: BatchExecutor) -> None:
        made: list[int] = []
        blocker = Blocker()
        Strand(lookups.pool).put(blocker)
        with serving(self.SERVED):
            look = asyncio.ensure_future(Lookup(made.append)(1))
            while not lookups.waiting:
                await asyncio.sleep(0)
            look.cancel()
            with pytest.raises(asyncio.CancelledError):
                await look
        blocker.release()
        lookups.pool.stop(PATIENCE)
        assert made == []
