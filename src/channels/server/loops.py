"""The event loop that a server runs in."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from channels.process.exit import LimitedExecutor
from channels.server.config import ConfigError
from channels.typing import TASKS_CREATED

#: Where a loop that counts its tasks keeps what creates them, beside the count.
_CREATE_TASK: Final = "channels_create_task"


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """Make an event loop.

    Args:
        name: "uvloop", "asyncio", or "auto" for uvloop where it is installed.

    Raises:
        ConfigError: uvloop is asked for and not installed.
    """
    loop = _new_uvloop(required=name == "uvloop") if name != "asyncio" else None
    loop = loop or _new_asyncio_loop()
    loop.set_default_executor(LimitedExecutor())
    return loop


@contextlib.contextmanager
def event_loop(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    """Make an event loop for a ``with`` block; at its end all that the loop has begun is shut down.

    Args:
        name: as :func:`new_event_loop` takes it.

    Raises:
        ConfigError: uvloop is asked for and not installed.
    """
    loop = new_event_loop(name)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


def _new_uvloop(*, required: bool) -> asyncio.AbstractEventLoop | None:
    try:
        loop: asyncio.AbstractEventLoop = _counting(importlib.import_module("uvloop").Loop)()
    except ImportError:
        if required:
            raise ConfigError(
                "loop is 'uvloop', but uvloop is not installed: install it, or use --loop asyncio."
            ) from None
        return None
    return loop


def _new_asyncio_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":  # its usual loop cannot wait for sockets that are not its own
        return asyncio.SelectorEventLoop()
    return asyncio.new_event_loop()


@functools.cache
def _counting(base: Any) -> Any:
    """Return a class of loops as ``base``, but that count the tasks they create; it goes by the same name.

    A loop whose own ``create_task`` is replaced, as :func:`count_tasks` does with one of others, is slower
    in all that is called of it: uvloop by 10 ns for each call.
    """
    create = base.create_task

    def __init__(self: Any) -> None:
        base.__init__(self)
        setattr(self, TASKS_CREATED, [0])

    def create_task(self: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        getattr(self, TASKS_CREATED)[0] += 1
        created: asyncio.Task[Any] = create(self, coroutine, **options)
        return created

    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, _CREATE_TASK: create}
    return type(base.__name__, (base,), {"__init__": __init__, "create_task": create_task, **names})


def uncounted_create_task(loop: asyncio.AbstractEventLoop) -> Callable[..., asyncio.Task[Any]]:
    """Return how to create a task that no handler has started: it is not counted."""
    create: Callable[..., asyncio.Task[Any]] = getattr(loop, _CREATE_TASK, loop.create_task)
    return create


def count_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have ``loop`` count the tasks that it creates from now on; harmless if it does.

    A consumer looks at the count, and gives the tasks that a handler has started their first turn
    before the next message is handled.
    """
    if hasattr(loop, TASKS_CREATED):
        return
    create, counts = loop.create_task, [0]

    def create_task(coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        counts[0] += 1
        return create(coroutine, **options)

    vars(loop).update({TASKS_CREATED: counts, _CREATE_TASK: create, "create_task": create_task})
