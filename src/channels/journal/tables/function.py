"""Numbering by one call of the function that a migration has made on PostgreSQL.

It takes publications whose rows are known: as they were read, or as a transaction of this process has written
them. What needs more than a stream's counter (keys, versions, a stream that is new or over) is not its work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from django.db import DatabaseError, connections

from channels.journal.tables.direct import execute_prepared, is_direct
from channels.journal.tables.records import PendingAppend, digest_of
from channels.journal.tables.statements import NUMBER
from channels.journal.tables.streams import SLACK, Numbered
from channels.journal.tables.transactions import error_code, in_autocommit, is_race, understood
from channels.topics.stores.base import Position, StoreUnavailable

logger = logging.getLogger("channels.journal")

#: What PostgreSQL calls a function that is not there.
_NO_FUNCTION: Final = "42883"
_VALUES: Final = 12
_DIRECT: Final = (NUMBER % tuple(f"${number}" for number in range(1, _VALUES + 1))).encode()
_FORMATS: Final = [0, 1, *[0] * (_VALUES - 2)]  # the note is binary
# Databases whose migrations have not run yet: those wait for the next process.
_without: Final[set[str]] = set()


class Result(NamedTuple):
    """What a call has done.

    Attributes:
        numbered: what is to be handed on, in order.
        complete: nothing was left to do.
        full: topics that keep so much more than they are to that it has to be removed.
    """

    numbered: list[Numbered]
    complete: bool
    full: list[str]


class _Topic:
    """What one call appends to a stream."""

    __slots__ = ("amount", "ends", "keep", "number")

    def __init__(self) -> None:
        self.amount = self.keep = self.ends = self.number = 0

    def append(self, append: PendingAppend, now: int) -> int:
        """Return its place among those of this call; 0 if it is not kept."""
        self.keep, self.ends = append.keep, now + round(1000 * max(append.position_ttl, append.ttl))
        if not append.keep:
            return 0
        self.amount += 1
        return self.amount


def number_by_function(
    using: str,
    now: int,
    ids: Sequence[int],
    appends: Sequence[PendingAppend],
    note: tuple[str, bytes] | None,
) -> Result | None:
    """Number publications, if that needs no more than one call.

    Args:
        using: the database.
        now: milliseconds since 1970.
        ids: of the rows, ascending.
        appends: what they hold.
        note: the owner and the note of topics that are now on their way.

    Returns:
        None if nothing was done: somebody else was faster, or it needs the transaction that takes all cases.
    """
    if not is_possible(using) or any(each.idempotency_key or each.version for each in appends):
        return None
    topics = {digest: _Topic() for digest in sorted({digest_of(each.topic) for each in appends})}
    places = [topics[digest_of(each.topic)].append(each, now) for each in appends]
    rows = _call(using, _values(now, ids, appends, note, topics, places))
    if not rows:
        return None
    return _result(appends, dict(zip(topics, rows, strict=True)), topics, places)


def is_possible(using: str) -> bool:
    """Whether the database may have the function, and no transaction that an error would break is open."""
    connection = connections[using]
    return connection.vendor == "postgresql" and using not in _without and not connection.in_atomic_block


def _values(
    now: int,
    ids: Sequence[int],
    appends: Sequence[PendingAppend],
    note: tuple[str, bytes] | None,
    topics: dict[str, _Topic],
    places: list[int],
) -> list[Any]:
    for number, topic in enumerate(topics.values(), 1):
        topic.number = number
    each = topics.values()
    return [
        *(note or (None, None)),
        now,
        array(topics),
        array(topic.amount for topic in each),
        array(topic.keep for topic in each),
        array(topic.ends for topic in each),
        array(ids),
        array(topics[digest_of(append.topic)].number for append in appends),
        array(places),
        array(now + round(1000 * append.ttl) for append in appends),
        array(f'"\\\\x{append.record.hex()}"' for append in appends),
    ]


def array(values: Iterable[Any]) -> str:
    """Return an array as PostgreSQL reads it; drivers need ten times as long for a list."""
    return f"{{{','.join(map(str, values))}}}"


def _call(using: str, values: list[Any]) -> list[Any]:
    def call(cursor: Any) -> list[Any]:
        cursor.execute(NUMBER, values)
        return list(cursor.fetchall())

    connection: Any = connections[using]
    try:
        if is_direct(connection):
            with understood(using):
                return _call_directly(connection, values)
        return in_autocommit(using, call)
    except StoreUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, DatabaseError) and is_race(cause):
            return []
        if isinstance(cause, DatabaseError) and error_code(cause) == _NO_FUNCTION:
            _without.add(using)
            logger.warning(
                "Topics in the database %r leave faster after `manage.py migrate channels_journal`.",
                using,
            )
            return []
        raise


def _call_directly(connection: Any, values: list[Any]) -> list[Any]:
    encoded = [each if each is None or type(each) is bytes else str(each).encode() for each in values]
    result = execute_prepared(connection, _DIRECT, encoded, _FORMATS)
    rows = range(result.ntuples)
    get = result.get_value
    return [(get(i, 0).decode(), int(get(i, 1)), int(get(i, 2)), get(i, 3) == b"t") for i in rows]


def _result(
    appends: Sequence[PendingAppend], rows: dict[str, Any], topics: dict[str, _Topic], places: list[int]
) -> Result:
    numbered = []
    full: dict[str, None] = {}
    for append, place in zip(appends, places, strict=True):
        digest = digest_of(append.topic)
        epoch, base, floor, _ = rows[digest]
        position = Position(base + place if place else 0, epoch)
        numbered.append(Numbered(append.topic, append.record, position))
        if base + topics[digest].amount - append.keep - floor >= SLACK:
            full[append.topic] = None
    are_more = next(iter(rows.values()))[3]
    return Result(numbered, not are_more, list(full))
