"""procrastinate, on PostgreSQL."""

import os
import sys
from typing import Any

import procrastinate
from systems import work

CONNECTION = {"conninfo": os.environ["TASKS_ADDRESS"]}
app = procrastinate.App(connector=procrastinate.PsycopgConnector(**CONNECTION))
tasks = {
    function.__name__: app.task(name=function.__name__)(function)
    for function in (work.nothing, work.mark, work.age)
}
COMMAND = [sys.executable, "-m", "procrastinate", "--app=systems.procrastinate_system.app"]
WORKER = [*COMMAND, "worker", "--concurrency=1"]
_in_sync_code = app.replace_connector(procrastinate.SyncPsycopgConnector(**CONNECTION))


def prepare() -> None:
    """Have the tables, and an open connection."""
    _in_sync_code.__enter__().open()
    app.schema_manager.apply_schema()


def enqueue(name: str, *arguments: Any) -> None:
    """Enqueue a task by its name."""
    names = getattr(work, name).__annotations__
    tasks[name].defer(**dict(zip(names, arguments, strict=False)))
