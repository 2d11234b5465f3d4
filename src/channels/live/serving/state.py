"""The rows of a live query as subscribers in this event loop have them: at a position of the stream."""

from __future__ import annotations

from msgspec import Raw

from channels.live.rows import (
    Reading,
    Rows,
    encode_changes,
    encode_snapshot,
    publication_of,
    read_content,
    too_many,
)
from channels.protocols.centrifuge.messages import Publication
from channels.topics.delivery.live_topic import LiveTopic
from channels.topics.stores.base import Position


class State:
    """Rows at a position, which follow what is published.

    Args:
        live: the topic in this loop.

    Attributes:
        rows: at :attr:`position`.
        position: None until rows are known.
    """

    def __init__(self, live: LiveTopic) -> None:
        self._live = live
        self.rows = Rows()
        self.position: Position | None = None
        self._snapshot: tuple[Position, Publication] | None = None

    def set(self, rows: Rows, position: Position) -> None:
        """Begin with rows that are known at a position."""
        self.rows, self.position = rows, position

    def behind(self) -> int:
        """Return how many publications the rows have not followed yet; -1 if that cannot be known."""
        end, position = self._live.position, self.position
        if end is None or position is None or end.epoch != position.epoch:
            return -1
        return end.offset - position.offset

    def follow(self, until: int | None = None) -> bool:
        """Follow what was delivered; False if that cannot be done, and rows have to be found anew.

        Args:
            until: an offset to stop at; None: the topic's position.
        """
        if self.behind() < 0 or self.position is None:
            return False
        offset, epoch = self.position
        missed = self._live.missed(offset, epoch)
        if missed is None:
            return False
        for publication in missed:
            if until is None or publication.offset <= until:
                self.apply(publication)
        return True

    def apply(self, publication: Publication) -> None:
        """Follow one publication, the next one."""
        assert self.position is not None  # else nothing follows
        self.rows.apply(read_content(publication.data))
        self.position = Position(publication.offset, self.position.epoch)

    def snapshot(self) -> Publication | None:
        """Return the rows as a publication at the topic's position; None if they are not known."""
        if not self.follow() or self.position is None:
            return None
        if self._snapshot is None or self._snapshot[0] != self.position:
            offset, epoch = self.position
            data = encode_snapshot(self.rows.items())
            self._snapshot = self.position, publication_of(data, offset, epoch)
        return self._snapshot[1]

    def difference(self, reading: Reading, ordered: bool) -> tuple[Raw | None, int]:
        """Return what has to be published so that rows are as the database says, and how many they are then.

        It is None if nothing has to be.
        """
        changes = self.rows.changes_to(reading, ordered)
        added = sum(each.op == "insert" for each in changes) - sum(each.op == "delete" for each in changes)
        amount = len(self.rows) + added
        if not changes:
            return None, amount
        if reading.asked is None and too_many(changes, self.rows):
            return encode_snapshot(reading.rows.items()), amount
        return encode_changes(changes), amount
