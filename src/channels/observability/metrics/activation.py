"""When a process begins to count: asked for by the environment or the settings, and when it serves."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from channels import conf, telemetry
from channels.observability.metrics.counting import recorder
from channels.observability.metrics.directory import Directory, MetricsUnavailable, default_path
from channels.process import serving

logger = logging.getLogger("channels.observability")

#: What tells that a process begins its work, and what that is.
_BEGINNINGS: Final = {"tasks.worker_started": "tasks", "worker.started": "worker"}

_armed = False


def arm() -> None:
    """Begin to count as soon as this process serves, or runs tasks; harmless if that was said before."""
    global _armed
    if not _armed:
        _armed = telemetry.metered = True
        serving.when_serving(lambda: begin("server"), recorder.stop)
        telemetry.attach(_on_beginning)


def _on_beginning(event: str, facts: dict[str, Any]) -> None:
    if event in _BEGINNINGS:
        begin(_BEGINNINGS[event])


def begin(kind: str) -> None:
    """Count in this process from now on, if that is wanted; what keeps it from that is logged.

    Args:
        kind: what the process is for: ``"server"``, ``"tasks"``, ``"worker"``, ``"command"``.
    """
    if conf.metrics() is None:
        return
    try:
        recorder.start(kind, directory()).measure_loop()
    except MetricsUnavailable as error:
        logger.error("Nothing is counted in this process. %s", error)


def directory() -> Directory | None:
    """Return where the figures of all processes meet; None where there is no such place (Windows).

    Raises:
        MetricsUnavailable: it cannot be made, or is open to others.
    """
    if os.name != "posix":
        return None
    kept = conf.metrics() or conf.Metrics()
    return Directory(Path(kept.directory) if kept.directory else default_path(_project()))


def _project() -> str:
    from channels.layers.host.wire.runtime_dir import project_directory

    return project_directory()


@contextlib.contextmanager
def shared_directory() -> Iterator[Directory]:
    """Have this process, and those that it starts, leave their figures in one directory while the block runs.

    It is the one that the environment names, or one that is made and removed.

    Raises:
        MetricsUnavailable: it cannot be made, or is open to others.
    """
    named = os.environ.get(conf.METRICS_DIRECTORY)
    path = named or tempfile.mkdtemp(prefix="fairway-metrics-")
    os.environ[conf.METRICS_DIRECTORY] = path
    try:
        yield Directory(Path(path))
    finally:
        recorder.stop()
        if not named:
            del os.environ[conf.METRICS_DIRECTORY]
            shutil.rmtree(path, ignore_errors=True)
