"""What the first signal to stop does, in processes that work until one comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_on_signal(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` on the first SIGTERM or SIGINT; a second one ends the process as usual.

    Nothing is done where loops do not listen to signals, and outside of the main thread.

    Args:
        stop: called in the running loop.
    """
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []

    def first() -> None:
        stop()
        remove()

    def remove() -> None:
        while installed:
            loop.remove_signal_handler(installed.pop())

    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, first)
            installed.append(number)
    try:
        yield
    finally:
        remove()
