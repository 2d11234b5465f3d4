"""What a stream keeps: by size, by time, and its position when nothing is left."""

from __future__ import annotations

from channels.testing.store_contract.tools import KEPT, StoreTests, append, offsets, values
from channels.topics.stores.base import Position, Retention


class RetentionContract(StoreTests):
    """The tests of retention."""

    async def test_the_newest_are_kept(self) -> None:
        """As many as the size says; it may change."""
        topic = self.topic("size")
        await self.publish_all(topic, range(1, 21), Retention(5, 60))
        page = await self.store.read(topic)
        assert (offsets(page.publications), page.position.offset) == ([16, 17, 18, 19, 20], 20)
        assert offsets((await self.store.read(topic, Position(3, ""))).publications) == [16, 17, 18, 19, 20]
        await self.publish_all(topic, [21], Retention(2, 60))
        assert offsets((await self.store.read(topic)).publications) == [20, 21]

    async def test_without_history_nothing_is_kept(self) -> None:
        """Publications arrive, without an offset."""
        topic = self.topic("no-history")
        recorder = await self.receiver(topic)
        published = await self.store.publish(append(topic, "live", Retention()))
        assert (published.position.offset, published.accepted) == (0, True)
        assert self.store.sync.publish(append(topic, "sync", Retention())).position.offset == 0
        received = await recorder.take(topic, 2)
        assert (values(received), offsets(received)) == (["live", "sync"], [0, 0])
        assert (await self.store.read(topic)).publications == []

    async def test_publications_are_kept_for_their_time(self) -> None:
        """Each for itself; the position stays, and the next number is the next."""
        topic, retention = self.topic("ttl"), Retention(10, 2.4)
        await self.publish_all(topic, [1, 2], retention)
        await self.pass_time(1.4)
        await self.publish_all(topic, [3], retention)
        before = await self.store.read(topic)
        assert values(before.publications) == [1, 2, 3]
        await self.pass_time(1.3)
        for page in (await self.store.read(topic), await self.store.read(topic, reverse=True)):
            assert (values(page.publications), page.position) == ([3], before.position)
        assert values((await self.store.read(topic, limit=1)).publications) == [3]
        await self.pass_time(1.5)
        page = await self.store.read(topic)
        assert (page.publications, page.position) == ([], before.position)
        published = await self.store.publish(append(topic, 4, retention))
        assert published.position == Position(4, before.position.epoch)

    async def test_a_position_is_kept_for_its_time(self) -> None:
        """Counted from the last publication; then a new epoch begins at 1."""
        topic, retention = self.topic("position-ttl"), Retention(10, 0.2, position_ttl=2.0)
        first = (await self.store.publish(append(topic, 1, retention))).position
        await self.pass_time(1.2)
        assert (await self.store.publish(append(topic, 2, retention))).position == Position(2, first.epoch)
        await self.pass_time(1.2)
        assert (await self.store.read(topic)).position == Position(2, first.epoch)
        await self.pass_time(1.2)
        again = (await self.store.publish(append(topic, 3, retention))).position
        assert again.offset == 1
        assert again.epoch != first.epoch
        assert values((await self.store.read(topic)).publications) == [3]

    async def test_removing_leaves_the_position(self) -> None:
        """What was there is gone, what comes has the next number; other topics keep theirs."""
        topic, other = self.topic("removed"), self.topic("kept")
        recorder = await self.receiver(topic)
        await self.publish_all(topic, [1, 2], KEPT)
        await self.publish_all(other, [1])
        before = (await self.store.read(topic)).position
        await self.store.remove(topic)
        await self.store.remove(self.topic("never there"))
        page = await self.store.read(topic)
        assert (page.publications, page.position) == ([], before)
        assert values((await self.store.read(other)).publications) == [1]
        assert (await self.store.publish(append(topic, 3))).position == Position(3, before.epoch)
        assert offsets((await self.store.read(topic)).publications) == [3]
        assert offsets(await recorder.take(topic, 3)) == [1, 2, 3]
