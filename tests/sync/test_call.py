from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from asgiref.local import Local
from asgiref.sync import SyncToAsync, async_to_sync

from channels.sync.bridge import LoopBridge
from channels.sync.call import OUTBOX, ThreadCall, current_call
from channels.sync.pool import Pool, Strand
from tests.sync.blocking import PATIENCE, Blocker, Note


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(lambda: 1, name="test")
    yield pool
    assert pool.stop(PATIENCE)


def made(pool: Pool, call: Callable[[], Any]) -> ThreadCall:
    return ThreadCall(LoopBridge(asyncio.get_running_loop(), pool, lambda: None), call, lambda: "In a test.")


def current() -> ThreadCall:
    call = current_call()
    assert call is not None
    return call


async def test_results_come_back(pool: Pool) -> None:
    thread = await made(pool, threading.current_thread).run(Strand(pool))
    assert thread.name == "test-1"
    assert current_call() is None


async def test_errors_keep_their_traceback(pool: Pool) -> None:
    def fail() -> None:
        raise KeyError("here")

    with pytest.raises(KeyError) as caught:
        await made(pool, fail).run(Strand(pool))
    assert "fail" in [frame.name for frame in traceback.extract_tb(caught.tb)]


async def test_stop_iteration_cannot_leave_a_coroutine(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="StopIteration: In a test") as caught:
        await made(pool, iter(()).__next__).run(Strand(pool))
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_context_variables_go_there_and_back(pool: Pool) -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    local = Local()
    var.set("there")
    local.value = "there, too"

    def look() -> tuple[str, str]:
        seen = var.get(), local.value
        var.set("back")
        local.value = "back, too"
        return seen

    assert await made(pool, look).run(Strand(pool)) == ("there", "there, too")
    assert (var.get(), local.value) == ("back", "back, too")


async def test_async_code_inside_runs_in_the_loop_and_its_sync_code_in_the_thread(pool: Pool) -> None:
    """With a single thread, which waits for itself if anything goes to the wrong place."""
    here = asyncio.get_running_loop()
    strand = Strand(pool)

    async def inside() -> tuple[bool, threading.Thread]:
        thread = await SyncToAsync(threading.current_thread)()
        return asyncio.get_running_loop() is here, thread

    def handler() -> Any:
        return async_to_sync(inside)(), threading.current_thread()

    (in_loop, inner), outer = await made(pool, handler).run(strand)
    assert in_loop
    assert inner is outer


async def test_what_is_sent_is_sent_in_order_and_nobody_waits(pool: Pool) -> None:
    sent: list[int] = []

    async def send(n: int) -> None:
        await asyncio.sleep(0)
        sent.append(n)

    def handler() -> int:
        for n in range(5 * OUTBOX):
            current().send(send, n, wait=False)
        return len(sent)

    seen = await made(pool, handler).run(Strand(pool))
    assert sent == list(range(5 * OUTBOX))
    # The outbox has a bound.
    assert seen >= 3 * OUTBOX


async def test_who_waits_gets_what_sending_raised(pool: Pool) -> None:
    async def send(n: int) -> None:
        if n == 2:
            raise ValueError("not this one")

    def handler() -> str:
        current().send(send, 1, wait=True)
        with pytest.raises(ValueError, match="not this one"):
            current().send(send, 2, wait=True)
        return "went on"

    assert await made(pool, handler).run(Strand(pool)) == "went on"


async def test_who_does_not_wait_gets_it_later(pool: Pool) -> None:
    async def send(n: int) -> None:
        if n < 10:
            raise ValueError(f"not {n}")

    def goes_on() -> str:
        current().send(send, 1, wait=False)
        with pytest.raises(ValueError, match="not 1"):
            send_until_it_raises()
        return "went on"

    def send_until_it_raises() -> None:
        while True:
            current().send(send, 10, wait=True)

    def ends() -> None:
        current().send(send, 3, wait=False)

    assert await made(pool, goes_on).run(Strand(pool)) == "went on"
    with pytest.raises(ValueError, match="not 3"):
        await made(pool, ends).run(Strand(pool))


async def test_cancelled_before_it_began_it_never_does(pool: Pool) -> None:
    blocker, never = Blocker(), Note()
    strand = Strand(pool)
    strand.put(blocker)
    task = asyncio.ensure_future(made(pool, never).run(strand))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocker.release()
    assert await made(pool, lambda: "next").run(strand) == "next"
    assert not never.done.is_set()


async def test_cancelled_later_it_runs_on_and_is_dropped(pool: Pool) -> None:
    blocker = Blocker()
    strand = Strand(pool)
    task = asyncio.ensure_future(made(pool, blocker).run(strand))
    while not blocker.begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocker.release()
    assert await made(pool, lambda: "next").run(strand) == "next"


async def cancelled(outcome: Coroutine[Any, Any, Any], begun: asyncio.Event) -> None:
    """Cancel who waits for a call, once it has begun."""
    task = asyncio.ensure_future(outcome)
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_reaches_async_code_inside(pool: Pool) -> None:
    begun, ended = asyncio.Event(), threading.Event()

    async def inside() -> None:
        begun.set()
        await asyncio.Event().wait()

    def handler() -> None:
        try:
            async_to_sync(inside)()
        finally:
            ended.set()

    await cancelled(made(pool, handler).run(Strand(pool)), begun)
    while not ended.is_set():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("moment", ["sending", "waiting", "afterwards"])
async def test_cancelling_reaches_who_sends(moment: str, pool: Pool) -> None:
    begun, outcome = asyncio.Event(), []
    ended, go_on = threading.Event(), threading.Event()

    async def send(n: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    def handler() -> None:
        try:
            if moment != "sending":
                current().send(send, 1, wait=False)
            if moment == "afterwards":
                assert go_on.wait(PATIENCE)
            current().send(send, 2, wait=True)
        except asyncio.CancelledError as error:
            outcome.append(error)
            raise
        finally:
            ended.set()

    await cancelled(made(pool, handler).run(Strand(pool)), begun)
    go_on.set()
    while not ended.is_set():
        await asyncio.sleep(0.001)
    assert len(outcome) == 1


async def test_without_a_strand_it_goes_where_asgiref_says(pool: Pool) -> None:
    thread = await SyncToAsync(threading.current_thread)()
    assert await made(pool, threading.current_thread).run(None) is thread


async def test_without_a_thread_at_all_it_says_so(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def submit(self, *args: Any) -> None:
            raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(SyncToAsync, "single_thread_executor", Closed())
    with pytest.raises(RuntimeError, match="after shutdown"):
        await made(pool, print).run(None)


def test_a_loop_that_is_closed_sends_nothing(pool: Pool) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    errors: list[BaseException] = []

    async def send(n: int) -> None:
        raise AssertionError("never")

    def handler() -> None:
        try:
            current().send(send, 1, wait=True)
        except RuntimeError as error:
            errors.append(error)

    ThreadCall(LoopBridge(loop, pool, lambda: None), handler, lambda: "In a test.")()
    assert "loop is closed" in str(errors[0])
