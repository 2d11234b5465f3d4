"""A worker as a process beside another: ``python -m channels.tasks.worker JSON``."""

from __future__ import annotations

import importlib
import json
import sys

import django


def main() -> None:
    """Run a worker as the argument says, until it is told to stop or stdin ends."""
    what = json.loads(sys.argv[1])
    if what["application"]:
        importlib.import_module(what["application"].partition(":")[0])
    django.setup()
    from channels.tasks.worker.main import run_worker
    from channels.tasks.worker.worker import WorkerConfig

    config = what["config"]
    run_worker(WorkerConfig(**{**config, "queues": tuple(config["queues"])}), parent=sys.stdin.fileno())


if __name__ == "__main__":
    main()
