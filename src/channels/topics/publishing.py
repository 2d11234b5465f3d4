"""Publishing: at once, or when the transaction that is open is committed."""

from __future__ import annotations

import asyncio
import logging
import threading

from django.core import mail
from django.db import connections, transaction

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.topics.stores.base import Append, Published
from channels.topics.stores.manager import get_store
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.noting import note_published, note_stage

logger = logging.getLogger("channels.topics")
#: The first topic that was published where nobody may hear of it: what the log says once.
_unheard: list[str] = []
_UNHEARD = (
    "%s was published in memory, and this process serves no client: those of other processes hear nothing "
    "of it. Choose a store that processes share: CHANNELS_TOPICS['STORES'], or a channel layer."
)


class WaitingPublication:
    """A publication that leaves when all of some transactions are committed.

    Args:
        alias: of the store.
        append: what to publish.
        transactions: how many.
    """

    def __init__(self, alias: str, append: Append, transactions: int) -> None:
        self._alias, self._append, self._transactions = alias, append, transactions

    def committed(self) -> None:
        """Note that one of them is committed. One that is rolled back never says so."""
        self._transactions -= 1
        if not self._transactions:
            if delivery_log.note is not None:
                note_stage(self._append, "committed")
            publish_now(self._alias, self._append)


def publish_now(alias: str, append: Append) -> Published:
    """Publish from sync code, whatever transaction is open."""
    store = get_store(alias)
    if isinstance(store, MemoryStore) and not _unheard and _serves_nobody():
        _unheard.append(append.topic)
        logger.warning(_UNHEARD, append.topic)
    if telemetry.listeners:
        telemetry.emit("topics.published", topic=append.topic)
    published = store.sync.publish(append)
    if delivery_log.note is not None:
        note_published(append, published)
    return published


async def apublish_now(alias: str, append: Append) -> Published:
    """Publish from async code, whatever transaction is open."""
    if telemetry.listeners:
        telemetry.emit("topics.published", topic=append.topic)
    published = await get_store(alias).publish(append)
    if delivery_log.note is not None:
        note_published(append, published)
    return published


def _serves_nobody() -> bool:
    """Whether this is a shell, a command or a worker: a server runs a loop in the main thread."""
    if threading.current_thread() is not threading.main_thread() or hasattr(mail, "outbox"):
        return False  # the latter is how Django's test environment is known
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def publish_on_commit(alias: str, append: Append, using: str | None) -> Published | None:
    """Publish from sync code when what is open is committed; returns None if it waits for that.

    Args:
        alias: of the store.
        append: what to publish.
        using: the database whose transaction counts; None: each one that is open in this thread.
    """
    opened = [each for each in open_transactions() if using in (None, each)]
    if not opened:
        return publish_now(alias, append)
    if delivery_log.note is not None:
        note_stage(append, "waits for the commit")
    store = get_store(alias)
    if getattr(store, "using", None) in opened:  # what keeps it is what is committed
        store.sync.enqueue(append)  # type: ignore[attr-defined]  # a TransactionalStore
        return None
    publication = WaitingPublication(alias, append, len(opened))
    for each in opened:
        transaction.on_commit(publication.committed, using=each)
    return None


def open_transactions() -> list[str]:
    """Return the aliases of the databases on which this thread has a transaction open."""
    return [each.alias for each in connections.all(initialized_only=True) if each.in_atomic_block]
