"""Processes of workers beside another program: started, replaced when they die, and stopped with it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from channels import telemetry
from channels.tasks.worker.worker import WorkerConfig

logger = logging.getLogger("channels.tasks")

#: Seconds before one that has died is replaced: at first, and at most when it dies again and again.
_PAUSES: Final = (0.2, 30.0)
#: Seconds after which one that lives is not what dies again and again.
_STEADY: Final = 10.0
#: Seconds for the end of a process beyond its drain time.
_END: Final = 2.0


class TaskProcess:
    """Keeps one process of a worker running.

    Args:
        config: how it works.
        application: of ASGI, which names the settings; "": the environment does.
    """

    def __init__(self, config: WorkerConfig, application: str) -> None:
        self._config = config
        what = {"application": application, "config": dataclasses.asdict(config)}
        self._command = [sys.executable, "-m", "channels.tasks.worker", json.dumps(what)]
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="task process", daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end; :meth:`join` waits for that."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended; it is killed if that takes longer than its drain time."""
        self._thread.join(self._config.drain + _END)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _keep(self) -> None:
        pause, longest = _PAUSES
        while not self._stopping.is_set():
            begun = time.monotonic()
            code = self._run()
            if code == 0 or self._stopping.is_set():
                return  # somebody has told it to stop
            telemetry.count("tasks.worker_died", code=code)
            logger.error("A worker of tasks has died (%s), and is replaced.", code)
            pause = _PAUSES[0] if time.monotonic() - begun > _STEADY else min(pause * 2, longest)
            self._stopping.wait(pause)

    def _run(self) -> int:
        # Its stdin ends with this process, however that ends, and so does it.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=environment)  # noqa: S603
        if self._stopping.is_set():
            self._process.terminate()
        return self._process.wait()


@contextmanager
def task_processes(count: int, config: WorkerConfig, application: str = "") -> Iterator[list[TaskProcess]]:
    """Have so many processes of workers while the block runs.

    Args:
        count: how many, at least 0.
        config: how each works.
        application: of ASGI, as ``path.to.module:name``, which names the settings; "": the environment does.
    """
    processes = [TaskProcess(config, application) for _ in range(count)]
    for each in processes:
        each.start()
    try:
        yield processes
    finally:
        for each in processes:
            each.stop()
        for each in processes:
            each.join()
