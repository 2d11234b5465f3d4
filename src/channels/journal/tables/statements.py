"""The SQL of the journal, and where databases differ. Placeholders are Django's, which each backend takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

#: The owner of the row that relays lock.
LOCK: Final = "lock"

INSERT_PENDING: Final = "INSERT INTO channels_journal_pending (digest, record) VALUES (%s, %s)"
INSERT_PENDING_RETURNING: Final = f"{INSERT_PENDING} RETURNING id"
ANY_PENDING: Final = "SELECT MIN(id) FROM channels_journal_pending"
PENDING: Final = "SELECT id, digest, record FROM channels_journal_pending ORDER BY id"
PENDING_DIGESTS: Final = "SELECT id, digest FROM channels_journal_pending ORDER BY id"
DELETE_PENDING: Final = "DELETE FROM channels_journal_pending WHERE id IN ({})"

_STREAM: Final = (
    "SELECT id, digest, topic, epoch, top, keep, floor, ends, version, version_epoch "
    "FROM channels_journal_stream"
)
STREAMS: Final = f"{_STREAM} WHERE digest IN ({{}}) ORDER BY digest"
INSERT_STREAM: Final = (
    "INSERT INTO channels_journal_stream "
    "(digest, topic, epoch, top, keep, floor, ends, version, version_epoch) "
    "VALUES (%s, %s, %s, 0, 0, 0, %s, 0, '')"
)
UPDATE_STREAM: Final = (
    "UPDATE channels_journal_stream "
    "SET epoch = %s, top = %s, keep = %s, floor = %s, ends = %s, version = %s, version_epoch = %s "
    "WHERE id = %s"
)
POSITIONS: Final = "SELECT digest, top, epoch FROM channels_journal_stream WHERE digest IN ({})"

INSERT_PUBLICATION: Final = (
    "INSERT INTO channels_journal_publication (stream_id, place, expires, record) VALUES (%s, %s, %s, %s)"
)
TRIM: Final = "DELETE FROM channels_journal_publication WHERE stream_id = %s AND place <= %s"
_PAGE: Final = (
    "SELECT place, record FROM channels_journal_publication "
    "WHERE stream_id = %s AND place > %s AND place <= %s AND expires > %s ORDER BY place"
)

SEEN: Final = (
    "SELECT place, epoch FROM channels_journal_key WHERE stream_id = %s AND digest = %s AND expires > %s"
)
FORGET_KEY: Final = "DELETE FROM channels_journal_key WHERE stream_id = %s AND digest = %s"
FORGET_KEYS: Final = "DELETE FROM channels_journal_key WHERE stream_id = %s"
INSERT_KEY: Final = (
    "INSERT INTO channels_journal_key (stream_id, digest, place, epoch, expires) VALUES (%s, %s, %s, %s, %s)"
)

NUMBER: Final = (
    "SELECT its_epoch, its_base, its_floor, are_more FROM channels_journal_number("
    "%s, %s::bytea, %s, %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], "
    "%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bytea[])"
)

NOTE: Final = "UPDATE channels_journal_relay SET topics = %s, noted = %s WHERE owner = %s"
INSERT_RELAY: Final = "INSERT INTO channels_journal_relay (owner, topics, noted) VALUES (%s, %s, %s)"
DELETE_RELAY: Final = "DELETE FROM channels_journal_relay WHERE owner = %s"
NOTES: Final = "SELECT owner, topics, noted FROM channels_journal_relay WHERE owner <> %s"
OTHER_RELAYS: Final = "SELECT owner FROM channels_journal_relay WHERE owner NOT IN (%s, %s, %s)"
RENEW_RELAY: Final = "UPDATE channels_journal_relay SET noted = %s WHERE owner = %s"
DELETE_IDLE_RELAYS: Final = (
    "DELETE FROM channels_journal_relay WHERE noted < %s AND owner NOT IN (%s, %s) AND topics = %s"
)
CLAIM: Final = "UPDATE channels_journal_relay SET noted = %s WHERE owner = %s AND (noted <= %s OR noted > %s)"

_EXPIRED: Final = "SELECT id FROM {} WHERE {} <= %s ORDER BY {}"


class Statements:
    """The statements of one vendor.

    Args:
        operations: of Django's connection.
        vendor: as Django names it.

    Attributes:
        begin: the first statement of a transaction that writes; "" where any may be.
        lock: waits until no other relay numbers; "" where ``begin`` does.
    """

    def __init__(self, operations: Any, vendor: str) -> None:
        self._operations = operations
        sqlite = vendor == "sqlite"
        self.begin = "UPDATE channels_journal_relay SET noted = noted WHERE owner = %s" if sqlite else ""
        self.lock = "" if sqlite else "SELECT owner FROM channels_journal_relay WHERE owner = %s FOR UPDATE"
        self._for_update = "" if sqlite else " FOR UPDATE"

    @lru_cache(maxsize=64)  # noqa: B019  # one object for each vendor, for good
    def limited(self, statement: str, limit: int) -> str:
        """Return a statement that gives ``limit`` rows at most; -1: all."""
        if limit < 0:
            return statement
        return f"{statement} {self._operations.limit_offset_sql(0, limit)}"

    def page(self, limit: int, reverse: bool) -> str:
        """Return what reads a piece of a stream."""
        return self.limited(f"{_PAGE} DESC" if reverse else _PAGE, limit)

    def lock_streams(self, amount: int) -> str:
        """Return what reads streams, and locks their rows in the order of their digests."""
        return listed(STREAMS, amount) + self._for_update

    def expired(self, table: str, column: str, limit: int) -> str:
        """Return what finds rows whose time is over."""
        return self.limited(_EXPIRED.format(table, column, column), limit)


@lru_cache(maxsize=1024)
def listed(statement: str, amount: int) -> str:
    """Return a statement with as many placeholders in its list."""
    return statement.format(", ".join(["%s"] * amount))


_by_vendor: Final[dict[str, Statements]] = {}


def statements_of(connection: Any) -> Statements:
    """Return the statements of a connection's vendor."""
    found = _by_vendor.get(connection.vendor)
    if found is None:
        # Operations of their own: those of the connection would keep it, when its thread has ended.
        operations = type(connection.ops)(connection=None)
        found = _by_vendor[connection.vendor] = Statements(operations, connection.vendor)
    return found


def in_chunks(values: Sequence[Any], size: int = 500) -> list[Sequence[Any]]:
    """Return values in pieces that fit into the placeholders of one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]
