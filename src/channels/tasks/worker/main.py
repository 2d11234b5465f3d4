"""A worker as a process: signals, its loop, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

from django.utils.module_loading import autodiscover_modules

from channels.process.exit import LimitedExecutor, end_loop, exit_in_time
from channels.tasks.worker.worker import TaskWorker, WorkerConfig

logger = logging.getLogger("channels.tasks")


def run_worker(config: WorkerConfig) -> None:
    """Run tasks in an event loop of this thread's own until SIGTERM or SIGINT.

    Raises:
        InvalidTaskBackend: the setting has no such backend, or it is none of ours.
    """
    autodiscover_modules("tasks")  # schedules are made where tasks are
    worker = TaskWorker(config)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run(worker))
    except KeyboardInterrupt:
        logger.info("Exiting due to Ctrl-C/interrupt")
    finally:
        end_loop(loop)
        exit_in_time(0)


async def _run(worker: TaskWorker) -> None:
    asyncio.get_running_loop().set_default_executor(LimitedExecutor())
    stopping = asyncio.Event()
    with _signals(stopping):
        await worker.run(stopping)


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set ``stopping`` on the first signal; a second one ends the process as usual."""
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []

    def stop() -> None:
        logger.info("Stopping: tasks that run may end.")
        stopping.set()
        remove()

    def remove() -> None:
        while installed:
            loop.remove_signal_handler(installed.pop())

    # Not on every platform, and in the main thread only.
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
            installed.append(number)
    try:
        yield
    finally:
        remove()
