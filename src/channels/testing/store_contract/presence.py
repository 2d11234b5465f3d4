"""Presence: who is there, in which process, for how long, and who is told."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.protocols.centrifuge.messages import Join, Leave
from channels.testing.store_contract.tools import PATIENCE, StoreTests, append, client
from channels.topics.stores.base import PresenceEntry, Retention

LEASE = 1.6


class PresenceContract(StoreTests):
    """The tests of presence."""

    async def test_who_is_there(self) -> None:
        """By client; users are counted once, nobody in particular is one of them."""
        topic = self.topic("there")
        people = [client("a", "1"), client("b", "1"), client("c", "2"), client("d"), client("e")]
        firsts = [await self.store.presence_add(topic, each) for each in people]
        assert firsts == [True, False, False, False, False]
        expected = {each.client: each for each in people}
        assert await self.store.presence(topic) == expected == self.store.sync.presence(topic)
        for stats in (await self.store.presence_stats(topic), self.store.sync.presence_stats(topic)):
            assert (stats.clients, stats.users) == (5, 3)
        lasts = [await self.store.presence_remove(topic, each) for each in people]
        assert lasts == [False, False, False, False, True]
        assert await self.store.presence(topic) == {}
        assert await self.store.presence_stats(topic) == (0, 0)
        assert await self.store.presence_add(topic, people[0]) is True

    async def test_the_same_client_twice_is_one(self) -> None:
        """The newer facts count; removing it once is enough, and one who is not there is harmless."""
        topic = self.topic("twice")
        old, new = client("a", "1"), client("a", "2")
        assert await self.store.presence_add(topic, old) is True
        assert await self.store.presence_add(topic, new) is False
        assert await self.store.presence(topic) == {"a": new}
        assert await self.store.presence_stats(topic) == (1, 1)
        assert await self.store.presence_remove(topic, client("never")) is False
        assert await self.store.presence_remove(topic, new) is True
        assert await self.store.presence_remove(topic, new) is False
        assert await self.store.presence_stats(topic) == (0, 0)

    async def test_subscribers_are_told_if_it_is_announced(self) -> None:
        """One Join and one Leave each, in the order of what happened."""
        topic, quiet = self.topic("announced"), self.topic("quiet")
        recorder = await self.receiver(topic, quiet)
        person = client("a", "1")
        for _ in range(2):
            await self.store.presence_add(quiet, person)
            await self.store.presence_add(topic, person, announce=True)
        await self.store.publish(append(topic, "between", Retention()))
        for _ in range(2):
            await self.store.presence_remove(quiet, person)
            await self.store.presence_remove(topic, person, announce=True)
        join, _, leave = await recorder.take(topic, 3)
        assert (join, leave) == (Join(info=person), Leave(info=person))
        await self.assert_quiet(recorder, quiet)
        assert len(recorder.of(topic)) == 3

    async def test_one_is_first_and_one_is_last(self) -> None:
        """Though many come and go at the same time."""
        topic = self.topic("race")
        people = [client(str(n), str(n % 7)) for n in range(60)]
        firsts = await asyncio.gather(*(self.store.presence_add(topic, each) for each in people))
        assert sum(firsts) == 1
        assert await self.store.presence_stats(topic) == (60, 7)
        lasts = await asyncio.gather(*(self.store.presence_remove(topic, each) for each in people))
        assert sum(lasts) == 1

    async def test_renewing_makes_an_entry_that_is_gone(self) -> None:
        """And announces it; those that are there are left as they are."""
        topic, other = self.topic("renewed"), self.topic("renewed too")
        there, gone = client("there", "1"), client("gone", "2")
        recorder = await self.receiver(topic)
        await self.store.presence_add(topic, there)
        await self.store.presence_renew(
            [
                PresenceEntry(topic, there, True),
                PresenceEntry(topic, gone, True),
                PresenceEntry(other, gone),
            ]
        )
        assert await self.store.presence(topic) == {"there": there, "gone": gone}
        assert await self.store.presence(other) == {"gone": gone}
        assert await self.store.presence_stats(topic) == (2, 2)
        assert await recorder.take(topic, 1) == [Join(info=gone)]
        await self.store.presence_renew([])

    async def test_presence_spans_processes(self) -> None:
        """Each sees, counts and is told of those of the other."""
        if not self.spans_processes:
            return
        other, topic = self.new_store(), self.topic("presence")
        recorder = await self.receiver(topic, store=other)
        here, there = client("here", "1"), client("there", "1")
        assert await self.store.presence_add(topic, here, announce=True) is True
        assert await other.presence_add(topic, there, announce=True) is False
        for store in (self.store, other):
            assert await store.presence(topic) == {"here": here, "there": there}
            assert await store.presence_stats(topic) == (2, 1)
        joined = await recorder.take(topic, 2)  # of two processes, so in any order
        assert Join(info=here) in joined
        assert Join(info=there) in joined
        assert await other.presence_remove(topic, there) is False
        assert await self.store.presence_remove(topic, here) is True

    async def test_what_a_dead_process_left_vanishes_within_the_lease(self) -> None:
        """The others are told when somebody looks; counts are right, and who renews stays."""
        if not self.spans_processes:
            return
        dead, alive = (self.new_store(presence_lease=LEASE) for _ in range(2))
        assert alive.presence_lease == LEASE
        topic = self.topic("lease")
        recorder = await self.receiver(topic)
        ghosts = [client("ghost 1", "1"), client("ghost 2", "2")]
        stays = client("stays", "2")
        for each in ghosts:
            await dead.presence_add(topic, each, announce=True)
        await alive.presence_add(topic, stays, announce=True)
        for _ in range(4):
            await self.pass_time(LEASE / 2)
            await alive.presence_renew([PresenceEntry(topic, stays, True)])
        await _assert_only(self, topic, stays)
        events = await recorder.take(topic, 5)
        joined = [each.info for each in events[:3]]
        assert all(each in joined for each in (*ghosts, stays))
        left = [each.info for each in events[3:] if isinstance(each, Leave) and each.info is not None]
        assert sorted(left, key=lambda info: info.client) == ghosts
        assert await dead.presence_remove(topic, ghosts[0], announce=True) is False
        assert await alive.presence_remove(topic, stays) is True
        await _assert_last_one_lapses(self, dead)

    async def test_topics_are_found_that_a_dead_process_left_empty(self) -> None:
        """And those that are not empty are not, as long as somebody renews."""
        if not self.spans_processes:
            return
        dead, alive = (self.new_store(presence_lease=LEASE) for _ in range(2))
        left, kept = self.topic("left"), self.topic("kept")
        await dead.presence_add(left, client("ghost", "1"))
        await alive.presence_add(kept, client("stays", "2"))
        found: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while left not in found:
                await self.pass_time(LEASE / 4)
                await alive.presence_renew([PresenceEntry(kept, client("stays", "2"))])
                found += await alive.lapsed()
        assert kept not in found
        assert await alive.presence_stats(left) == (0, 0)


async def _assert_only(tests: StoreTests, topic: str, info: Any) -> None:
    for presence in (await tests.store.presence(topic), tests.store.sync.presence(topic)):
        assert presence == {info.client: info}
    for stats in (await tests.store.presence_stats(topic), tests.store.sync.presence_stats(topic)):
        assert stats == (1, 1)


async def _assert_last_one_lapses(tests: StoreTests, dead: Any) -> None:
    topic = tests.topic("lapsed")
    await dead.presence_add(topic, client("last", "1"))
    await tests.pass_time(LEASE * 1.3)
    assert await tests.store.presence_stats(topic) == (0, 0)
    assert await tests.store.presence_add(topic, client("first", "1")) is True
