"""A worker: lanes, the thread that speaks with the store, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from channels import telemetry
from channels.process import serving
from channels.tasks.definition.contract import InvalidTaskBackend, task_backends
from channels.tasks.definition.options import read_options
from channels.tasks.definition.states import Move
from channels.tasks.progress.reporter import Reporter
from channels.tasks.stores.manager import store_for
from channels.tasks.stores.records import Outcome
from channels.tasks.worker.attempt import Attempt, Origin
from channels.tasks.worker.exchange import Exchange
from channels.tasks.worker.loop import LoopLane
from channels.tasks.worker.threads import ThreadLane

logger = logging.getLogger("channels.tasks")

#: Seconds of the drain time for what is cut off: to heed it, and to be written.
_CUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """How a worker works.

    Args:
        backend: the alias in the setting ``TASKS``.
        queues: whose tasks it takes; none: all.
        threads: for sync tasks, at least 0.
        concurrency: async tasks at once, at least 0.
        drain: seconds within which it has to have ended after it was told to.
    """

    backend: str = "default"
    queues: tuple[str, ...] = ()
    threads: int = 4
    concurrency: int = 100
    drain: float = 30.0


class TaskWorker:
    """Runs the tasks of a backend.

    Args:
        config: how.

    Raises:
        InvalidTaskBackend: the setting has no such backend, or it is none of ours.

    Attributes:
        loop: in which it runs; from :meth:`run` on.
    """

    def __init__(self, config: WorkerConfig) -> None:
        backend: Any = task_backends[config.backend]
        if not hasattr(backend, "enqueue_many"):
            raise InvalidTaskBackend(
                f"TASKS[{config.backend!r}] is a {type(backend).__name__}, which has no worker of ours. "
                "Set its BACKEND to 'channels.tasks.TaskBackend'."
            )
        options = read_options(config.backend, backend.options)
        store = store_for(config.backend, options)
        wait_for_code = options.unknown_tasks == "wait"
        self._reporter = Reporter()
        origin = Origin(store, type(backend), wait_for_code, self._reporter)
        attempt = functools.partial(Attempt, origin=origin)
        self.loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._config, self._store = config, store
        self._exchange = Exchange(store, options, config.backend, config.queues, attempt, self._reporter)
        self._threads = ThreadLane(config.threads, self._exchange.ended, self._exchange.freed)
        self._loop = LoopLane(config.concurrency, self._exchange.ended, self._exchange.freed)
        self._exchange.threads = self._threads
        self._exchange.lanes = (self._threads, self._loop)

    @property
    def owner(self) -> str:
        """The name under which it owns tasks; it changes when others took it for dead."""
        return self._exchange.owner

    async def run(self, stopping: asyncio.Event) -> None:
        """Run tasks until ``stopping`` is set, and then end within the drain time."""
        self.loop = asyncio.get_running_loop()
        self._stopping = stopping
        telemetry.register("tasks", self._store)
        telemetry.register("worker", self)
        serving.announce_work()
        telemetry.emit("tasks.worker_started")
        self._loop.start()
        self._threads.start()
        exchange = threading.Thread(target=self._exchange.run, name="tasks", daemon=True)
        heard = self._store.hear(self._config.backend, self._exchange.wake, self._exchange.look)
        exchange.start()
        try:
            await stopping.wait()
        finally:
            for listener in heard:
                listener.close()
            await self._drain(exchange)

    def ask_to_drain(self) -> None:
        """Let what runs end within the drain time, and end; called in any thread, while it runs."""
        self.loop.call_soon_threadsafe(self._stopping.set)

    def statistics(self) -> dict[str, int]:
        """Return how much it does: tasks that run, places that are free, what its last tasks had waited."""
        return {
            "tasks_running": len(self._threads.running) + len(self._loop.running),
            "tasks_free": self._threads.free() + self._loop.free() if self._exchange.claiming else 0,
            "tasks_waited_ms": round(1000 * self._exchange.waited),
        }

    def when_worn_out(self, do: Callable[[], object]) -> None:
        """Have something done, in any thread, when this process had best be replaced."""
        self._threads.worn_out = do

    def hurry(self) -> None:
        """Wait for no task any more when it stops; called in any thread."""
        self._exchange.idle.set()

    async def _drain(self, exchange: threading.Thread) -> None:
        """Let tasks end; cut off and give back what does not."""
        end = time.monotonic() + self._config.drain
        self._exchange.stop_claiming()
        limit = max(0.0, self._config.drain - min(_CUT, self._config.drain / 2))
        await asyncio.to_thread(self._exchange.idle.wait, limit)
        late = [(lane, task_id) for lane in self._exchange.lanes for task_id in lane.held()]
        for lane, task_id in late:
            telemetry.count("tasks.given_back", reason="drain timeout")
            self._exchange.ended(Outcome(task_id, Move.GIVE_BACK))
            lane.stop(task_id)
        if late:
            logger.error("%d tasks did not end within the drain time: they run again elsewhere.", len(late))
        self._exchange.finish()
        await asyncio.to_thread(exchange.join, max(0.0, end - time.monotonic()))
        await asyncio.to_thread(self._reporter.flush, max(0.0, end - time.monotonic()))
