"""Delivery: who is told of what, in which order, in which loop, and of what may have been lost."""

from __future__ import annotations

import asyncio
import functools

from channels.testing.store_contract.tools import (
    PATIENCE,
    Recorder,
    StoreTests,
    append,
    in_threads,
    offsets,
    values,
)
from channels.topics.stores.base import Position, StoreUnavailable


class DeliveryContract(StoreTests):
    """The tests of delivery."""

    async def test_subscribers_are_told_of_their_topics(self) -> None:
        """Once, however often they subscribed; nobody else is."""
        topic, other = self.topic("told"), self.topic("other")
        one, two, nobody = await self.receiver(topic, topic, other), await self.receiver(topic), Recorder()
        self.store.attach(nobody)
        published = await self.store.publish(append(topic, "first"))
        for recorder in (one, two):
            (event,) = await recorder.take(topic, 1)
            assert (event.offset, event.epoch) == published.position  # type: ignore[union-attr]  # a publication
            assert (await self.store.read(topic)).publications == [event]
        await self.assert_quiet(nobody, topic)
        await self.assert_quiet(one, other)
        assert len(one.of(topic)) == 1

    async def test_everything_after_subscribe_arrives_and_nothing_after_unsubscribe(self) -> None:
        """Each time, also when it is done again and again."""
        topic = self.topic("churn")
        recorder = await self.receiver()
        for n in range(1, 31):
            assert recorder.of(topic) == []
            await self.store.subscribe(topic, recorder)
            await self.store.publish(append(topic, n))
            await recorder.until(functools.partial(_has, recorder, topic, 2 * n - 1))
            await self.store.unsubscribe(topic, recorder)
            recorder.events.clear()
            await self.store.publish(append(topic, -n))
        await self.assert_quiet(recorder, topic)
        await self.store.unsubscribe(topic, recorder)

    async def test_who_stays_is_told_when_another_leaves(self) -> None:
        """By unsubscribe, and by detach, which ends all its subscriptions."""
        topics = [self.topic("a"), self.topic("b")]
        stays, leaves, detached = [await self.receiver(*topics) for _ in range(3)]
        await self.store.unsubscribe(topics[0], leaves)
        self.store.detach(detached)
        self.store.detach(Recorder())
        for topic in topics:
            await self.store.publish(append(topic, topic))
        for topic in topics:
            assert values(await stays.take(topic, 1)) == [topic]
        assert values(await leaves.take(topics[1], 1)) == [topics[1]]
        await self.assert_quiet(leaves, topics[0])
        await self.store.broadcast(b"last")
        await stays.until(lambda: stays.controls == [b"last"])
        assert (detached.events, detached.controls) == ([], [])

    async def test_many_subscribe_at_once(self) -> None:
        """Each is told of what is published after its own subscribe() has returned."""
        topics = [self.topic(f"many-{n}") for n in range(50)]
        recorder = await self.receiver()

        async def subscribe_and_publish(topic: str) -> None:
            await self.store.subscribe(topic, recorder)
            await self.store.publish(append(topic, topic))

        await asyncio.gather(*map(subscribe_and_publish, topics))
        for topic in topics:
            assert values(await recorder.take(topic, 1)) == [topic]

    async def test_receivers_in_several_loops(self) -> None:
        """All are told of all, in order, and go on when the loop of another ends."""
        topic = self.topic("loops")
        here, ready = asyncio.get_running_loop(), asyncio.Queue[None]()

        async def listen(amount: int) -> None:
            recorder = await self.receiver(topic)
            here.call_soon_threadsafe(ready.put_nowait, None)
            await self.caught_up(recorder, topic, amount)
            self.store.detach(recorder)
            await self.store.aclose()

        listening = asyncio.gather(self.in_loop(lambda: listen(50)), self.in_loop(lambda: listen(150)))
        async with asyncio.timeout(PATIENCE):
            await ready.get()
            await ready.get()
        late = await self.receiver(topic)
        for n in range(200):
            await self.store.publish(append(topic, n))
            if n % 20 == 0:
                await asyncio.sleep(0.01)  # the loops end in between
        await listening
        await self.caught_up(late, topic, 200)

    async def caught_up(self, recorder: Recorder, topic: str, amount: int) -> None:
        """See that a receiver has all publications, or was told that something may be missing."""
        await recorder.until(lambda: recorder.interruptions or len(recorder.of(topic)) >= amount)
        found = offsets(recorder.of(topic))
        assert found == sorted(set(found)), "Publications came twice or out of order."

    async def test_the_last_loop_of_a_process_may_end(self) -> None:
        """A later loop begins anew."""
        topic = self.topic("ended")

        async def once() -> None:
            recorder = await self.receiver(topic)
            await self.store.publish(append(topic, "once"))
            await recorder.take(topic, 1)
            self.store.detach(recorder)
            await self.store.aclose()

        for _ in range(3):
            await self.in_loop(once)
        recorder = await self.receiver(topic)
        await self.store.publish(append(topic, "here"))
        assert values(await recorder.take(topic, 1)) == ["here"]
        assert (await self.store.read(topic)).position.offset == 4

    async def test_a_message_to_all_reaches_every_receiver(self) -> None:
        """This process included, whether it has subscribed to anything or not."""
        other = self.new_store() if self.spans_processes else self.store
        recorders = [
            await self.receiver(self.topic("any"), store=store) for store in (self.store, self.store, other)
        ]
        await self.store.broadcast(b"\x00one")
        await in_threads([lambda: self.store.sync.broadcast(b"two")])
        for recorder in recorders:
            await recorder.messages(2)
            assert recorder.controls == [b"\x00one", b"two"]
            assert recorder.events == []

    async def test_processes_reach_each_other(self) -> None:
        """One numbering, the same streams, each told of what the other publishes."""
        if not self.spans_processes:
            return
        other, topic = self.new_store(), self.topic("processes")
        here, there = await self.receiver(topic), await self.receiver(topic, store=other)
        for n in range(20):
            await (other if n % 2 else self.store).publish(append(topic, n))
        for recorder in (here, there):
            received = await recorder.take(topic, 20)
            assert (values(received), offsets(received)) == ([*range(20)], [*range(1, 21)])
        assert await other.read(topic) == await self.store.read(topic)

    async def test_an_interruption_is_told_and_nothing_comes_twice(self) -> None:
        """What was published meanwhile arrives, or can be read from the position that a receiver has."""
        topic = self.topic("interrupted")
        recorder = await self.receiver(topic)
        await self.publish_all(topic, ["before"])
        await recorder.take(topic, 1)
        if not await self.interrupt():
            return
        failures = 0
        async with asyncio.timeout(PATIENCE):
            for n in range(20):
                try:
                    await self.store.publish(append(topic, n))
                except StoreUnavailable:
                    failures += 1
                await asyncio.sleep(0.02)
        await recorder.until(lambda: recorder.interruptions)
        await self.store.publish(append(topic, "after"))
        await recorder.until(lambda: "after" in values(recorder.of(topic)))
        received = recorder.of(topic)
        found = offsets(received)
        assert found == sorted(set(found)), "Publications came twice or out of order."
        page = await self.store.read(topic, Position(1, ""))
        assert offsets(page.publications) == [*range(2, page.position.offset + 1)]
        assert len(page.publications) >= 21 - failures
        assert {each.offset for each in page.publications} >= {*found} - {1}


def _has(recorder: Recorder, topic: str, offset: int) -> bool:
    return offset in offsets(recorder.of(topic))
