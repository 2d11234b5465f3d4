"""huey, on SQLite or Redis, without results."""

import os
import sys
from typing import Any

from huey import RedisHuey, SqliteHuey
from systems import work

ADDRESS = os.environ["TASKS_ADDRESS"]
if ADDRESS.startswith("redis://"):
    huey = RedisHuey("benchmark", url=ADDRESS, results=False)
else:
    huey = SqliteHuey("benchmark", filename=ADDRESS, results=False)
tasks = {function.__name__: huey.task()(function) for function in (work.nothing, work.mark, work.age)}
WORKER = [sys.executable, "-m", "huey.bin.huey_consumer", "systems.huey_system.huey", "-w", "1", "-q"]


def prepare() -> None:
    """There is nothing to make."""


def enqueue(name: str, *arguments: Any) -> None:
    """Enqueue a task by its name."""
    tasks[name](*arguments)
