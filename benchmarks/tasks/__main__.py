"""``python -m benchmarks.tasks``: our tasks on SQLite, PostgreSQL and Redis, beside django-tasks-db."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks import environment

DRIVE = Path(__file__).resolve().parent / "drive.py"
OURS, PEER = "channels.tasks.TaskBackend", "django_tasks_db.DatabaseBackend"
WORKERS = {OURS: ["runworker", "--tasks", "--threads", "1"], PEER: ["db_worker"]}


def sqlite(folder: str) -> dict[str, Any]:
    """A file, as Django recommends it for more than one writer; its connections are kept."""
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;", "timeout": 20}
    name = f"{folder}/tasks.sqlite3"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options, "CONN_MAX_AGE": 600}


@contextmanager
def databases() -> Iterator[dict[str, Any]]:
    """A fresh database of each kind; PostgreSQL where it is installed."""
    from tests.support.databases import PostgreSQL

    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as server:
        fresh = server.database().settings
        yield {"SQLite WAL": sqlite(folder), "PostgreSQL": {**fresh, "CONN_MAX_AGE": 600}}


def measure_in_redis(options: argparse.Namespace) -> Iterator[str]:
    """A line for Redis without a disk, as others are measured with it, and one with an append-only file."""
    from tests.support.redis_servers import RedisServer

    for name, arguments in (("Redis", ()), ("Redis AOF", ("--appendonly", "yes"))):
        with tempfile.TemporaryDirectory() as folder, RedisServer(*arguments) as server:
            kept = {"TASKS_OPTIONS": json.dumps({"store": "redis", "hosts": [server.url]})}
            yield f"{OURS:34} {name:11} {measure(sys.executable, OURS, sqlite(folder), options, kept)}"


def measure(
    python: str,
    backend: str,
    database: dict[str, Any],
    options: argparse.Namespace,
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A line of the table."""
    worker = [python, "-m", "django", *WORKERS[backend]]
    env = {**os.environ, "TASKS_BACKEND": backend, "TASKS_DATABASE": json.dumps(database), **more}
    command = [python, str(DRIVE), str(options.tasks), str(options.starts), *worker]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"not measured: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    return "  ".join(f"{name} {value:,.1f}" for name, value in json.loads(done.stdout).items())


def main() -> None:
    """Measure in turn, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument(
        "--peers", default=str(environment.VENV / "bin" / "python"), help="Their interpreter."
    )
    parser.add_argument("--tasks", type=int, default=3000, help="Tasks of a backlog [3000].")
    parser.add_argument("--starts", type=int, default=20, help="Single tasks of an idle worker [20].")
    parser.add_argument("--rounds", type=int, default=1, help="Rounds, in turn [1].")
    options = parser.parse_args()
    for _ in range(options.rounds):
        for python, backend in ((sys.executable, OURS), (options.peers, PEER)):
            with databases() as found:
                for name, database in found.items():
                    print(f"{backend:34} {name:11} {measure(python, backend, database, options)}", flush=True)
        for line in measure_in_redis(options):
            print(line, flush=True)


if __name__ == "__main__":
    main()
