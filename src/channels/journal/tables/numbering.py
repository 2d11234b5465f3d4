"""The one transaction that gives offsets: to what is pending, by its ids, and to what is published at once.

Whoever numbers holds the rows of the streams. What it has read before it held them may have been numbered by
somebody else meanwhile: then fewer rows are deleted than were read, and it begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from django.db import IntegrityError, connections, transaction

from channels import telemetry
from channels.journal.tables.function import is_possible, number_by_function
from channels.journal.tables.notes import write_note
from channels.journal.tables.records import PendingAppend, ascii_of, decode_pending, digest_of
from channels.journal.tables.statements import (
    DELETE_PENDING,
    INSERT_PUBLICATION,
    INSERT_STREAM,
    LOCK,
    PENDING,
    listed,
    statements_of,
)
from channels.journal.tables.streams import Numbered, StreamRow
from channels.journal.tables.transactions import in_autocommit, in_transaction, understood
from channels.topics.stores.base import Published, Retention
from channels.topics.stores.memory import new_epoch

#: Pending publications that one transaction numbers.
BATCH: Final = 500

_T = TypeVar("_T")

Clock = Callable[[], float]
#: Returns the owner of a note and the note of the topics that are now on their way.
Note = Callable[[Iterable[str]], tuple[str, bytes]]


class Batch(NamedTuple):
    """What one transaction has done.

    Attributes:
        numbered: what is to be handed on, in order.
        published: what became of what was published at once.
        complete: nothing was left to do when it read.
        full: topics that keep too much; see :func:`trim`.
    """

    numbered: list[Numbered]
    published: list[Published]
    complete: bool = True
    full: Sequence[str] = ()


class _Missing(Exception):
    """Streams have no rows yet."""

    def __init__(self, topics: list[str]) -> None:
        super().__init__(topics)
        self.topics = topics


class _Overtaken(Exception):
    """Somebody else has numbered what was read."""


class _Waiting(NamedTuple):
    ids: list[int]
    appends: list[PendingAppend]


def number_pending(using: str, clock: Clock, note: Note | None) -> Batch:
    """Number what is pending, as much as fits into a batch.

    Args:
        using: the database.
        clock: seconds since 1970.
        note: returns the owner and the note of topics that are now on their way; None: nothing is noted.
    """
    if is_possible(using):
        batch = number_rows(using, clock, note, in_autocommit(using, partial(_pending, using)))
        if batch is not None:
            return batch

    def work(cursor: Any) -> Batch:
        statements, now = statements_of(connections[using]), _milliseconds(clock)
        if statements.lock:
            cursor.execute(statements.lock, [LOCK])
            cursor.fetchall()
        waiting = _decoded(_pending(using, cursor))
        if not waiting.ids:
            return Batch([], [])
        streams = _locked(cursor, using, sorted({each.topic for each in waiting.appends}))
        batch = _number(cursor, streams, waiting, [], now)
        if note is not None and batch.numbered:
            write_note(cursor, *note({each.topic for each in batch.numbered}), now)
        return batch._replace(complete=len(waiting.ids) < BATCH)

    return _until_done(using, clock, work)


def number_rows(using: str, clock: Clock, note: Note | None, rows: Sequence[Any]) -> Batch | None:
    """Number pending rows that are known, if one call does it; None if nothing was done."""
    waiting = _decoded(rows)
    if len(waiting.ids) > len(waiting.appends):
        return None
    if not rows:
        return Batch([], [])
    noted = note({each.topic for each in waiting.appends}) if note is not None else None
    result = number_by_function(using, _milliseconds(clock), waiting.ids, waiting.appends, noted)
    if result is None:
        return None
    return Batch(result.numbered, [], result.complete, result.full)


def trim(using: str, clock: Clock, topics: Iterable[str]) -> None:
    """Remove what streams have too much."""
    for topic in topics:
        with_stream(using, clock, topic, lambda cursor, stream: None)


def _pending(using: str, cursor: Any) -> list[Any]:
    cursor.execute(statements_of(connections[using]).limited(PENDING, BATCH))
    return list(cursor.fetchall())


def number_topics(
    using: str, clock: Clock, topics: Iterable[str], direct: Sequence[PendingAppend] = ()
) -> Batch:
    """Number what is pending for some topics, and then what is published to them at once."""
    names = sorted(topics)

    def work(cursor: Any) -> Batch:
        streams = _locked(cursor, using, names)
        # No index finds those of a topic, as each commit would pay for it; where more wait, relays are at it.
        cursor.execute(statements_of(connections[using]).limited(PENDING, BATCH))
        digests = set(map(digest_of, names))
        waiting = _decoded(row for row in cursor.fetchall() if row[1] in digests)
        return _number(cursor, streams, waiting, direct, _milliseconds(clock))

    return _until_done(using, clock, work)


def with_stream(using: str, clock: Clock, topic: str, change: Callable[[Any, StreamRow], None]) -> StreamRow:
    """Change a stream's row while it is locked; it is made if it is missing, and renewed if it ended."""

    def work(cursor: Any) -> StreamRow:
        (stream,) = _locked(cursor, using, [topic]).values()
        stream.renew(cursor, _milliseconds(clock))
        change(cursor, stream)
        stream.save(cursor)
        return stream

    return _until_done(using, clock, work)


def _until_done(using: str, clock: Clock, work: Callable[[Any], _T]) -> _T:
    """Do work until nobody overtakes it, and make the streams that it misses before."""
    while True:
        try:
            return in_transaction(using, work)
        except _Overtaken:
            telemetry.count("journal.overtaken")
        except _Missing as missing:
            for topic in missing.topics:
                _create(using, clock, topic)


def _create(using: str, clock: Clock, topic: str) -> None:
    """Make a stream; another process may be faster."""
    ends = _milliseconds(clock) + round(1000 * Retention().position_ttl)
    values: list[Any] = [digest_of(topic), ascii_of(topic), new_epoch(), ends]
    with understood(using):
        try:
            with transaction.atomic(using=using), connections[using].cursor() as cursor:
                cursor.execute(INSERT_STREAM, values)
        except IntegrityError:
            pass


def _number(
    cursor: Any, streams: dict[str, StreamRow], waiting: _Waiting, direct: Sequence[PendingAppend], now: int
) -> Batch:
    if waiting.ids:
        cursor.execute(listed(DELETE_PENDING, len(waiting.ids)), waiting.ids)
        if cursor.rowcount != len(waiting.ids):
            raise _Overtaken
    for stream in streams.values():
        stream.renew(cursor, now)
    numbered: list[Numbered] = []
    rows: list[Any] = []
    published = []
    for append in (*waiting.appends, *direct):
        stream = streams[append.topic]
        seen = stream.seen_before(cursor, append, now)
        if seen is None:
            position = stream.append(cursor, append, now)
            numbered.append(Numbered(append.topic, append.record, position))
            if position.offset:
                rows.append((stream.id, position.offset, now + round(1000 * append.ttl), append.record))
        published.append(seen or Published(position))
    if len(rows) == 1:  # psycopg would make a pipeline for it
        cursor.execute(INSERT_PUBLICATION, rows[0])
    elif rows:
        cursor.executemany(INSERT_PUBLICATION, rows)
    for stream in streams.values():
        stream.save(cursor)
    return Batch(numbered, published[len(waiting.appends) :])


def _locked(cursor: Any, using: str, topics: list[str]) -> dict[str, StreamRow]:
    """Return the streams of topics, locked.

    Raises:
        _Missing: some are not there.
    """
    if not topics:
        return {}
    digests = {digest_of(topic): topic for topic in topics}
    cursor.execute(statements_of(connections[using]).lock_streams(len(digests)), list(digests))
    found = {digests[row[1]]: StreamRow(row) for row in cursor.fetchall()}
    if len(found) < len(topics):
        raise _Missing([topic for topic in topics if topic not in found])
    return found


def _decoded(rows: Iterable[Any]) -> _Waiting:
    """Return pending rows; one that nobody can read is counted and removed with the others."""
    ids, appends = [], []
    for number, _, record in rows:
        ids.append(number)
        try:
            appends.append(decode_pending(bytes(record)))
        except msgspec.DecodeError as error:
            telemetry.count("journal.undecodable", error=repr(error))
    return _Waiting(ids, appends)


def _milliseconds(clock: Clock) -> int:
    return round(1000 * clock())
