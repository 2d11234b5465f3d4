"""Long pieces of a stream, and what may happen to it between two pages."""

from __future__ import annotations

import pytest

from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Position, StreamPage
from channels.topics.stores.redis import pages as pages_module
from channels.topics.stores.redis.pages import PageCollector


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(pages_module, "PAGE", 3)


def page(offsets, end, epoch="e"):
    return StreamPage([Publication(offset=n, epoch=epoch) for n in offsets], Position(end, epoch))


def collect(collector, *parts):
    """Give a collector its pages; returns what it asked for, and the offsets and position that it has."""
    asked = []
    for part in parts:
        assert not collector.complete
        asked.append((collector.since, collector.amount))
        collector.add(part)
    assert collector.complete
    result = collector.result()
    return asked, [each.offset for each in result.publications], result.position


def test_all_of_a_stream():
    asked, offsets, end = collect(
        PageCollector(None, -1, False), page([1, 2, 3], 7), page([4, 5, 6], 7), page([7], 7)
    )
    assert asked == [(None, 3), (3, 3), (6, 3)]
    assert (offsets, end) == ([*range(1, 8)], Position(7, "e"))


def test_what_is_published_meanwhile_belongs_to_it():
    _, offsets, end = collect(PageCollector(Position(4, "e"), -1, False), page([5, 6, 7], 7), page([8], 8))
    assert (offsets, end) == ([5, 6, 7, 8], Position(8, "e"))


def test_backwards_it_ends_where_it_began():
    asked, offsets, end = collect(PageCollector(None, -1, True), page([5, 4, 3], 5), page([2, 1], 9))
    assert asked == [(None, 3), (3, 3)]
    assert (offsets, end) == ([5, 4, 3, 2, 1], Position(5, "e"))


def test_a_limit_between_two_pages():
    asked, offsets, end = collect(PageCollector(None, 4, False), page([1, 2, 3], 9), page([4], 9))
    assert asked == [(None, 3), (3, 1)]
    assert (offsets, end) == ([1, 2, 3, 4], Position(9, "e"))


@pytest.mark.parametrize("limit", [0, 3])
def test_a_limit_that_is_reached_at_once(limit):
    found = [*range(1, limit + 1)]
    asked, offsets, _ = collect(PageCollector(None, limit, False), page(found, 9))
    assert asked == [(None, limit)]
    assert offsets == found


def test_what_was_trimmed_meanwhile_leaves_no_gap():
    _, offsets, _ = collect(PageCollector(None, -1, False), page([1, 2, 3], 5), page([5], 5))
    assert offsets == [5]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_stream_that_was_lost_meanwhile_is_the_new_one(reverse):
    first = page([9, 8, 7], 9) if reverse else page([1, 2, 3], 9)
    asked, offsets, end = collect(
        PageCollector(None, -1, reverse), first, page([], 1, "new"), page([1], 1, "new")
    )
    assert asked == [(None, 3), (first.publications[-1].offset, 3), (None, 3)]
    assert (offsets, end) == ([1], Position(1, "new"))
