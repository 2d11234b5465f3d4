"""Where sessions are stored when the store of topics keeps no values."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.journal.store import DatabaseStore
from channels.mqtt.stored.values import session_values
from channels.topics.stores.manager import BESIDE_LAYER, get_store, set_store
from channels.topics.stores.memory import MemoryStore


def test_sessions_are_beside_the_topics_or_where_the_layer_leads_to() -> None:
    assert session_values() is get_store().values  # type: ignore[attr-defined]  # it is in memory
    journal, beside = DatabaseStore(carrier=MemoryStore()), MemoryStore()
    set_store("default", journal)
    before = set_store(BESIDE_LAYER, beside)
    try:
        assert session_values() is beside.values
        set_store(BESIDE_LAYER, journal)
        with pytest.raises(ImproperlyConfigured, match="values"):
            session_values()
    finally:
        set_store(BESIDE_LAYER, before)
