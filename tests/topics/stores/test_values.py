"""The values of a store in memory; that they keep the contract is tested with their stores."""

from __future__ import annotations

from channels.journal.store import DatabaseStore
from channels.topics.stores.memory import MemoryStore
from channels.topics.stores.values import KeepsValues, MemoryValues, Value


async def test_what_has_expired_is_forgotten() -> None:
    now = [0.0]
    values = MemoryValues(lambda: now[0])
    for n in range(1000):
        now[0] += 1
        assert await values.put(f"{n}", Value(1, b""), 10)
    assert len(values._kept) < 100
    assert await values.get("999") == Value(1, b"")


def test_a_store_may_have_values_or_none() -> None:
    assert isinstance(MemoryStore(), KeepsValues)
    assert not isinstance(DatabaseStore(carrier=MemoryStore()), KeepsValues)
