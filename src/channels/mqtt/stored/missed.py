"""What a client has missed in a topic: read from the topic's history, from a stored mark on."""

from __future__ import annotations

from typing import NamedTuple

from channels.mqtt.stored.record import Mark
from channels.protocols.centrifuge.messages import Publication
from channels.topics.registry import resolve
from channels.topics.stores.base import Position, Store
from channels.topics.stores.manager import get_store


class Missed(NamedTuple):
    """What follows a mark.

    Attributes:
        publications: in their order.
        position: the end of the stream.
        complete: whether all that followed the mark is there.
    """

    publications: list[Publication]
    position: Position
    complete: bool


def store_of(name: str) -> Store:
    """Return the store of a topic."""
    topic = resolve(name)
    return get_store() if topic is None else get_store(type(topic).store)


async def newest_of(name: str) -> Publication | None:
    """Return the newest publication of a topic; None if its history has none."""
    topic = resolve(name)
    if topic is None or type(topic).history is None:
        return None
    page = await store_of(name).read(name, limit=1, reverse=True)
    return page.publications[0] if page.publications else None


async def end_of(name: str) -> Mark | None:
    """Return the mark of a client that has all of a topic; None if the topic has no history."""
    topic = resolve(name)
    if topic is None or type(topic).history is None:
        return None
    page = await store_of(name).read(name, limit=1, reverse=True)
    return Mark(*page.position, page.publications[0].time if page.publications else 0)


async def read_missed(store: Store, name: str, mark: Mark) -> Missed:
    """Return what follows a mark in a topic.

    A store that was restarted may have begun a new epoch with all that it had: the time of the publication
    at the mark tells. If it is not there, what is newer than the mark is what the client has missed.
    """
    page = await store.read(name, Position(max(mark.offset - 1, 0), mark.epoch))
    found = [each for each in page.publications if each.offset > mark.offset]
    if page.position.epoch == mark.epoch:
        return Missed(found, page.position, _begins_after(found, mark.offset, page.position.offset))
    if _has(page.publications, mark) or (mark.next_time and _has(found, mark.after())):
        return Missed(found, page.position, complete=True)
    page = await store.read(name)
    found = [each for each in page.publications if each.time > mark.time]
    return Missed(found, page.position, complete=not mark.offset)


async def find_sent(store: Store, name: str, mark: Mark) -> Publication | None:
    """Return the publication at a mark; None if it is there no more."""
    page = await store.read(name, Position(mark.offset - 1, mark.epoch), limit=1)
    same = page.position.epoch == mark.epoch and page.publications[:1]
    if same and page.publications[0].offset == mark.offset:
        return page.publications[0]
    return page.publications[0] if _has(page.publications, mark) else None


def _begins_after(found: list[Publication], offset: int, end: int) -> bool:
    first = found[0].offset if found else end + 1
    return first == offset + 1


def _has(publications: list[Publication], mark: Mark) -> bool:
    """Whether they begin with the publication at a mark."""
    first = publications[0] if publications else None
    return first is not None and (first.offset, first.time) == (mark.offset, mark.time)
