"""Tasks of processes that are killed."""

from __future__ import annotations

import os
import signal
import time

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
