"""A worker as a process: signals, its loop, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from functools import partial

from django.utils.module_loading import autodiscover_modules

from channels.process.exit import LimitedExecutor, end_loop, exit_in_time
from channels.process.signals import stop_on_signal
from channels.tasks.worker.worker import TaskWorker, WorkerConfig

logger = logging.getLogger("channels.tasks")


def run_worker(config: WorkerConfig, parent: int | None = None) -> None:
    """Run tasks in an event loop of this thread's own until SIGTERM or SIGINT.

    Args:
        config: how.
        parent: a descriptor that ends with the process this one is to end with; None: it is on its own.

    Raises:
        InvalidTaskBackend: the setting has no such backend, or it is none of ours.
    """
    autodiscover_modules("tasks")  # schedules are made where tasks are
    worker = TaskWorker(config)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run(worker, parent))
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


async def _run(worker: TaskWorker, parent: int | None) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(LimitedExecutor())
    stopping = asyncio.Event()
    if parent is not None:
        watch = (loop, stopping, parent)
        threading.Thread(target=_stop_with, args=watch, name="parent", daemon=True).start()
    with stop_on_signal(partial(_stop, stopping)):
        await worker.run(stopping)


def run_until_signal() -> None:
    """Return at the first SIGTERM or SIGINT."""

    async def wait() -> None:
        stopping = asyncio.Event()
        with stop_on_signal(partial(_stop, stopping)):
            await stopping.wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(wait())


def _stop_with(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, parent: int) -> None:
    """Set ``stopping`` when a descriptor has ended."""
    while os.read(parent, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended before
        loop.call_soon_threadsafe(stopping.set)


def _stop(stopping: asyncio.Event) -> None:
    logger.info("Stopping: tasks that run may end.")
    stopping.set()
