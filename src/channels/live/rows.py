"""The rows of a live query as its subscribers have them, and what is published so that they stay so.

A publication is either ``{"snapshot": [{"key": 7, "row": {...}}, ...]}``, which replaces all rows, or
``{"changes": [...]}``, to be followed in order: ``{"op": "insert", "key": 7, "row": {...}, "after": 3}``,
``{"op": "change", ...}`` and ``{"op": "delete", "key": 7}``. ``after`` is there for queries with an order: it
is the key before it, null for the first; on a change it says that the row has moved.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from channels.protocols.centrifuge.messages import Publication

#: What names a row: its primary key, as JSON can say it.
Key: TypeAlias = int | str

#: By which clients know a snapshot of rows from whatever else a topic may publish.
SNAPSHOT_TAGS: Final = {"live": "snapshot"}
#: A list of changes that is longer than this part of the rows is published as a snapshot.
SNAPSHOT_PART: Final = 0.5
#: But never if there are no more changes than this.
FEW: Final = 16


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row of a snapshot."""

    key: Key
    row: Raw


class Change(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What happened to a row.

    Attributes:
        op: what.
        key: of the row.
        row: how it is now; not after a delete.
        after: the key of the row before it; None: it is the first.
    """

    op: Literal["insert", "change", "delete"]
    key: Key
    row: Raw | UnsetType = UNSET
    after: Key | UnsetType | None = UNSET


class Content(msgspec.Struct, gc=False, omit_defaults=True):
    """The data of a publication; anything else that was published has neither."""

    snapshot: list[Row] | UnsetType = UNSET
    changes: list[Change] | UnsetType = UNSET


class Reading(NamedTuple):
    """What the database says.

    Attributes:
        rows: what was found, by key; in the order of the query, if ``order`` is None.
        asked: the keys that were looked for; None: all rows.
        order: all keys in the order of the query; None: it was not asked for.
    """

    rows: dict[Key, bytes]
    asked: frozenset[Key] | None = None
    order: Sequence[Key] | None = None


_encode: Final = msgspec.json.Encoder().encode
_SNAPSHOT: Final = b'{"snapshot":'
_decode: Final = msgspec.json.Decoder(Content).decode


def read_content(data: Raw) -> Content:
    """Return what a publication says about rows."""
    try:
        return _decode(data)
    except msgspec.MsgspecError:  # somebody else has published something else
        return Content()


def publication_of(data: Raw, offset: int = 0, epoch: str = "") -> Publication:
    """Return what :func:`encode_changes` or :func:`encode_snapshot` has returned as a publication."""
    tags = SNAPSHOT_TAGS if bytes(data).startswith(_SNAPSHOT) else {}
    now = time.time_ns() // 1_000_000
    return Publication(data=data, offset=offset, epoch=epoch, tags=tags, time=now)


def encode_changes(changes: Sequence[Change]) -> Raw:
    """Return the data of a publication."""
    return Raw(_encode({"changes": changes}))


def encode_snapshot(rows: Iterable[tuple[Key, bytes]]) -> Raw:
    """Return the data of a publication that replaces all rows."""
    return Raw(_encode({"snapshot": [Row(key, Raw(row)) for key, row in rows]}))


class Rows:
    """Rows by their keys, in order.

    Args:
        rows: the first ones.
    """

    def __init__(self, rows: dict[Key, bytes] | None = None) -> None:
        self._rows = rows or {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Key) -> bytes | None:
        """Return a row; None if there is none with this key."""
        return self._rows.get(key)

    def items(self) -> Iterable[tuple[Key, bytes]]:
        """Return keys and rows, in order."""
        return self._rows.items()

    def copy(self) -> Rows:
        """Return rows that change on their own."""
        return Rows(dict(self._rows))

    def apply(self, content: Content) -> None:
        """Follow a publication."""
        if content.snapshot is not UNSET:
            self._rows = {each.key: bytes(each.row) for each in content.snapshot}
        for change in content.changes or ():
            self._apply(change)

    def _apply(self, change: Change) -> None:
        if change.op == "delete":
            self._rows.pop(change.key, None)
        elif change.row is not UNSET:
            row = bytes(change.row)
            if change.after is UNSET:
                self._rows[change.key] = row
            else:
                self._place(change.key, row, change.after)

    def _place(self, key: Key, row: bytes, after: Key | None) -> None:
        self._rows.pop(key, None)
        if after is not None and (not self._rows or after == next(reversed(self._rows))):
            self._rows[key] = row
            return
        placed = {} if after is not None else {key: row}
        for each, other in self._rows.items():
            placed[each] = other
            if each == after:
                placed[key] = row
        placed.setdefault(key, row)
        self._rows = placed

    def changes_to(self, reading: Reading, ordered: bool) -> list[Change]:
        """Return what has to be done to these rows so that they are as the database says.

        Args:
            reading: what it says.
            ordered: the order of the rows counts.
        """
        asked = self._rows.keys() if reading.asked is None else reading.asked & self._rows.keys()
        gone = [key for key in asked if key not in reading.rows]
        changes = [Change("delete", key) for key in gone]
        order = reading.order if reading.order is not None else list(reading.rows)
        if ordered and (reading.asked is None or reading.order is not None):
            return changes + self._in_order(reading.rows, order, set(gone))
        for key, row in reading.rows.items():
            known = self._rows.get(key)
            if known is None:
                changes.append(Change("insert", key, Raw(row)))
            elif known != row:
                changes.append(Change("change", key, Raw(row)))
        return changes

    def _in_order(self, found: dict[Key, bytes], order: Sequence[Key], gone: set[Key]) -> list[Change]:
        """Return inserts, moves and changes that lead to an order, the fewest in the common cases."""
        wanted = [key for key in order if key in found or (key in self._rows and key not in gone)]
        among = set(wanted)
        standing = [key for key in self._rows if key in among]
        changes: list[Change] = []
        at, previous, moved = 0, None, set[Key]()
        for key in wanted:
            while at < len(standing) and standing[at] in moved:
                at += 1
            known = self._rows.get(key)
            row = found.get(key, known or b"null")
            if at < len(standing) and key not in moved:
                if standing[at] != key and standing[at + 1 : at + 2] == [key]:
                    moved.add(standing[at])  # it comes later
                    at += 1
                if standing[at] == key:
                    at += 1
                    if known != row:
                        changes.append(Change("change", key, Raw(row)))
                    previous = key
                    continue
            moved.add(key)
            changes.append(Change("insert" if known is None else "change", key, Raw(row), previous))
            previous = key
        return changes


def too_many(changes: Sequence[Change], rows: Rows) -> bool:
    """Whether a snapshot is shorter than these changes."""
    return len(changes) > max(FEW, len(rows) * SNAPSHOT_PART)
