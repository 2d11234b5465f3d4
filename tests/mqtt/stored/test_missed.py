"""What follows a mark, in streams that go on, were cut, began anew, or only believe that they did."""

from __future__ import annotations

import pytest

from channels.mqtt.stored.missed import find_sent, read_missed
from channels.mqtt.stored.record import Mark
from channels.testing.store_contract.tools import publication
from channels.topics.stores.base import Append, Position, Retention, StreamPage
from channels.topics.stores.memory import MemoryStore

KEPT = Retention(size=5, ttl=600)
#: A time at which nothing was published.
NEVER = 1


async def published(amount: int) -> tuple[MemoryStore, str]:
    """Return a store with publications 1, 2, 3 ..., published at 10, 20, 30 ..., and their epoch."""
    store, epoch = MemoryStore(), ""
    for number in range(1, amount + 1):
        append = Append("t", publication(number, time=10 * number), KEPT)
        epoch = (await store.publish(append)).position.epoch
    return store, epoch


@pytest.mark.parametrize(
    ("amount", "mark", "offsets", "complete"),
    [
        (3, Mark(1, "same", 10), [2, 3], True),
        (3, Mark(3, "same", 30), [], True),
        (7, Mark(1, "same", 10), [3, 4, 5, 6, 7], False),
        (3, Mark(1, "another", 10), [2, 3], True),
        (3, Mark(1, "another", NEVER, next_time=20), [2, 3], True),
        (3, Mark(0, "another", 0, next_time=10), [1, 2, 3], True),
        (3, Mark(1, "another", NEVER), [1, 2, 3], False),
        (3, Mark(9, "another", 25), [3], False),
        (3, Mark(0, "another"), [1, 2, 3], True),
    ],
)
async def test_what_follows_a_mark(amount: int, mark: Mark, offsets: list[int], complete: bool) -> None:
    store, epoch = await published(amount)
    mark = mark._replace(epoch=epoch) if mark.epoch == "same" else mark
    missed = await read_missed(store, "t", mark)
    assert ([each.offset for each in missed.publications], missed.complete) == (offsets, complete)
    assert missed.position == Position(amount, epoch)


async def test_a_stream_that_was_emptied_is_not_complete() -> None:
    store, epoch = await published(3)
    await store.remove("t")
    assert await read_missed(store, "t", Mark(1, epoch, 10)) == ([], Position(3, epoch), False)


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (Mark(2, "same", 20), True),
        (Mark(2, "another", 20), True),
        (Mark(2, "another", NEVER), False),
        (Mark(4, "same", 40), False),
    ],
)
async def test_what_was_sent_is_found_again(mark: Mark, found: bool) -> None:
    store, epoch = await published(3)
    mark = mark._replace(epoch=epoch) if mark.epoch == "same" else mark
    publication = await find_sent(store, "t", mark)
    assert (publication is not None) is found
    assert publication is None or publication.offset == mark.offset


async def test_what_was_sent_and_is_trimmed_is_not_another_one() -> None:
    store, epoch = await published(7)
    assert isinstance(await store.read("t"), StreamPage)
    assert await find_sent(store, "t", Mark(1, epoch, 10)) is None
