"""The old public names."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from channels import telemetry
from channels.utils import await_many_dispatch, name_that_thing


class Thing:
    def method(self) -> None:
        """Nothing."""


def function() -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Thing, f"{__name__}.Thing"),
        (Thing(), f"{__name__}.Thing"),
        (Thing().method, f"{__name__}.method"),
        (function, f"{__name__}.function"),
        (functools.partial(function), "functools.partial"),
        (3, "builtins.int"),
        (None, "builtins.NoneType"),
    ],
)
def test_name_that_thing(thing: Any, name: str) -> None:
    assert name_that_thing(thing) == name


class TestAwaitManyDispatch:
    async def test_dispatches_from_all_sources_in_the_order_of_each(self) -> None:
        one: asyncio.Queue[int] = asyncio.Queue()
        two: asyncio.Queue[int] = asyncio.Queue()
        seen: list[int] = []
        done = asyncio.Event()

        async def dispatch(message: int) -> None:
            seen.append(message)
            if len(seen) == 6:
                done.set()

        for n in range(3):
            one.put_nowait(n)
            two.put_nowait(10 + n)
        task = asyncio.ensure_future(await_many_dispatch([one.get, two.get], dispatch))
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [n for n in seen if n < 10] == [0, 1, 2]
        assert [n for n in seen if n >= 10] == [10, 11, 12]

    async def test_cancelling_loses_nothing_that_was_taken(self) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        seen: list[int] = []
        busy = asyncio.Event()

        async def dispatch(message: int) -> None:
            seen.append(message)
            if message == 1:
                busy.set()
                await asyncio.Event().wait()

        queue.put_nowait(1)
        queue.put_nowait(2)
        task = asyncio.ensure_future(await_many_dispatch([queue.get], dispatch))
        await asyncio.wait_for(busy.wait(), 30)
        await asyncio.sleep(0)
        assert queue.empty()  # 2 is taken and waits for its turn
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == [1, 2]

    async def test_an_error_in_dispatch_ends_it_and_counts_what_is_left(self) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        before = telemetry.counters["utils.undelivered"]

        async def dispatch(message: int) -> None:
            await asyncio.sleep(0)
            raise KeyError(message)

        queue.put_nowait(1)
        queue.put_nowait(2)
        with pytest.raises(KeyError, match="1"):
            await asyncio.wait_for(await_many_dispatch([queue.get], dispatch), 30)
        assert telemetry.counters["utils.undelivered"] == before + 1

    async def test_an_error_in_a_source_ends_it(self) -> None:
        async def broken() -> int:
            raise OSError("gone")

        async def silent() -> int:
            await asyncio.Event().wait()
            return 0

        before = telemetry.counters["utils.undelivered"]

        async def dispatch(message: int) -> None:
            """Never called."""

        with pytest.raises(OSError, match="gone"):
            await asyncio.wait_for(await_many_dispatch([silent, broken], dispatch), 30)
        assert telemetry.counters["utils.undelivered"] == before
