"""A process that kills itself at a step of a task: ``python -m tests.tasks.kills.dying STEP``.

The queue is named after the step.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.db import transaction

from channels.tasks.stores.sql import SQLStore
from channels.tasks.worker import threads
from channels.tasks.worker.attempt import Attempt
from channels.tasks.worker.main import run_worker
from channels.tasks.worker.worker import WorkerConfig
from channels.wakeups import commits
from tests.tasks.kills import jobs


def die(*args: Any, **kwargs: Any) -> None:
    """End as by ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *args: True) -> None:
    """Die before a function is called."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            die()
        return original(*args, **kwargs)

    setattr(owner, name, wrapper)


def after(owner: Any, name: str, when: Callable[..., bool]) -> None:
    """Die after a function has returned."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        returned = original(*args, **kwargs)
        if when(returned, *args):
            die()
        return returned

    setattr(owner, name, wrapper)


def enqueue_and_die_before_the_commit() -> None:
    """Die in the transaction that has enqueued."""
    with transaction.atomic():
        jobs.add.using(queue_name="before the commit").enqueue(1, 2)
        die()


def enqueue_and_die_before_the_wake_up() -> None:
    """Die when the row is committed, and nobody is told."""
    before(commits, "wake")
    with transaction.atomic():
        jobs.add.using(queue_name="before the wake-up").enqueue(1, 2)


STEPS: dict[str, Callable[[], None]] = {
    "in the claim": lambda: after(SQLStore, "_claim", lambda returned, *args: bool(returned)),
    "before the start": lambda: before(threads, "run"),
    "before the call": lambda: after(Attempt, "begin", lambda *args: True),
    "before the outcome": lambda: after(Attempt, "succeed", lambda *args: True),
    "in the outcome": lambda: after(SQLStore, "_end", lambda _, *args: bool(args[-1])),
    "after the outcome": lambda: after(SQLStore, "turn", lambda _, *args: bool(args[2])),
}
#: Steps of who enqueues, as against those of a worker.
ENQUEUING: dict[str, Callable[[], None]] = {
    "before the commit": enqueue_and_die_before_the_commit,
    "before the wake-up": enqueue_and_die_before_the_wake_up,
}


def work(**config: Any) -> None:
    """Run a worker that does not kill itself."""
    django.setup()
    run_worker(WorkerConfig(**config))


def work_within(megabytes: int, **config: Any) -> None:
    """Run a worker that may have so much more memory than it has now."""
    django.setup()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = used + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    run_worker(WorkerConfig(**config))


def main(step: str) -> None:
    """Die at a step."""
    django.setup()
    if step in ENQUEUING:
        ENQUEUING[step]()
    else:
        STEPS[step]()
        run_worker(WorkerConfig(queues=(step,), threads=1))


if __name__ == "__main__":
    main(sys.argv[1])
