"""A stream's row while it is locked: what becomes of each publication."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from channels.journal.tables.records import PendingAppend, ascii_of, digest_of
from channels.journal.tables.statements import FORGET_KEY, FORGET_KEYS, INSERT_KEY, SEEN, TRIM, UPDATE_STREAM
from channels.topics.stores.base import Position, Published
from channels.topics.stores.memory import new_epoch

#: Publications over a stream's size that may wait to be removed together; nobody reads them.
SLACK: Final = 100


class Numbered(NamedTuple):
    """A publication that has its place, or needs none (offset 0), on its way to subscribers."""

    topic: str
    record: bytes
    position: Position


class StreamRow:
    """One row of ``Stream``, locked.

    Args:
        row: as ``lock_streams`` reads it.

    Attributes:
        id, topic, epoch, top: see :class:`channels.journal.models.Stream`.
    """

    __slots__ = ("_changed", "_ends", "_floor", "_keep", "_version", "epoch", "id", "top", "topic")

    def __init__(self, row: Any) -> None:
        self.id, _, self.topic, self.epoch, self.top = row[:5]
        self._keep, self._floor, self._ends = row[5:8]
        self._version = row[8], row[9] or ""
        self._changed = False

    @property
    def position(self) -> Position:
        """The end of the stream."""
        return Position(self.top, self.epoch)

    def renew(self, cursor: Any, now: int) -> None:
        """Begin a new epoch if the time of the stream is over."""
        if self._ends > now:
            return
        cursor.execute(TRIM, [self.id, self.top])
        cursor.execute(FORGET_KEYS, [self.id])
        self.epoch, self.top, self._floor, self._version = new_epoch(), 0, 0, (0, "")
        self._changed = True

    def seen_before(self, cursor: Any, append: PendingAppend, now: int) -> Published | None:
        """Return what to answer to a publication that is to be left out."""
        if append.idempotency_key:
            cursor.execute(SEEN, [self.id, digest_of(append.idempotency_key), now])
            for place, epoch in cursor.fetchall():
                return Published(Position(place, epoch), accepted=False)
        version, version_epoch = self._version
        if append.version and ascii_of(append.version_epoch) == version_epoch and append.version <= version:
            return Published(self.position, accepted=False)
        return None

    def append(self, cursor: Any, append: PendingAppend, now: int) -> Position:
        """Give a publication its place; offset 0 if it is not kept."""
        self._changed, self._keep = True, append.keep
        if append.keep:
            self.top += 1
        self._ends = now + round(1000 * max(append.position_ttl, append.ttl))
        if append.idempotency_key:
            digest = digest_of(append.idempotency_key)
            expires = now + round(1000 * append.idempotency_ttl)
            cursor.execute(FORGET_KEY, [self.id, digest])
            cursor.execute(INSERT_KEY, [self.id, digest, self.top, self.epoch, expires])
        if append.version:
            self._version = append.version, ascii_of(append.version_epoch)
        return Position(self.top if append.keep else 0, self.epoch)

    def clear(self, cursor: Any) -> None:
        """Remove all publications; the position stays."""
        cursor.execute(TRIM, [self.id, self.top])
        self._floor, self._changed = self.top, True

    def save(self, cursor: Any) -> None:
        """Write what has changed, and remove what is too much."""
        least = self.top - self._keep
        if least - self._floor >= SLACK:
            cursor.execute(TRIM, [self.id, least])
            self._floor, self._changed = least, True
        if self._changed:
            values = [self.epoch, self.top, self._keep, self._floor, self._ends, *self._version, self.id]
            cursor.execute(UPDATE_STREAM, values)

    def readable_after(self) -> int:
        """The offset after which publications are there to be read."""
        return int(max(self._floor, self.top - self._keep))

    def has_ended(self, now: int) -> bool:
        """Whether its time is over."""
        return bool(self._ends <= now)
