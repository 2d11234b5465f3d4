"""What a receiver delivers at once, and for what it has the table read."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.journal.carrying import envelope
from channels.journal.receiver import JournalReceiver
from channels.journal.tables.streams import Numbered
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Position
from channels.topics.stores.records import encode_publication


class Told:
    """Notes what a receiver hands on, and what it has read."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.fetched: list[list[str]] = []
        self.receiver = JournalReceiver(self, lambda receiver, topics: self.fetched.append(topics))

    def received(self, topic: str, event: Any) -> None:
        self.offsets.append(event.offset)

    def controlled(self, message: bytes) -> None: ...

    def interrupted(self) -> None: ...

    def carry(self, offset: int, epoch: str) -> None:
        """Bring a publication, as the carrier does."""
        record = encode_publication(Publication(data=msgspec.Raw(b"1")))
        numbered = Numbered("room", record, Position(offset, epoch))
        self.receiver.received("room", envelope(numbered).publication)


async def test_the_first_publication_of_a_new_stream_is_delivered_at_once() -> None:
    told = Told()
    told.receiver.begin("room", Position(0, ""))
    for offset in (1, 2, 2):
        told.carry(offset, "a")
    assert (told.offsets, told.fetched) == ([1, 2], [])


async def test_what_does_not_follow_is_read_from_the_table() -> None:
    for begin, (offset, epoch) in (
        (Position(0, ""), (2, "a")),
        (Position(1, "a"), (3, "a")),
        (Position(1, "a"), (2, "b")),
    ):
        told = Told()
        told.receiver.begin("room", begin)
        told.carry(offset, epoch)
        assert (told.offsets, told.fetched) == ([], [["room"]])
