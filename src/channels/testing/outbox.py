"""The outbox in tests: what was written is done here and now, within the test's transaction.

A ``TestCase`` rolls its transaction back, so nothing that it writes is ever relayed::

    close(order)                    # writes durable messages and calls of hooks
    relay_outbox()
    self.assertEqual(mail.outbox[0].to, [order.customer.email])
"""

from __future__ import annotations

from typing import Final

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS

from channels.outbox.hooks import find_hook
from channels.outbox.models import DurableMessage, Entry, HookCall, State
from channels.outbox.relay.sending import send

#: What one call does at most: some hooks write others without end.
MOST: Final = 1000


def relay_outbox(using: str = DEFAULT_DB_ALIAS) -> int:
    """Send the durable messages and call the hooks that were written, and those which these write.

    Args:
        using: the alias of the database.

    Returns:
        How many that were.

    Raises:
        AssertionError: there were over a thousand.
        Exception: whatever a layer or a hook raises; that row, and what comes after it, is still there.
    """
    done = 0
    while rows := _ready(using):
        for row in rows:
            assert done < MOST, f"The outbox has done {MOST} things, and there are more."
            _do(row)
            row.delete()
            done += 1
    return done


async def arelay_outbox(using: str = DEFAULT_DB_ALIAS) -> int:
    """As :func:`relay_outbox`, for async tests."""
    return await sync_to_async(relay_outbox)(using)


def _ready(using: str) -> list[Entry]:
    """Return messages first, as hooks may take their time."""
    return [
        row
        for model in (DurableMessage, HookCall)
        for row in model._default_manager.using(using).filter(state=State.READY).order_by("id")
    ]


def _do(row: Entry) -> None:
    if isinstance(row, DurableMessage):
        send(row)
    elif isinstance(row, HookCall):
        find_hook(row.hook).run(row.arguments)
