"""The first signal stops gently; the second is nobody's."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from channels.process.signals import stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_stops_and_the_second_is_not_ours(number: signal.Signals) -> None:
    stopped = asyncio.Event()
    before = signal.getsignal(number)
    with stop_on_signal(stopped.set):
        assert signal.getsignal(number) is not before
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stopped.wait(), 5)
        left = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
        assert left == [signal.SIG_DFL, signal.default_int_handler]


async def test_handlers_go_when_no_signal_came() -> None:
    with stop_on_signal(lambda: None):
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_in_another_thread_nothing_is_installed() -> None:
    async def work() -> bool:
        with stop_on_signal(lambda: None):
            return True

    assert await asyncio.to_thread(asyncio.run, work())
