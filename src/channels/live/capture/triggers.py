"""Hearing what PostgreSQL's triggers tell: see :class:`channels.live.operations.WatchTable`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db import connections

from channels import telemetry
from channels.live.capture.changes import Hint
from channels.wakeups.notify import NotifyThread

#: What PostgreSQL calls a channel.
CHANNEL: Final = "channels_live"
#: What the names of triggers begin with.
TRIGGER: Final = "channels_live"


def has_triggers(using: str) -> bool:
    """Whether a database has triggers of ours; called in a thread."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_trigger WHERE tgname = %s LIMIT 1", [f"{TRIGGER}_insert"])
        return cursor.fetchone() is not None


class TriggerThread(NotifyThread):
    """Listens to the triggers of one database.

    Args:
        using: the alias.
        take: called with each hint, in this thread.
        interrupted: called, in this thread, when something may have been missed.
        is_over: whether nobody listens any more.
    """

    channel = CHANNEL

    def __init__(
        self,
        using: str,
        take: Callable[[Hint], object],
        interrupted: Callable[[], object],
        is_over: Callable[[], bool],
    ) -> None:
        super().__init__(using)
        self._take, self._interrupted, self._is_over = take, interrupted, is_over

    def _listen(self) -> None:
        if self._is_over():
            self.close()
        else:
            super()._listen()

    def began(self) -> None:
        """See :class:`~channels.wakeups.notify.NotifyThread`."""
        self._interrupted()

    def heard(self, payloads: Iterable[str]) -> None:
        """Take what was told, all of one transaction together."""
        by_transaction: dict[str, dict[str, list[Any] | None]] = {}
        for payload in payloads:
            try:
                told = json.loads(payload)
                tables = by_transaction.setdefault(str(told["transaction"]), {})
                _add(tables, told["table"], told["keys"])
            except (ValueError, KeyError, TypeError) as error:
                telemetry.count("live.hint_unknown", error=repr(error))
        for transaction, tables in by_transaction.items():
            # Every process hears the same, and knows by this name what another one has looked at.
            self._take(Hint(f"{self.using}:{transaction}", 1, self.using, tables))


def _add(tables: dict[str, list[Any] | None], table: str, keys: list[Any] | None) -> None:
    known = tables.setdefault(table, [])
    if keys is None or known is None:
        tables[table] = None
    else:
        known += keys
