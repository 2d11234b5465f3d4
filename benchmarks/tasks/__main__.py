"""``python -m benchmarks.tasks``: our tasks beside those of other systems, one worker process each."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import environment

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "tasks.md"
OURS = "channels.tasks.TaskBackend"
OUR_WORKER = "runworker --tasks --threads 1"
#: Stores in Redis: without a disk, as others are measured with it, and with an append-only file.
APPEND_ONLY = {"Redis": "no", "Redis AOF": "yes"}
PEERS = ("django-tasks-db", "procrastinate", "huey", "celery")
COLUMNS = ("tasks/s", "µs/task", "start p50 ms", "MB", "enqueued/s", "µs/enqueue")


@dataclass(frozen=True)
class Entry:
    """A system on a store.

    Attributes:
        name: as the table calls it.
        system: its module.
        store: the key of :func:`stores`.
        environment: what its module reads.
    """

    name: str
    system: str
    store: str
    environment: dict[str, str]


def entries() -> Iterator[Entry]:
    """Who is measured."""
    ours = {"TASKS_BACKEND": OURS, "TASKS_WORKER": OUR_WORKER}
    peer = {"TASKS_BACKEND": "django_tasks_db.DatabaseBackend", "TASKS_WORKER": "db_worker"}
    for store in ("SQLite WAL", "PostgreSQL"):
        yield Entry("channels.tasks", "django_system", store, ours)
        yield Entry("django-tasks-db", "django_system", store, peer)
    yield Entry("procrastinate", "procrastinate_system", "PostgreSQL", {})
    yield Entry("huey", "huey_system", "SQLite WAL", {})
    for store in APPEND_ONLY:
        yield Entry("channels.tasks", "django_system", store, ours)
    yield Entry("huey", "huey_system", "Redis", {})
    yield Entry("celery", "celery_system", "Redis", {})


def sqlite(folder: str) -> dict[str, Any]:
    """A file, as Django recommends it for more than one writer; its connections are kept."""
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;", "timeout": 20}
    name = f"{folder}/tasks.sqlite3"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options, "CONN_MAX_AGE": 600}


@contextmanager
def fresh(store: str) -> Iterator[dict[str, str]]:
    """A fresh store, as the environment says where it is."""
    from tests.support.databases import PostgreSQL
    from tests.support.redis_servers import RedisServer

    with tempfile.TemporaryDirectory() as folder:
        if store == "PostgreSQL":
            with PostgreSQL() as server:
                found = {**server.database().settings, "CONN_MAX_AGE": 600}
                address = f"host={found['HOST']} user={found['USER']} dbname={found['NAME']}"
                yield {"TASKS_DATABASE": json.dumps(found), "TASKS_ADDRESS": address}
        elif store in APPEND_ONLY:
            with RedisServer("--appendonly", APPEND_ONLY[store]) as server:
                database = json.dumps(sqlite(folder))
                yield {"TASKS_DATABASE": database, "TASKS_ADDRESS": server.url, "TASKS_REDIS": server.url}
        else:
            database = json.dumps(sqlite(folder))
            yield {"TASKS_DATABASE": database, "TASKS_ADDRESS": f"{folder}/huey.sqlite3"}


def measure(entry: Entry, options: argparse.Namespace) -> dict[str, float] | str:
    """The figures of an entry, or why there are none."""
    python = sys.executable if entry.environment.get("TASKS_BACKEND") == OURS else options.peers
    command = [python, str(HERE / "drive.py"), entry.system, str(options.tasks), str(options.starts)]
    with fresh(entry.store) as found:
        env = environment.variables(**entry.environment, **found)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["?"])[-1]
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def row(entry: Entry, figures: dict[str, float] | str) -> str:
    """A line of the table."""
    if isinstance(figures, str):
        return f"| {entry.name} | {entry.store} | not measured: {figures} |" + " |" * (len(COLUMNS) - 1)
    cells = (f"{figures[name]:,.{0 if figures[name] >= 100 else 1}f}" for name in COLUMNS)
    return f"| {entry.name} | {entry.store} | {' | '.join(cells)} |"


def about() -> str:
    """When and how busy."""
    peers = environment.versions()
    named = ", ".join(f"{name} {peers.get(name, '?')}" for name in PEERS)
    when, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", f"load {os.getloadavg()[1]:.0f}"
    return (
        f"{when}, {os.cpu_count()} cores, {load}; {named}. One worker process with one thread, trivial "
        "tasks, kept connections; results are kept by channels.tasks and django-tasks-db."
    )


def main() -> None:
    """Measure in turn, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument("--peers", default=str(environment.PYTHON), help="Their interpreter.")
    parser.add_argument("--tasks", type=int, default=3000, help="Tasks of a backlog [3000].")
    parser.add_argument("--starts", type=int, default=20, help="Single tasks of an idle worker [20].")
    parser.add_argument("--only", default="", help="Systems whose name has this.")
    parser.add_argument("--publish", action="store_true", help=f"Write {RESULTS.name} as well.")
    options = parser.parse_args()
    environment.install()
    head = f"| | store | {' | '.join(COLUMNS)} |", f"|---|---|{'---|' * len(COLUMNS)}"
    print("\n".join(head))
    lines = []
    for entry in entries():
        if options.only in entry.name:
            lines.append(row(entry, measure(entry, options)))
            print(lines[-1], flush=True)
    if options.publish:
        RESULTS.write_text("\n".join(["# Background tasks", "", about(), "", *head, *lines, ""]))


if __name__ == "__main__":
    main()
