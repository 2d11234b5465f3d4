from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import weakref
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async

from channels.threads import lanes
from channels.threads.lanes import Connection, current_lane, leave_thread, pool, serving
from channels.threads.pool import Lane
from channels.typing import PUSH_EXTENSION
from tests.threads.blocking import PATIENCE, Blocker

SERVED = {"type": "websocket", "asgi": {"version": "3.0"}}


@pytest.mark.parametrize("scope", [SERVED, {"type": "channel", "extensions": {PUSH_EXTENSION: None}}])
async def test_a_served_connection_has_a_lane(scope: Any) -> None:
    assert current_lane() is None
    with serving(scope):
        lane = current_lane()
        assert isinstance(lane, Lane)
        with serving(scope):
            assert current_lane() is lane
        assert current_lane() is lane
    assert current_lane() is None
    assert lane.ended


async def test_a_test_communicators_has_none() -> None:
    with serving({"type": "websocket"}):
        assert current_lane() is None


async def test_a_place_further_out_is_left_alone() -> None:
    async with ThreadSensitiveContext():
        with serving(SERVED):
            assert current_lane() is None


async def test_there_are_none_while_connections_are_lent() -> None:
    lanes.suspend()
    with serving(SERVED):
        assert current_lane() is None
    lanes.resume()
    with serving(SERVED):
        assert current_lane() is not None


async def test_sync_code_of_users_uses_the_lane() -> None:
    """Also Django's async ORM, which is ``sync_to_async`` inside."""
    with serving(SERVED):
        first = await sync_to_async(threading.current_thread)()
        async with ThreadSensitiveContext():
            assert await sync_to_async(threading.current_thread)() is first
        assert first in [worker.thread for worker in pool.workers]
        assert pool.pinned >= 1
    assert first is not await sync_to_async(threading.current_thread)()


def test_code_under_async_to_sync_stays_with_its_thread() -> None:
    async def inside() -> Any:
        with serving(SERVED):
            assert current_lane() is None
            return await sync_to_async(threading.current_thread)()

    assert async_to_sync(inside)() is threading.current_thread()


async def test_a_handler_that_ends_gives_its_thread_back() -> None:
    leave_thread()
    with serving(SERVED):
        lane = current_lane()
        assert lane is not None
        await sync_to_async(threading.current_thread)()
        while lane.queued:
            await asyncio.sleep(0.001)
        assert lane.worker is not None
        connection: Any = SyncToAsync.thread_sensitive_context.get()
        assert connection.has_lane
        leave_thread()
        assert lane.worker is None
        assert not connection.has_lane


async def test_a_lane_with_work_is_kept() -> None:
    blocker = Blocker()
    with serving(SERVED):
        first = asyncio.ensure_future(sync_to_async(blocker)())
        lane = current_lane()
        while not blocker.begun.is_set():
            await asyncio.sleep(0)
        leave_thread()
        assert current_lane() is lane
        blocker.release()
        await first


async def test_a_task_that_outlives_its_connection_still_has_the_pool() -> None:
    with serving(SERVED):
        context = contextvars.copy_context()
    thread = await asyncio.create_task(sync_to_async(threading.current_thread)(), context=context)
    assert thread.name.startswith("channels-")


async def test_nothing_is_left_of_a_connection() -> None:
    before = len(SyncToAsync.context_to_thread_executor)
    with serving(SERVED):
        connection: Any = SyncToAsync.thread_sensitive_context.get()
        assert isinstance(connection, Connection)
        reference = weakref.ref(connection)
        del connection
    gc.collect()
    assert reference() is None
    assert len(SyncToAsync.context_to_thread_executor) <= before


async def test_a_connection_that_visits_no_thread_has_no_lane() -> None:
    before = len(SyncToAsync.context_to_thread_executor)
    with serving(SERVED):
        leave_thread()
        assert not [each for each in gc.get_objects() if type(each) is Lane and not each.ended]
        assert len(SyncToAsync.context_to_thread_executor) == before


async def test_two_connections_have_lanes_of_their_own() -> None:
    async def served() -> Any:
        with serving(SERVED):
            await sync_to_async(int)()
            return current_lane()

    first, second = await asyncio.gather(served(), served())
    assert first is not second


async def test_a_lane_that_is_made_late_keeps_no_thread() -> None:
    with serving(SERVED):
        connection: Any = SyncToAsync.thread_sensitive_context.get()
        assert connection == Connection()
        assert connection != object()
    assert connection.lane.ended


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
async def test_a_forked_process_has_threads_of_its_own() -> None:
    with serving(SERVED):
        await sync_to_async(int)()
    child = os.fork()
    if child == 0:
        lane = Lane(pool)
        os._exit(lane.submit(len, pool.workers).result(PATIENCE))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
