"""Publishing: at once, or when the transaction that is open is committed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from django.core import mail
from django.db import connections, transaction

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.topics.names import telling
from channels.topics.stores.base import Append, Position, Published
from channels.topics.stores.manager import PROCESS_STORE, get_store
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.noting import note_published, note_stage

logger = logging.getLogger("channels.topics")
#: The first topic that was published where nobody may hear of it: what the log says once.
_unheard: list[str] = []
_UNHEARD = (
    "%s was published in memory, and this process serves no client: those of other processes hear nothing "
    "of it. Choose a store that processes share: CHANNELS_TOPICS['STORES'], or a channel layer."
)


class WaitingPublications:
    """Publications that leave when all of some transactions are committed.

    Args:
        alias: of the store.
        appends: what to publish; at least one.
        transactions: how many.
    """

    def __init__(self, alias: str, appends: Sequence[Append], transactions: int) -> None:
        self._alias, self._appends, self._transactions = alias, appends, transactions

    def committed(self) -> None:
        """Note that one of them is committed. One that is rolled back never says so."""
        self._transactions -= 1
        if not self._transactions:
            _note_all(self._appends, "committed")
            publish_all_now(self._alias, self._appends)


def publish_now(alias: str, append: Append) -> Published:
    """Publish from sync code, whatever transaction is open."""
    store = get_store(alias)
    if isinstance(store, MemoryStore) and not _unheard:
        _tell_if_unheard(append.topic)
    if telemetry.listeners:
        telemetry.emit("topics.published", topic=append.topic, beside=append.beside)
    if telemetry.create_context is not None:
        append = with_context(append, "send")
    published = store.sync.publish(append)
    if delivery_log.note is not None:
        note_published(append, published)
    if append.publication.time >= telling.quiet_until and telling.is_due(append):
        telling.tell(append, published, along=alias != PROCESS_STORE)
    return published


def publish_all_now(alias: str, appends: Sequence[Append]) -> list[Published]:
    """Publish several from sync code, in their order, in as few steps as the store needs."""
    publish_many = getattr(get_store(alias).sync, "publish_many", None)
    if publish_many is None or len(appends) == 1:
        return [publish_now(alias, append) for append in appends]
    appends = _tell_published(appends)
    published: list[Published] = publish_many(appends)
    _note_published(appends, published)
    _tell_names(appends, published, along=alias != PROCESS_STORE)
    return published


async def apublish_all_now(alias: str, appends: Sequence[Append]) -> list[Published]:
    """Publish several from async code; see :func:`publish_all_now`."""
    publish_many = getattr(get_store(alias), "publish_many", None)
    if publish_many is None or len(appends) == 1:
        return [await apublish_now(alias, append) for append in appends]
    appends = _tell_published(appends)
    published: list[Published] = await publish_many(appends)
    _note_published(appends, published)
    for append, each in zip(appends, published, strict=True):
        if append.publication.time >= telling.quiet_until and telling.is_due(append):
            await telling.atell(append, each, along=alias != PROCESS_STORE)
    return published


def _tell_names(appends: Sequence[Append], published: Sequence[Published], *, along: bool) -> None:
    for append, each in zip(appends, published, strict=True):
        if append.publication.time >= telling.quiet_until and telling.is_due(append):
            telling.tell(append, each, along=along)


def _tell_published(appends: Sequence[Append]) -> Sequence[Append]:
    """Tell what is published; returns it with where its trace goes on, where traces are on."""
    if telemetry.listeners:
        for append in appends:
            telemetry.emit("topics.published", topic=append.topic, beside=append.beside)
    if telemetry.create_context is None:
        return appends
    return [with_context(append, "send") for append in appends]


def _note_published(appends: Sequence[Append], published: Sequence[Published]) -> None:
    if delivery_log.note is not None:
        for append, each in zip(appends, published, strict=True):
            note_published(append, each)


def _note_all(appends: Sequence[Append], stage: str) -> None:
    if delivery_log.note is not None:
        for append in appends:
            note_stage(append, stage)


async def apublish_now(alias: str, append: Append) -> Published:
    """Publish from async code, whatever transaction is open."""
    if telemetry.listeners:
        telemetry.emit("topics.published", topic=append.topic, beside=append.beside)
    if telemetry.create_context is not None:
        append = with_context(append, "send")
    published = await get_store(alias).publish(append)
    if delivery_log.note is not None:
        note_published(append, published)
    if append.publication.time >= telling.quiet_until and telling.is_due(append):
        await telling.atell(append, published, along=alias != PROCESS_STORE)
    return published


def _tell_if_unheard(topic: str) -> None:
    """Say once that nobody hears what is published here, if that is so."""
    if _serves_nobody():
        _unheard.append(topic)
        logger.warning(_UNHEARD, topic)


def with_context(append: Append, operation: str) -> Append:
    """Return a publication with where its trace goes on, if it does not have that already.

    Args:
        append: what is published.
        operation: "send"; "create" if it is sent later, by somebody else.
    """
    create = telemetry.create_context
    if create is None or append.beside:
        return append
    return replace(append, beside=create(operation, "topic", append.topic, "") or None)


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
    opened = open_transactions(using)
    if not opened:
        return publish_now(alias, append)
    _wait_for_commit(alias, [append], opened)
    return None


def publish_all_on_commit(
    alias: str, appends: Sequence[Append], using: str | None
) -> Sequence[Published | None]:
    """Publish several; see :func:`publish_on_commit`."""
    opened = open_transactions(using)
    if not opened:
        return publish_all_now(alias, appends)
    _wait_for_commit(alias, appends, opened)
    return [None] * len(appends)


def _wait_for_commit(alias: str, appends: Sequence[Append], opened: list[str]) -> None:
    if telemetry.create_context is not None:
        appends = [with_context(append, "create") for append in appends]
    _note_all(appends, "waits for the commit")
    store = get_store(alias)
    if getattr(store, "using", None) in opened:  # what keeps it is what is committed
        for append in appends:
            store.sync.enqueue(append)  # type: ignore[attr-defined]  # a TransactionalStore
        unknown = [Published(Position(0, ""))] * len(appends)
        _tell_names(appends, unknown, along=False)  # the name alone: they may be rolled back
        return
    publications = WaitingPublications(alias, appends, len(opened))
    for each in opened:
        transaction.on_commit(publications.committed, using=each)


def open_transactions(using: str | None = None) -> list[str]:
    """Return the aliases of the databases on which this thread has a transaction open.

    Args:
        using: look at this one only.
    """
    opened = (each.alias for each in connections.all(initialized_only=True) if each.in_atomic_block)
    return [alias for alias in opened if using in (None, alias)]
