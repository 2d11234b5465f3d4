"""Django's side: the system checks, and the databases."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from django.db import Error, connections

from channels import conf
from channels.observability.doctor.steps import Status, Step


def checks_step() -> Step:
    """Run the system checks of Channels, those for deployments too."""
    did = "ran the system checks of channels, as check --deploy"
    found = checks.run_checks(tags=["channels"], include_deployment_checks=True)
    shown = [message for message in found if not message.is_silenced()]
    if not shown:
        return Step("settings", did, "nothing to say")
    worst = max(message.level for message in shown)
    saw = "; ".join(f"{message.id}: {message.msg}" for message in shown)
    remedy = " ".join(message.hint for message in shown if message.hint)
    return Step("settings", did, saw, Status.ERROR if worst >= checks.ERROR else Status.WARNING, remedy)


def database_steps() -> Iterator[Step]:
    """Ask each database, and compare its connections with the threads that may want one."""
    for alias in connections:
        yield _database(alias)


def _database(alias: str) -> Step:
    name, connection = f"database {alias}", connections[alias]
    did = f"asked the {connection.vendor} database"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        saw = "it answers"
        free = _free_connections(alias) if connection.vendor == "postgresql" else None
    except Error as error:
        return Step(
            name, did, str(error).strip(), Status.ERROR, ("See that it runs, and the settings DATABASES.")
        )
    threads, pool = conf.threads(), _pool_size(alias)
    if pool is not None and pool < threads:
        remedy = (
            f"Each of {threads} threads may want a connection: raise max_size, or lower CHANNELS_THREADS."
        )
        return Step(name, did, f"{saw}; its pool has {pool} connections", Status.WARNING, remedy)
    if free is not None and free < threads:
        remedy = f"A process may want {threads} (CHANNELS_THREADS): raise max_connections, or use a pooler."
        return Step(name, did, f"{saw}; {free} connections are free", Status.WARNING, remedy)
    return Step(name, did, saw if free is None else f"{saw}; {free} connections are free")


def _pool_size(alias: str) -> int | None:
    pool = connections[alias].settings_dict.get("OPTIONS", {}).get("pool")
    if not pool:
        return None
    return int(pool.get("max_size") or pool.get("min_size") or 4) if isinstance(pool, dict) else 4


def _free_connections(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity")
        return int(cursor.fetchone()[0])
