"""Counting the visits that async code pays to threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from asgiref.sync import SyncToAsync


@contextmanager
def counted_hops() -> Iterator[list[str]]:
    """Collect the names of the functions that ``sync_to_async`` takes to a thread meanwhile."""
    hops: list[str] = []
    call = SyncToAsync.__call__

    async def counting(self: SyncToAsync[Any, Any], *args: Any, **kwargs: Any) -> Any:
        hops.append(getattr(self.func, "__name__", type(self.func).__name__))
        return await call(self, *args, **kwargs)

    with mock.patch.object(SyncToAsync, "__call__", counting):
        yield hops
