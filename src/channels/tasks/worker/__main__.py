"""A worker as a process of a supervisor: ``python -m channels.tasks.worker JSON``."""

from __future__ import annotations

import importlib
import json
import sys

import django

from channels.server.control_channel import SupervisorLink


def main() -> None:
    """Run a worker as the argument says, until it is told to stop or its supervisor is gone."""
    link = SupervisorLink.take()
    what = json.loads(sys.argv[1])
    if what["application"]:
        importlib.import_module(what["application"].partition(":")[0])
    django.setup()
    from channels.tasks.worker.main import run_worker
    from channels.tasks.worker.worker import WorkerConfig

    config = what["config"]
    run_worker(WorkerConfig(**{**config, "queues": tuple(config["queues"])}), link)


if __name__ == "__main__":
    main()
