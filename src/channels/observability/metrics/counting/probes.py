"""What has to be measured, as nobody tells it: handlers, event loops, garbage collection, stores of tasks."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Set
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from channels import telemetry
from channels.observability.metrics.samples import Labels, Samples

logger = logging.getLogger("channels.observability")

#: Of so many connections of a consumer the handlers of one are timed; and of its messages one in so many.
SAMPLE: Final = 64
OF_ONE: Final = 8
#: WebSockets of which the next message is timed, with each look at the event loop.
_AT_ONCE: Final = 5
#: Seconds between two looks at how late an event loop is.
_LOOK: Final = 0.25
#: Seconds between two looks at the store of tasks.
_STORE: Final = 15.0
#: Pauses of garbage collection that are kept between two looks at the figures.
_PAUSES: Final = 10_000


Note: TypeAlias = Callable[[float], None]


class Observer(Protocol):
    """Takes what is measured."""

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        """Note a value of a histogram."""

    def noting(self, name: str, labels: Labels) -> Note:
        """Return what notes values of a histogram whose labels are looked up this once."""


#: How many consumers of a class there were: the few of one class are timed beside the many of another.
_consumers: Final[WeakKeyDictionary[type, int]] = WeakKeyDictionary()


def timed_handlers(
    observer: Observer, consumer: object, handle: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Return a way to handle messages of a consumer that times some, for one of its class in :data:`SAMPLE`.

    Args:
        observer: takes how long each of them has taken.
        consumer: whose class is the label.
        handle: what handles a message.
    """
    number = _consumers.get(type(consumer), 0)
    _consumers[type(consumer)] = number + 1
    if number % SAMPLE:
        return handle  # nothing for each message (row "echo")
    note = observer.noting("consumer_handler_duration_seconds", (type(consumer).__qualname__,))
    left = 1 + number // SAMPLE % OF_ONE  # not the same message of each

    def timed(message: Any) -> Any:
        nonlocal left
        left -= 1
        if left:
            return handle(message)
        left = OF_ONE
        return _timed(note, handle, message)

    return timed


async def _timed(note: Note, handle: Callable[[Any], Awaitable[None]], message: Any) -> None:
    begun = time.perf_counter()
    try:
        await handle(message)
    finally:
        note(time.perf_counter() - begun)


class GCPauses:
    """Times garbage collection, which holds up every thread.

    It may begin anywhere, also where figures are changed, so the pauses are kept until they are asked for.
    """

    def __init__(self) -> None:
        self._begun = 0.0
        self._pauses: deque[tuple[int, float]] = deque(maxlen=_PAUSES)
        gc.callbacks.append(self._on_phase)

    def _on_phase(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.perf_counter()
        elif self._begun:
            self._pauses.append((info["generation"], time.perf_counter() - self._begun))

    def drain(self, samples: Samples) -> None:
        """Add the pauses since the last time."""
        while self._pauses:
            generation, seconds = self._pauses.popleft()
            samples.observe("gc_pause_seconds", seconds, (str(generation),))

    def close(self) -> None:
        """Time nothing more."""
        if self._on_phase in gc.callbacks:
            gc.callbacks.remove(self._on_phase)


class LoopProbe:
    """Looks at the running event loop now and then: how late it is, and how long messages wait in it.

    Args:
        observer: takes how late each look was, in seconds.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._next_one = 0
        self._timer = self._next()

    def _next(self) -> asyncio.TimerHandle:
        return self._loop.call_later(_LOOK, self._look, self._loop.time() + _LOOK)

    def _look(self, due: float) -> None:
        self._observer.observe("event_loop_lag_seconds", max(0.0, self._loop.time() - due))
        for runtime in telemetry.registered("server"):
            if runtime.loop is self._loop and runtime.streams:
                self._time_some(runtime.streams)
        self._timer = self._next()

    def _time_some(self, streams: Set[Any]) -> None:
        """Have the next message of some WebSockets timed, in turn: so many for each look."""
        self._next_one = 0 if self._next_one >= len(streams) else self._next_one
        first, self._next_one = self._next_one, self._next_one + _AT_ONCE
        for stream in itertools.islice(streams, first, self._next_one):
            if hasattr(stream, "time_next"):
                stream.time_next()

    def close(self) -> None:
        """Measure nothing more; in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._timer.cancel)


class StoreOfTasks:
    """Looks at the store of a worker of tasks, now and then."""

    def __init__(self) -> None:
        self._due = 0.0
        self._found = Samples()

    def look(self, samples: Samples) -> None:
        """Add how the store was when it was last looked at."""
        stores = telemetry.registered("tasks")
        if stores and time.monotonic() >= self._due:
            self._due = time.monotonic() + _STORE
            self._found = self._ask(stores)
        samples.add(self._found)

    def _ask(self, stores: list[Any]) -> Samples:
        found = Samples()
        for store in stores:
            try:
                seen = store.overview()
            except Exception as error:  # the worker itself logs that its store is away
                logger.debug("The store of tasks could not be asked: %s", error)
                continue
            for state, number in seen.states.items():
                found.set("tasks_waiting", number, (state,))
            found.set("tasks_oldest_seconds", seen.oldest_ready or 0.0)
        return found
