"""``python -m benchmarks.tasks.rows``: what workers and the admin take when ten million tasks have ended.

It fills a database of its own, several gigabytes, in a temporary folder that it removes at the end.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings

from benchmarks.tasks.__main__ import sqlite

#: How rows are numbered, and an id of 32 digits of a number, in each database.
SERIES = {
    "sqlite": (
        "WITH RECURSIVE series(n) AS (SELECT %s UNION ALL SELECT n + 1 FROM series WHERE n < %s) ",
        "FROM series",
        "printf('%%032x', n)",
    ),
    "postgresql": ("", "FROM generate_series(%s::bigint, %s::bigint) AS n", "lpad(to_hex(n), 32, '0')"),
}
#: Rows of one statement.
STEP = 500_000
TEMPLATE_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"


def configure(database: dict[str, Any]) -> None:
    """Have a project with the admin of tasks."""
    contrib = [f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages")]
    ours = ["channels", "channels.tasks", *(["django_tasks"] if django.VERSION < (6,) else [])]
    settings.configure(
        SECRET_KEY=secrets.token_hex(),
        DATABASES={"default": database},
        INSTALLED_APPS=[*contrib, *ours],
        TASKS={"default": {"BACKEND": "channels.tasks.TaskBackend"}},
        MIDDLEWARE=[SESSIONS, AUTHENTICATION, MESSAGES],
        ROOT_URLCONF="benchmarks.tasks.admin_urls",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": TEMPLATE_PROCESSORS},
            }
        ],
    )
    django.setup()


def fill(finished: int, waiting: int) -> None:
    """Write so many tasks that have ended, one of a hundred of them failed, and so many that wait."""
    from django.db import connection

    series, source, identifier = SERIES[connection.vendor]
    now = time.time_ns() // 1000
    columns = (
        "id, backend, path, queue, priority, lane, state, arguments, enqueued_at, run_at, started_at, "
        "last_attempted_at, finished_at, attempts, losses, owner, owners, errors, result, unique_key, "
        "viewer, counts_for, waits_for, needs_success"
    )
    values = (
        f"{identifier}, 'default', 'benchmarks.tasks.admin_urls.nothing', 'default', 0, 0, {{state}}, "
        f"'[[1],{{{{}}}}]', {now} + n, {now} + n, {{finished}}, {{finished}}, {{finished}}, {{attempts}}, 0, "
        "'', '', '[]', '1', NULL, '', '', '', 1"
    )
    ended = values.format(
        state="CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'succeeded' END", finished=f"{now} + n", attempts=1
    )
    ready = values.format(state="'ready'", finished="NULL", attempts=0)
    for first in range(1, finished + waiting + 1, STEP):
        with connection.cursor() as cursor:
            for chosen, begin, end in (
                (ended, first, min(first + STEP - 1, finished)),
                (ready, max(first, finished + 1), min(first + STEP - 1, finished + waiting)),
            ):
                if begin <= end:
                    statement = (
                        f"INSERT INTO channels_tasks_task ({columns}) {series}SELECT {chosen} {source}"
                    )
                    cursor.execute(statement, (begin, end))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def measured(do: Callable[[], object], times: int) -> str:
    """Milliseconds of something: the middle, and the longest."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        took.append((time.perf_counter() - begun) * 1000)
    return f"p50 {statistics.median(took):9.2f} ms   longest {max(took):9.2f} ms"


def figures() -> Iterator[tuple[str, str]]:
    """What each thing takes."""
    from django.contrib.auth.models import User
    from django.test import Client

    from benchmarks.tasks.admin_urls import nothing
    from channels.tasks.backend import store_of
    from channels.tasks.definition.contract import task_backends
    from channels.tasks.stores.records import Claim

    store: Any = store_of(task_backends["default"])
    browser = Client()
    browser.force_login(User.objects.create_superuser("root"))

    def page(query: str) -> Callable[[], object]:
        return lambda: _see(browser.get(f"/admin/channels_tasks/task/{query}"))

    yield "claim of 1", measured(lambda: store.turn("me", [], [Claim(0, 1)], "default", ()), 200)
    yield "claim of 100", measured(lambda: store.turn("me", [], [Claim(0, 100)], "default", ()), 50)
    yield (
        "claim of a queue",
        measured(lambda: store.turn("me", [], [Claim(0, 1)], "default", ("default",)), 200),
    )
    yield "look for work", measured(lambda: store.has_work("default"), 200)
    yield "look for the dead", measured(store.owners, 200)
    yield "enqueue", measured(lambda: nothing.enqueue(1), 200)
    yield "tasks status", measured(store.overview, 10)
    yield "admin, first page", measured(page(""), 10)
    yield "admin, failed", measured(page("?state=failed"), 10)
    yield "admin, page 50", measured(page("?p=50"), 5)
    yield "admin, by id", measured(page(f"?q={'0' * 31}1"), 5)
    old = time.time_ns() // 1000 * 2
    yield "prune 1,000", measured(lambda: store.prune(("succeeded",), old), 20)


def _see(answer: Any) -> None:
    if answer.status_code != 200:
        raise SystemExit(f"The admin answers {answer.status_code}.")


@contextmanager
def database_of(vendor: str) -> Iterator[dict[str, Any]]:
    """A fresh database that is gone afterwards."""
    from tests.support.databases import PostgreSQL

    if vendor == "postgresql":
        with PostgreSQL() as server:
            yield server.database().settings
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield sqlite(folder)


def main() -> None:
    """Fill, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks.rows", description=__doc__)
    parser.add_argument("vendor", choices=list(SERIES))
    parser.add_argument(
        "--finished", type=int, default=10_000_000, help="Tasks that have ended [10,000,000]."
    )
    parser.add_argument("--waiting", type=int, default=10_000, help="Tasks that wait [10,000].")
    options = parser.parse_args()
    with database_of(options.vendor) as database:
        configure(database)
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        begun = time.perf_counter()
        fill(options.finished, options.waiting)
        print(f"{options.vendor}: filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        for name, figure in figures():
            print(f"{options.vendor:11} {name:18} {figure}", flush=True)
        connection.close()


if __name__ == "__main__":
    main()
