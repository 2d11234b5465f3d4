"""Processes of workers, as a supervisor starts them: beside a server, or by themselves."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Final

from channels.server.processes.child import Companion
from channels.server.processes.supervisor import Supervisor
from channels.tasks.worker.worker import WorkerConfig

#: Seconds for the end of a process beyond its drain time.
_END: Final = 2.0


def task_companion(count: int, config: WorkerConfig, application: str = "") -> Companion:
    """Return so many processes of workers.

    Args:
        count: how many, at least 1.
        config: how each works.
        application: of ASGI, as ``path.to.module:name``, which names the settings; "": the environment does.
    """
    what = {"application": application, "config": dataclasses.asdict(config)}
    command = [sys.executable, "-m", "channels.tasks.worker", json.dumps(what)]
    path = os.pathsep.join(filter(None, sys.path))
    return Companion(command, count, "Task worker", {"PYTHONPATH": path})


def run_processes(count: int, config: WorkerConfig) -> int:
    """Run so many processes of workers until SIGTERM or SIGINT; SIGHUP replaces them one by one.

    Args:
        count: how many, at least 1.
        config: how each works.

    Returns:
        The exit code: 0, or 1 if the first of them could not work. It has said why.
    """
    supervisor = Supervisor((), (), workers=0, drain_limit=config.drain + _END)
    supervisor.companions = [task_companion(count, config)]
    return supervisor.run()
