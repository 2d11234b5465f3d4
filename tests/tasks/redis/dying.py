"""A process that kills itself at a step of a task in Redis: ``python -m tests.tasks.redis.dying STEP``.

The queue is named after the step. A script happens wholly or not at all: it is killed before one, or after.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import django
from django.db import transaction

from channels.tasks.stores.redis.store import RedisStore
from channels.tasks.worker import threads
from channels.tasks.worker.attempt import Attempt
from channels.tasks.worker.main import run_worker
from channels.tasks.worker.worker import WorkerConfig
from tests.tasks.kills import jobs
from tests.tasks.kills.dying import after, before, die


def enqueue_and_die_before_the_commit() -> None:
    """Die in the transaction that has enqueued."""
    with transaction.atomic():
        jobs.add.using(queue_name="before the commit").enqueue(1, 2)
        die()


def enqueue_and_die_after_the_commit() -> None:
    """Die when the transaction is committed, and nothing is written: this task is lost."""
    before(RedisStore, "add")
    with transaction.atomic():
        jobs.add.using(queue_name="after the commit").enqueue(1, 2)


def enqueue_and_die_after_the_write() -> None:
    """Die when it is in Redis."""
    after(RedisStore, "add", lambda *args: True)
    jobs.add.using(queue_name="after the write").enqueue(1, 2)


STEPS: dict[str, Callable[[], None]] = {
    "after the claim": lambda: after(RedisStore, "turn", lambda records, *args: bool(records)),
    "before the start": lambda: before(threads, "run"),
    "before the call": lambda: after(Attempt, "begin", lambda *args: True),
    "before the outcome": lambda: before(RedisStore, "turn", lambda *args: bool(args[2])),
    "after the outcome": lambda: after(RedisStore, "turn", lambda _, *args: bool(args[2])),
}
#: Steps of who enqueues, as against those of a worker.
ENQUEUING: dict[str, Callable[[], None]] = {
    "before the commit": enqueue_and_die_before_the_commit,
    "after the commit": enqueue_and_die_after_the_commit,
    "after the write": enqueue_and_die_after_the_write,
}


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
