"""Dead letters: what was tried as often as it may be, until somebody says what becomes of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from channels.outbox.models import HookCall, State
from channels.wakeups import wake_on_commit


def retry(rows: QuerySet[Any]) -> int:
    """Have the dead ones among rows tried again, from their first attempt on; returns how many."""
    values: dict[str, Any] = {"state": State.READY, "attempts": 0, "failed_at": None}
    if issubclass(rows.model, HookCall):
        values["run_at"] = timezone.now()
    changed = rows.filter(state=State.DEAD).update(**values)
    if changed:
        wake_on_commit(rows.model.WAKEUP, rows.db)
    return changed


def discard(rows: QuerySet[Any]) -> int:
    """Delete the dead ones among rows; returns how many."""
    return rows.filter(state=State.DEAD).delete()[0]
