"""Streams: offsets, epochs, what is read, and what is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.testing.store_contract.tools import (
    KEPT,
    StoreTests,
    append,
    client,
    in_threads,
    mark_of,
    offsets,
    values,
)
from channels.topics.stores.base import Append, Position, Published, Retention

#: Names that have characters which mean something to some backend.
NAMES = ("plain", "é ✓ 🎉", "{", "}", "{a}b}", "a b*?[x]", "%7B", "x" * 200)


class StreamContract(StoreTests):
    """The tests of streams."""

    async def test_publications_are_numbered_from_one_within_one_epoch(self) -> None:
        """publish() says where each is, and a page has the same."""
        topic = self.topic("numbered")
        published = [await self.store.publish(append(topic, n)) for n in range(5)]
        assert [each.position.offset for each in published] == [1, 2, 3, 4, 5]
        assert all(each.accepted for each in published)
        page = await self.store.read(topic)
        assert (values(page.publications), offsets(page.publications)) == ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5])
        assert {each.position.epoch for each in published} == {page.position.epoch}
        assert page.position == published[-1].position
        assert page.position.epoch

    async def test_a_batch_keeps_its_order(self) -> None:
        """Each is where publish() would have put it, and subscribers get all; a store need not have it."""
        publish = getattr(self.store, "publish_many", None)
        if publish is not None:
            await _assert_batch(self, publish, "async")
        in_sync = getattr(self.store.sync, "publish_many", None)
        if in_sync is not None:
            await _assert_batch(self, lambda given: asyncio.to_thread(in_sync, given), "sync")

    async def test_an_empty_stream_has_an_epoch_that_stays(self) -> None:
        """Who reads it twice, and who publishes first, find the same one."""
        topic = self.topic("empty")
        first = await self.store.read(topic)
        assert (first.publications, first.position.offset) == ([], 0)
        assert first.position.epoch
        assert await self.store.read(topic, limit=0) == first
        published = await self.store.publish(append(topic, 1))
        assert published.position == Position(1, first.position.epoch)
        assert (await self.store.read(self.topic("other"))).position.epoch != first.position.epoch

    async def test_all_that_a_publication_has_comes_back(self) -> None:
        """Live and from the stream: payload to the byte, who published, tags and all else."""
        topic = self.topic("fields")
        recorder = await self.receiver(topic)
        sent = [
            Publication(
                data=msgspec.Raw(b'{"text": "h\xc3\xa9 \\n", "n": [1.50, null]}'),
                info=ClientInfo(user="42", client="c1", conn_info=msgspec.Raw(b'"\xc3\xa9"')),
                tags={"team": "é", "": "empty"},
                time=1_764_521_000_123,
                key="row",
                removed=True,
                score=-7,
                version=2**53,
            ),
            Publication(data=msgspec.Raw(bytes(range(256)))),
            Publication(),
        ]
        for each in sent:
            await self.store.publish(Append(topic, each, KEPT))
        page = await self.store.read(topic)
        expected = [
            msgspec.structs.replace(each, offset=n, epoch=page.position.epoch)
            for n, each in enumerate(sent, 1)
        ]
        received = await recorder.take(topic, len(sent))
        assert page.publications == expected
        assert received == expected
        for found in (page.publications[0], page.publications[-1], received[0], received[-1]):
            json = msgspec.json.encode(found)  # a payload that is not there is left out
            assert msgspec.json.decode(json, type=Publication) == found

    async def test_pieces_of_a_stream(self) -> None:
        """``since`` is exclusive, ``limit`` counts publications, ``reverse`` is newest first."""
        topic = self.topic("pieces")
        await self.publish_all(topic, range(1, 11))
        end = (await self.store.read(topic, limit=0)).position
        cases: list[tuple[dict[str, Any], list[int]]] = [
            ({"limit": 0}, []),
            ({"limit": 3}, [1, 2, 3]),
            ({"limit": 100}, [*range(1, 11)]),
            ({"since": 0}, [*range(1, 11)]),
            ({"since": 7}, [8, 9, 10]),
            ({"since": 7, "limit": 2}, [8, 9]),
            ({"since": 10}, []),
            ({"since": 99}, []),
            ({"since": 7, "limit": 0}, []),
            ({"reverse": True}, [*range(10, 0, -1)]),
            ({"reverse": True, "limit": 2}, [10, 9]),
            ({"reverse": True, "since": 3}, [2, 1]),
            ({"reverse": True, "since": 9, "limit": 2}, [8, 7]),
            ({"reverse": True, "since": 1}, []),
            ({"reverse": True, "since": 99, "limit": 1}, [10]),
        ]
        for arguments, expected in cases:
            if "since" in arguments:  # its epoch is not compared
                arguments["since"] = Position(arguments["since"], "another")
            for page in (await self.store.read(topic, **arguments), self.store.sync.read(topic, **arguments)):
                assert offsets(page.publications) == expected, arguments
                assert page.position == end, arguments

    async def test_long_streams_are_read_whole(self) -> None:
        """However the backend cuts them into pieces."""
        topic, amount = self.topic("long"), 2500
        for first in range(0, amount, 100):
            await asyncio.gather(*(self.store.publish(append(topic, n)) for n in range(first, first + 100)))
        forward, backward = await self.store.read(topic), await self.store.read(topic, reverse=True)
        assert offsets(forward.publications) == [*range(1, amount + 1)]
        assert backward.publications == forward.publications[::-1]
        piece = await self.store.read(topic, Position(100, ""), limit=1700)
        assert offsets(piece.publications) == [*range(101, 1801)]
        assert piece.position == forward.position

    async def test_any_name_is_a_topic_of_its_own(self) -> None:
        """Whatever characters it has."""
        mark = mark_of(self)
        names = [f"{name}{mark}" for name in NAMES] + [f"{mark}{name}" for name in NAMES]
        recorder = await self.receiver(*names)
        for name in names:
            assert (await self.store.publish(append(name, name))).position.offset == 1, name
            await self.store.presence_add(name, client(name))
        for name in names:
            assert values(await recorder.take(name, 1)) == [name]
            assert values((await self.store.read(name)).publications) == [name]
            assert [*await self.store.presence(name)] == [name]

    async def test_offsets_have_no_gap_whoever_publishes(self) -> None:
        """Tasks, loops in other threads and sync code at the same time; subscribers see them in order."""
        topic, each = self.topic("gapless"), 40
        recorder = await self.receiver(topic)
        found: list[int] = []

        async def publish(who: str) -> None:
            for n in range(each):
                found.append((await self.store.publish(append(topic, [who, n]))).position.offset)

        def publish_sync(who: str) -> None:
            for n in range(each):
                found.append(self.store.sync.publish(append(topic, [who, n])).position.offset)

        await asyncio.gather(
            *(publish(f"task {n}") for n in range(4)),
            self.in_loop(lambda: publish("loop 1")),
            self.in_loop(lambda: publish("loop 2")),
            in_threads([lambda: publish_sync("thread 1"), lambda: publish_sync("thread 2")]),
        )
        total = 8 * each
        assert sorted(found) == [*range(1, total + 1)]
        received = await recorder.take(topic, total)
        assert offsets(received) == [*range(1, total + 1)]
        assert (await self.store.read(topic)).publications == received
        for who in {who for who, _ in values(received)}:
            assert [n for name, n in values(received) if name == who] == [*range(each)]

    async def test_sync_code_has_the_same_streams(self) -> None:
        """In the thread of a running loop, and in another."""
        topic = self.topic("sync")
        recorder = await self.receiver(topic)

        def work() -> None:
            self.store.sync.publish(append(topic, "sync"))
            self.store.sync.broadcast(b"sync")

        work()
        await self.in_thread(work)
        await self.store.publish(append(topic, "async"))
        assert values(await recorder.take(topic, 3)) == ["sync", "sync", "async"]
        assert self.store.sync.read(topic) == await self.store.read(topic)
        await recorder.until(lambda: len(recorder.controls) == 2)
        self.store.sync.remove(topic)
        assert self.store.sync.read(topic).publications == []

    # What is left out

    async def test_the_same_key_is_published_once(self) -> None:
        """The second gets the position of the first, with history and without."""
        for retention in (KEPT, Retention()):
            topic = self.topic(f"idempotent-{retention.size}")
            recorder = await self.receiver(topic)
            first = await self.store.publish(append(topic, 1, retention, idempotency_key="a"))
            await self.store.publish(append(topic, 2, retention, idempotency_key="b"))
            again = await self.store.publish(append(topic, 3, retention, idempotency_key="a"))
            sync = self.store.sync.publish(append(topic, 4, retention, idempotency_key="b"))
            assert (first.accepted, again.accepted, sync.accepted) == (True, False, False)
            assert again.position == first.position
            await self.store.publish(append(topic, 5, retention))
            assert values(await recorder.take(topic, 3)) == [1, 2, 5]

    async def test_a_key_is_remembered_for_its_time(self) -> None:
        """Then it is a new one."""
        topic, retention = self.topic("key-ttl"), Retention(10, 60, idempotency_ttl=1.0)
        await self.store.publish(append(topic, 1, retention, idempotency_key="a"))
        assert not (await self.store.publish(append(topic, 2, retention, idempotency_key="a"))).accepted
        await self.pass_time(1.3)
        assert (await self.store.publish(append(topic, 3, retention, idempotency_key="a"))).accepted
        assert values((await self.store.read(topic)).publications) == [1, 3]

    async def test_one_of_many_with_the_same_key_is_published(self) -> None:
        """Also when they come at the same time."""
        topic = self.topic("key-race")
        appends = [append(topic, n, idempotency_key="k") for n in range(20)]
        published = await asyncio.gather(*map(self.store.publish, appends))
        assert sum(each.accepted for each in published) == 1
        assert {each.position.offset for each in published} == {1}

    async def test_old_versions_are_left_out(self) -> None:
        """Those that are not above the last one of the same epoch."""
        for retention in (KEPT, Retention()):
            topic = self.topic(f"version-{retention.size}")
            recorder = await self.receiver(topic)
            cases: list[tuple[dict[str, Any], bool]] = [
                (dict(version=5), True),
                (dict(version=5), False),
                (dict(version=4), False),
                (dict(), True),
                (dict(version=5), False),
                (dict(version=6), True),
                (dict(version=2**53 - 1), True),
                (dict(version=1, version_epoch="é b"), True),
                (dict(version=1, version_epoch="é b"), False),
                (dict(version=2, version_epoch="é b"), True),
            ]
            for n, (options, accepted) in enumerate(cases):
                published = await self.store.publish(append(topic, n, retention, **options))
                assert published.accepted is accepted, (n, options)
            expected = [n for n, (_, accepted) in enumerate(cases) if accepted]
            assert values(await recorder.take(topic, len(expected))) == expected


async def _assert_batch(
    tests: StoreTests, publish: Callable[[Any], Awaitable[list[Published]]], how: str
) -> None:
    """Fail if publications of a batch are not where they should be."""
    even, odd, fleeting = (tests.topic(f"{name}-{how}") for name in ("even", "odd", "fleeting"))
    recorder = await tests.receiver(even, fleeting)
    given = [append((even, odd)[n % 2], n) for n in range(600)]
    given += [append(odd, "once", idempotency_key="k"), append(odd, "twice", idempotency_key="k")]
    given += [append(fleeting, n, Retention()) for n in range(3)]
    published = await publish(given)
    assert [each.position.offset for each in published] == [
        *(n // 2 + 1 for n in range(600)), 301, 301, 0, 0, 0
    ]  # fmt: skip
    assert [n for n, each in enumerate(published) if not each.accepted] == [601]
    assert values(await recorder.take(even, 300)) == [*range(0, 600, 2)]
    assert values(await recorder.take(fleeting, 3)) == [0, 1, 2]
    page = await tests.store.read(odd)
    assert values(page.publications) == [*range(1, 600, 2), "once"]
    assert page.position == published[600].position
