"""The thread-sensitive context of a connection around a block, as consumers and pages have theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from channels.sync.context import enter_context
from channels.typing import Scope


@contextmanager
def serving(scope: Scope) -> Iterator[None]:
    """Give the connection of ``scope`` a context of its own, unless there is one already."""
    connection = enter_context(scope)
    try:
        yield
    finally:
        if connection is not None:
            connection.end()
