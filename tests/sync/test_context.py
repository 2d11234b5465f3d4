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

from channels.sync import context as strands
from channels.sync.bridge import LoopBridge
from channels.sync.context import (
    SyncContext,
    bridge,
    connection_context,
    current_strand,
    enter_context,
    exit_context,
    is_new_here,
    leave_thread,
    pool,
)
from channels.sync.pool import Strand
from channels.typing import PUSH_EXTENSION
from tests.support.serving import serving
from tests.sync.blocking import PATIENCE, Blocker

SERVED = {"type": "websocket", "asgi": {"version": "3.0"}}


@pytest.mark.parametrize("scope", [SERVED, {"type": "channel", "extensions": {PUSH_EXTENSION: None}}])
async def test_a_served_connection_has_a_strand(scope: Any) -> None:
    assert current_strand() is None
    with serving(scope):
        strand = current_strand()
        assert isinstance(strand, Strand)
        with serving(scope):
            assert current_strand() is strand
        assert current_strand() is strand
    assert current_strand() is None
    assert strand.ended


async def test_a_test_communicators_has_none() -> None:
    with serving({"type": "websocket"}):
        assert current_strand() is None


async def test_a_place_further_out_is_left_alone() -> None:
    async with ThreadSensitiveContext():
        with serving(SERVED):
            assert current_strand() is None


async def test_there_are_none_while_connections_are_lent() -> None:
    strands.suspend()
    with serving(SERVED):
        assert current_strand() is None
    strands.resume()
    with serving(SERVED):
        assert current_strand() is not None


async def test_sync_code_of_users_uses_the_strand() -> None:
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
            assert current_strand() is None
            return await sync_to_async(threading.current_thread)()

    assert async_to_sync(inside)() is threading.current_thread()


async def test_a_handler_that_ends_gives_its_thread_back() -> None:
    leave_thread()
    with serving(SERVED):
        strand = current_strand()
        assert strand is not None
        await sync_to_async(threading.current_thread)()
        while strand.queued:
            await asyncio.sleep(0.001)
        assert strand.worker is not None
        connection: Any = connection_context()
        assert connection.has_strand
        leave_thread()
        assert strand.worker is None
        assert not connection.has_strand


async def test_a_strand_with_work_is_kept() -> None:
    blocker = Blocker()
    with serving(SERVED):
        first = asyncio.ensure_future(sync_to_async(blocker)())
        strand = current_strand()
        while not blocker.begun.is_set():
            await asyncio.sleep(0)
        leave_thread()
        assert current_strand() is strand
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
        connection: Any = connection_context()
        assert isinstance(connection, SyncContext)
        reference = weakref.ref(connection)
        del connection
    gc.collect()
    assert reference() is None
    assert len(SyncToAsync.context_to_thread_executor) <= before


def living_strands() -> list[Strand]:
    return [each for each in gc.get_objects() if type(each) is Strand and not each.ended]


async def test_a_connection_that_visits_no_thread_has_no_strand() -> None:
    before = len(SyncToAsync.context_to_thread_executor)
    others = living_strands()  # of other tests' connections, which this process may still keep
    with serving(SERVED):
        leave_thread()
        assert not [each for each in living_strands() if all(each is not other for other in others)]
        assert len(SyncToAsync.context_to_thread_executor) == before


async def test_connections_are_different_and_share_one_entry_of_asgirefs() -> None:
    before = len(SyncToAsync.context_to_thread_executor)

    async def served() -> Any:
        with serving(SERVED):
            await sync_to_async(int)()
            return connection_context()

    first, second = await asyncio.gather(served(), served())
    assert first != second
    assert len(SyncToAsync.context_to_thread_executor) == before
    assert connection_context() is None


async def test_two_connections_have_strands_of_their_own() -> None:
    async def served() -> Any:
        with serving(SERVED):
            await sync_to_async(int)()
            return current_strand()

    first, second = await asyncio.gather(served(), served())
    assert first is not second


async def test_a_strand_that_is_made_late_keeps_no_thread() -> None:
    with serving(SERVED):
        connection: Any = connection_context()
        assert isinstance(connection, SyncContext)
    assert connection.strand.ended


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
async def test_a_forked_process_has_threads_of_its_own() -> None:
    with serving(SERVED):
        await sync_to_async(int)()
    child = os.fork()
    if child == 0:
        strand = Strand(pool)
        os._exit(strand.submit(len, pool.workers).result(PATIENCE))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 1


async def test_what_code_can_ask_of_its_context():
    assert (is_new_here(), current_strand()) == (False, None)
    exit_context(None)
    connection = enter_context({"type": "websocket", "asgi": {}})
    assert is_new_here()
    strand = current_strand()
    assert strand is not None
    assert not is_new_here()
    assert current_strand() is strand
    exit_context(connection)


async def test_each_loop_has_its_bridge() -> None:
    async def of_another() -> LoopBridge:
        return bridge()

    here = bridge()
    assert bridge() is here
    assert here.loop is asyncio.get_running_loop()
    assert (await asyncio.to_thread(asyncio.run, of_another())) is not here
    assert bridge() is here
