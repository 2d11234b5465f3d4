"""Telling by hand what nothing else sees: raw SQL, other programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import router

from channels.live.capture.transactions import note


def changed(model: Any, keys: Iterable[Any] | None = None, *, using: str | None = None) -> None:
    """Say that rows have changed in a way that Django does not see, as by raw SQL.

    Within a transaction live queries look at them after its commit.

    Args:
        model: the model, or the name of the table.
        keys: the primary keys of the rows; None: any may have changed.
        using: the alias of the database; None: the one to which the project's routers write the model.
    """
    table = model if isinstance(model, str) else model._meta.db_table
    if using is None:
        using = "default" if isinstance(model, str) else router.db_for_write(model)
    note(using, table, None if keys is None else list(keys))
