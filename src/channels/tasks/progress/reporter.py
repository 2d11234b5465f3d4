"""Publishes reports of a worker's tasks: of one that says much, the newest now and then."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from channels import telemetry
from channels.tasks.progress.reports import Report

logger = logging.getLogger("channels.tasks")

#: Seconds between two reports of a task.
INTERVAL: Final = 0.2
#: Tasks whose reports may wait; those of others are left out.
_MOST: Final = 10_000


class Reporter:
    """Takes reports from any thread without waiting, and publishes them from a thread of its own.

    The thread is started with the first report, and ends with the process.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Report] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False

    def report(self, task_id: str, report: Report) -> None:
        """Publish a report, soon; in place of one of the same task that still waits."""
        with self._changed:
            if len(self._waiting) >= _MOST and task_id not in self._waiting:
                telemetry.count("tasks.report_lost", reason="too many wait")
                return
            self._waiting.pop(task_id, None)
            self._waiting[task_id] = report
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="task reports", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> None:
        """Wait until all reports are published, for so many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def _run(self) -> None:
        while True:
            begun = time.monotonic()
            self._publish_all(self._take())
            time.sleep(max(0.0, begun + INTERVAL - time.monotonic()))

    def _take(self) -> dict[str, Report]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            taken, self._waiting = self._waiting, {}
            self._busy = True
            return taken

    def _publish_all(self, reports: dict[str, Report]) -> None:
        from channels.tasks.progress.topic import TaskProgress  # needs settings

        for task_id, report in reports.items():
            try:
                TaskProgress(id=task_id).publish(report.as_data(), now=True)
            except Exception as error:
                telemetry.count("tasks.report_lost", reason=type(error).__name__)
                logger.debug("A report of task %s is lost: %s", task_id, error)
        with self._changed:
            self._busy = False
            self._changed.notify_all()
