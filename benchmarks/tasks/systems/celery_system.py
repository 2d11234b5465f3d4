"""Celery, on Redis, without results, with one thread: so that all is in one process."""

import os
import sys
from typing import Any

from celery import Celery
from systems import work

app = Celery("benchmark", broker=os.environ["TASKS_ADDRESS"])
app.conf.task_ignore_result = True
tasks = {
    function.__name__: app.task(name=function.__name__)(function)
    for function in (work.nothing, work.mark, work.age)
}
WORKER = [sys.executable, "-m", "celery", "-A", "systems.celery_system", "worker", "-P", "threads", "-c", "1"]


def prepare() -> None:
    """There is nothing to make."""


def enqueue(name: str, *arguments: Any) -> None:
    """Enqueue a task by its name."""
    tasks[name].delay(*arguments)
