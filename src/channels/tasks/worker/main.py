"""A worker as a process: signals, its loop, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator

from django.utils.module_loading import autodiscover_modules

from channels.process.exit import LimitedExecutor, end_loop, exit_in_time
from channels.process.signals import stop_on_signal
from channels.server.control_channel import SupervisorLink
from channels.tasks.worker.worker import TaskWorker, WorkerConfig

logger = logging.getLogger("channels.tasks")


class Commands:
    """What a supervisor may command a worker.

    Args:
        worker: the worker.
        stopping: what makes it stop.
    """

    def __init__(self, worker: TaskWorker, stopping: asyncio.Event) -> None:
        self._worker, self._stopping = worker, stopping

    def ask_to_drain(self) -> None:
        """Let what runs end within the drain time."""
        logger.info("Stopping: tasks that run may end.")
        self._stopping.set()

    def ask_to_end(self) -> None:
        """Give back at once what runs."""
        self._worker.hurry()
        self._stopping.set()


def run_worker(config: WorkerConfig, link: SupervisorLink | None = None) -> None:
    """Run tasks in an event loop of this thread's own until SIGTERM or SIGINT.

    Args:
        config: how.
        link: to the supervisor; None: it is on its own.

    Raises:
        InvalidTaskBackend: the setting has no such backend, or it is none of ours.
    """
    autodiscover_modules("tasks")  # schedules are made where tasks are
    worker = TaskWorker(config)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run(worker, link))
    except KeyboardInterrupt:
        logger.info("Exiting due to Ctrl-C/interrupt")
    finally:
        end_loop(loop)
        exit_in_time(0)


@contextlib.contextmanager
def worker_in_thread(config: WorkerConfig) -> Iterator[None]:
    """Run tasks in a thread of this process, on an event loop of its own, while the block runs."""
    autodiscover_modules("tasks")
    worker = TaskWorker(config)
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def run() -> None:
        started.append((asyncio.get_running_loop(), asyncio.Event()))
        ready.set()
        await worker.run(started[0][1])

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="task worker", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop, stopping = started[0]
        loop.call_soon_threadsafe(stopping.set)
        thread.join(config.drain + 1.0)


async def _run(worker: TaskWorker, link: SupervisorLink | None) -> None:
    asyncio.get_running_loop().set_default_executor(LimitedExecutor())
    stopping = asyncio.Event()
    commands = Commands(worker, stopping)
    with stop_on_signal(commands.ask_to_drain) if link is None else link.commanding(commands):
        running = asyncio.ensure_future(worker.run(stopping))
        if link is not None:
            loop = asyncio.get_running_loop()
            worker.when_worn_out(lambda: loop.call_soon_threadsafe(commands.ask_to_drain))
            link.ready()
        await running
