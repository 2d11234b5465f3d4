"""The check of the journal's tables: a topic that is kept in a database needs them there.

======================  ===============================================  ================================
id                      what                                             when
======================  ===============================================  ================================
channels_journal.W001   a database that topics use lacks the tables      ``check --database ALIAS``
======================  ===============================================  ================================
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import connections

from channels.topics.stores.manager import store_settings


def check_tables(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Look whether the migrations of the journal have run where topics are kept (W001)."""
    if sys.argv[1:2] == ["migrate"]:  # it checks first, and makes them then
        return []
    return [_missing(using) for using in databases or () if using in _used() and not _has_tables(using)]


def _used() -> set[str]:
    """Return the databases of the stores in the settings."""
    backends = ("channels.journal.DatabaseStore", "channels.journal.store.DatabaseStore")
    return {
        store.get("CONFIG", {}).get("using", "default")
        for store in store_settings().values()
        if store.get("BACKEND") in backends
    }


def _has_tables(using: str) -> bool:
    return "channels_journal_pending" in connections[using].introspection.table_names()


def _missing(using: str) -> CheckMessage:
    option = "" if using == "default" else f" --database {using}"
    return Warning(
        f"Topics are kept in the database {using!r}, which has no tables for them.",
        hint=f"Run `manage.py migrate channels_journal{option}`.",
        id="channels_journal.W001",
    )
