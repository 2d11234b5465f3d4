"""Pages of streams, and where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from channels.journal.tables.numbering import BATCH, with_stream
from channels.journal.tables.records import digest_of
from channels.journal.tables.statements import (
    ANY_PENDING,
    PENDING_DIGESTS,
    POSITIONS,
    STREAMS,
    in_chunks,
    listed,
    statements_of,
)
from channels.journal.tables.streams import StreamRow
from channels.journal.tables.transactions import in_autocommit
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Position, StreamPage
from channels.topics.stores.records import decode_publication


def any_pending(using: str) -> bool:
    """Whether anything waits for its offset; the transaction that numbers would write to find out."""

    def look(cursor: Any) -> bool:
        cursor.execute(ANY_PENDING)
        return cursor.fetchone()[0] is not None

    return in_autocommit(using, look)


def has_pending(using: str, topic: str) -> bool:
    """Whether publications of a topic wait for their offsets."""
    digest = digest_of(topic)

    def look(cursor: Any) -> bool:
        cursor.execute(statements_of(connections[using]).limited(PENDING_DIGESTS, BATCH))
        return any(row[1] == digest for row in cursor.fetchall())

    return in_autocommit(using, look)


def read_page(
    using: str,
    clock: Callable[[], float],
    topic: str,
    since: Position | None = None,
    limit: int = -1,
    reverse: bool = False,
) -> StreamPage:
    """See :meth:`channels.topics.stores.base.Store.read`."""
    now = round(1000 * clock())

    def read(cursor: Any) -> StreamPage | None:
        cursor.execute(listed(STREAMS, 1), [digest_of(topic)])
        stream = next(map(StreamRow, cursor.fetchall()), None)
        if stream is None or stream.has_ended(now):
            return None
        if limit == 0:
            return StreamPage([], stream.position)
        after, until = stream.readable_after(), stream.top
        if since is not None and reverse:
            until = min(until, since.offset - 1)
        elif since is not None:
            after = max(after, since.offset)
        cursor.execute(statements_of(connections[using]).page(limit, reverse), [stream.id, after, until, now])
        found = [
            decode_publication(bytes(record), place, stream.epoch) for place, record in cursor.fetchall()
        ]
        return StreamPage(_unbroken(found, reverse), stream.position)

    page = in_autocommit(using, read)
    if page is None:  # it has an epoch from now on
        page = StreamPage([], with_stream(using, clock, topic, lambda cursor, stream: None).position)
    return page


def _unbroken(found: list[Publication], reverse: bool) -> list[Publication]:
    """Return the newest without a hole: after a clock has jumped, what is between may have expired first."""
    newest_first = found if reverse else found[::-1]
    for index, publication in enumerate(newest_first):
        if publication.offset != newest_first[0].offset - index:
            return found[:index] if reverse else found[-index:]
    return found


def positions(using: str, topics: Sequence[str]) -> dict[str, Position]:
    """Return where streams end; those that do not exist are left out."""
    digests = {digest_of(topic): topic for topic in topics}

    def look(cursor: Any) -> dict[str, Position]:
        found = {}
        for chunk in in_chunks(list(digests)):
            cursor.execute(listed(POSITIONS, len(chunk)), chunk)
            found.update({digests[row[0]]: Position(row[1], row[2]) for row in cursor.fetchall()})
        return found

    return in_autocommit(using, look)
