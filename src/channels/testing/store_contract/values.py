"""Values: what is replaced by a newer version only, and by one writer of that version."""

from __future__ import annotations

import asyncio

from channels.testing.store_contract.tools import StoreTests
from channels.topics.stores.values import KeepsValues, Value, Values

#: Seconds that a value of a test is kept.
LONG = 600.0


class StoreValuesContract(StoreTests):
    """The tests of values; mix into a test case beside ``TopicStoreContract``."""

    def kept(self) -> Values:
        """Return the values of the store."""
        assert isinstance(self.store, KeepsValues)
        return self.store.values

    async def test_a_value_is_what_was_written_last(self) -> None:
        """Any bytes, also none; what was never written is None."""
        key, values = self.topic("value {%}"), self.kept()
        assert await values.get(key) is None
        for version, data in ((1, b"\x00\xff"), (2, b""), (2**62, b"x" * 70_000)):
            assert await values.put(key, Value(version, data), LONG)
            assert await values.get(key) == Value(version, data)
        assert await values.get(self.topic("another")) is None

    async def test_a_value_is_replaced_by_a_higher_version_only(self) -> None:
        """Numbers are compared, not digits."""
        key, values = self.topic("versions"), self.kept()
        assert await values.put(key, Value(9, b"nine"), LONG)
        for version in (9, 8, 1):
            assert not await values.put(key, Value(version, b"late"), LONG)
        assert await values.get(key) == Value(9, b"nine")
        assert await values.put(key, Value(10, b"ten"), LONG)
        assert await values.get(key) == Value(10, b"ten")

    async def test_one_of_several_writers_of_a_version_succeeds(self) -> None:
        """And it is its value that is there."""
        key, values = self.topic("race"), self.kept()
        written = await asyncio.gather(*(values.put(key, Value(1, b"%d" % n), LONG) for n in range(20)))
        assert written.count(True) == 1
        assert await values.get(key) == Value(1, b"%d" % written.index(True))

    async def test_a_value_ends_in_its_time_and_its_version_with_it(self) -> None:
        """Each writing counts anew."""
        key, values = self.topic("ends"), self.kept()
        assert await values.put(key, Value(7, b"short"), 0.05)
        await self.pass_time(0.1)
        assert await values.get(key) is None
        assert await values.put(key, Value(1, b"anew"), LONG)
        assert await values.put(key, Value(2, b"shorter"), 0.05)
        await self.pass_time(0.1)
        assert await values.get(key) is None

    async def test_all_stores_have_the_same_values(self) -> None:
        """Those of other processes."""
        if not self.spans_processes:
            return
        key, other = self.topic("shared"), self.new_store()
        assert await self.kept().put(key, Value(5, b"here"), LONG)
        assert await other.values.get(key) == Value(5, b"here")
        assert not await other.values.put(key, Value(5, b"there"), LONG)
