"""Tasks of processes that are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

from channels.tasks import task


@task
def add(one: int, two: int) -> int:
    return one + two


@task
def die_at_first(marker: str) -> str:
    """Kill its worker the first time, when nobody else has begun."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "done"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@task
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


@task
def fill_memory() -> None:
    """Take what the worker's limit leaves, to the last bit."""
    hoard: Any = None
    for size in (1 << 20, 1 << 12, 1 << 8):
        with contextlib.suppress(MemoryError):
            while True:
                hoard = (hoard, bytearray(size))
    hoard = (hoard, bytearray(1 << 20))


@task(timeout=0.05)
def hang(seconds: float) -> None:
    time.sleep(seconds)
