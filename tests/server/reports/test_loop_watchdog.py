"""What the log says about code that holds the event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from channels import telemetry
from channels.server.io.timer_wheel import TimerWheel
from channels.server.reports.loop_watchdog import LoopWatchdog
from tests.server.helpers import GET, eventually, records, serve


async def blocking(scope: Any, receive: Any, send: Any) -> None:
    deadline = time.monotonic() + 20.0
    before = telemetry.counters["server.loop_held"]
    while telemetry.counters["server.loop_held"] == before and time.monotonic() < deadline:
        time.sleep(0.01)  # as a call of a library that is not async
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_log_shows_where_the_loop_is_held(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(blocking, loop=loop, loop_held_limit=0.3) as running:
        client = await running.connect()
        for _ in range(2):  # each time anew
            await client.send(GET)
            assert (await client.response())[2] == b"done"
    lines = records(caplog)
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("The event loop has been held for ")
        assert "in blocking" in line


async def test_a_server_that_is_not_held_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(blocking, loop_held_limit=None) as running:
        assert running.server.statistics()["connections"] == 0
    async with serve(blocking, loop_held_limit=0.3):
        await asyncio.sleep(0.7)
    assert records(caplog) == []


async def test_it_counts_from_the_last_tick_and_reports_once() -> None:
    timers = TimerWheel(asyncio.get_running_loop())
    watchdog = LoopWatchdog(timers, limit=4.0)
    start = watchdog._ticked_at
    assert [watchdog.held_for(start + seconds) for seconds in (1, 2, 3)] == [0.0, 0.0, 0.0]
    assert watchdog.held_for(start + 4) == 4.0
    watchdog._reported = True
    assert watchdog.held_for(start + 5) == 0.0
    watchdog.tick()
    assert watchdog._reported is False
    timers.close()


async def test_a_process_that_stood_still_is_not_blamed() -> None:
    timers = TimerWheel(asyncio.get_running_loop())
    watchdog = LoopWatchdog(timers, limit=4.0)
    start = watchdog._ticked_at
    assert watchdog.held_for(start + 1) == 0.0
    assert watchdog.held_for(start + 3600) == 0.0
    assert watchdog.held_for(start + 3601) == 0.0
    timers.close()


async def test_its_thread_ends_with_the_server() -> None:
    async with serve(blocking, loop_held_limit=0.3) as running:
        thread = running.server._watchdog._thread
        assert thread.is_alive()
    await eventually(lambda: not thread.is_alive())
