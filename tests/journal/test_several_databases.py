"""Topics in two databases at once, of different kinds: each counts its own transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from channels.journal.checks import check_tables
from channels.journal.models import Pending, Publication
from channels.journal.store import DatabaseStore
from channels.testing.store_contract.tools import Recorder, offsets, values
from channels.topics import Topic, history
from channels.topics.stores.manager import set_store
from channels.topics.stores.memory import MemoryStore
from tests.journal.topics import Kept

PAIRS = [("sqlite", "postgresql"), ("postgresql", "mariadb"), ("mariadb", "sqlite"), ("postgresql", "sqlite")]


class Elsewhere(Topic):
    pattern = "elsewhere:<slug:name>"
    history = Kept.history
    store = "elsewhere"
    name: str


@pytest.fixture(params=PAIRS, ids="-".join)
async def recorder(request: pytest.FixtureRequest) -> AsyncIterator[Recorder]:
    """Hears both topics; the carrier is one, as it is where both stand beside a layer."""
    default, other = map(request.getfixturevalue, request.param)
    carrier, recorder = MemoryStore(), Recorder()
    with default.as_default(other=other):
        for alias in ("default", "other"):
            await asyncio.to_thread(call_command, "migrate", "channels_journal", database=alias, verbosity=0)
        stores = {
            "database": DatabaseStore(carrier=carrier),
            "elsewhere": DatabaseStore("other", carrier=carrier),
        }
        for alias, store in stores.items():
            set_store(alias, store)
        await stores["database"].subscribe(str(HERE), recorder)
        await stores["elsewhere"].subscribe(str(THERE), recorder)
        yield recorder
        for alias, store in stores.items():
            await store.aclose()
            set_store(alias, None)


HERE, THERE = Kept(name="x"), Elsewhere(name="x")


def publish_in_both() -> None:
    """Those of a transaction that is rolled back never were, whatever becomes of the other's."""
    with transaction.atomic(using="default"), transaction.atomic(using="other"):
        HERE.publish("both")
        THERE.publish("both")
    with transaction.atomic(using="default"):
        with transaction.atomic(using="other"):
            HERE.publish("never")
            THERE.publish("inner")
        transaction.set_rollback(True, using="default")
    with transaction.atomic(using="other"):
        THERE.publish("never")
        HERE.publish("never: it waits for the one transaction that is open")
        transaction.set_rollback(True, using="other")
    THERE.publish("at once")
    with transaction.atomic(using="default"):
        HERE.publish("last")
    with transaction.atomic(using="other"):
        THERE.publish("last")


async def test_each_leaves_with_the_transaction_of_its_database(recorder: Recorder) -> None:
    await asyncio.to_thread(publish_in_both)
    here, there = await recorder.take(str(HERE), 2), await recorder.take(str(THERE), 4)
    assert (values(here), offsets(here)) == (["both", "last"], [1, 2])
    assert (values(there), offsets(there)) == (["both", "inner", "at once", "last"], [1, 2, 3, 4])
    assert await asyncio.to_thread(lambda: [each.data for each in history(THERE).entries]) == values(there)
    assert await asyncio.to_thread(counts) == {"default": (0, 2), "other": (0, 4)}


def counts() -> dict[str, tuple[int, int]]:
    models: Any = Pending, Publication
    return {
        alias: tuple(model.objects.using(alias).count() for model in models) for alias in ("default", "other")
    }


def test_the_check_names_the_database_that_lacks_the_tables(sqlite, postgresql, settings) -> None:
    backend = "channels.journal.DatabaseStore"
    settings.CHANNELS_TOPICS = {
        "STORES": {"a": {"BACKEND": backend}, "b": {"BACKEND": backend, "CONFIG": {"using": "other"}}}
    }
    with sqlite.as_default(other=postgresql):
        call_command("migrate", "channels_journal", verbosity=0)
        (warning,) = check_tables(None, ["default", "other"])
        assert "'other'" in warning.msg
        assert "--database other" in str(warning.hint)
