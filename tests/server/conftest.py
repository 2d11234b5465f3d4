from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channels.protocols.http2 import engines
from channels.server import runtime
from channels.server.io.timer_wheel import RESOLUTION, TimerWheel


class Clock:
    """The time of a server's limits: it stands still until the test moves it, however slow the machine is.

    It is what :class:`TimerWheel` asks of a loop.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._calls: list[tuple[float, Callable[[], None], asyncio.Handle]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        handle = asyncio.Handle(callback, (), asyncio.get_running_loop())
        self._calls.append((self._now + delay, callback, handle))
        return handle

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and as much more as a limit may be noticed late."""
        end = self._now + seconds + 2 * RESOLUTION
        while due := [call for call in self._calls if call[0] <= end]:
            call = min(due, key=lambda each: each[0])
            self._calls.remove(call)
            self._now, callback, handle = call
            if not handle.cancelled():
                callback()
        self._now = end

    def stand_still(self, seconds: float) -> None:
        """Let so much time pass in which the process does nothing; what was due then is due at once."""
        self._now += seconds
        due = [call for call in self._calls if call[0] <= self._now]
        self._calls = [call for call in self._calls if call not in due]
        for _, callback, handle in due:
            if not handle.cancelled():
                callback()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every server that is started from now on."""
    made = Clock()
    monkeypatch.setattr(runtime, "TimerWheel", lambda loop: TimerWheel(made))  # type: ignore[arg-type]
    return made


@pytest.fixture(params=["native", "h2"])
def both_engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine passes the same tests; its own are in tests/protocols."""
    monkeypatch.setattr(engines, "DEFAULT_HTTP2_ENGINE", request.param)
