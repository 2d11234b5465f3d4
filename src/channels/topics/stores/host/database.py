"""The file that keeps topics: streams, positions and presence, for all processes of a machine."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import (
    Append,
    Position,
    PresenceEntry,
    PresenceStats,
    Published,
    Retention,
    StoreUnavailable,
    StreamPage,
)
from channels.topics.stores.memory import new_epoch
from channels.topics.stores.records import (
    decode_client,
    decode_publication,
    encode_client,
    encode_publication,
)
from channels.topics.stores.values import Value

_T = TypeVar("_T")

#: Seconds that a thread waits for another process' transaction; an event loop hardly does.
PATIENCE: Final = 5.0
IMPATIENCE: Final = 0.005

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS stream (
    topic TEXT PRIMARY KEY, epoch TEXT NOT NULL, top INTEGER NOT NULL, ends REAL NOT NULL,
    version INTEGER NOT NULL DEFAULT 0, version_epoch TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS publication (
    topic TEXT NOT NULL, place INTEGER NOT NULL, expires REAL NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (topic, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (
    topic TEXT NOT NULL, key TEXT NOT NULL, expires REAL NOT NULL, place INTEGER NOT NULL,
    epoch TEXT NOT NULL, PRIMARY KEY (topic, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS present (
    topic TEXT NOT NULL, client TEXT NOT NULL, user TEXT NOT NULL, expires REAL NOT NULL,
    announce INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (topic, client)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    key TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS emptied (topic TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS present_expires ON present (expires);
CREATE INDEX IF NOT EXISTS publication_expires ON publication (expires);
"""


_PAGE: Final = "SELECT place, record FROM publication WHERE topic = ? AND place "
_AFTER: Final = _PAGE + "> ? AND expires > ? ORDER BY place LIMIT ?"
_BEFORE: Final = _PAGE + "< ? AND expires > ? ORDER BY place DESC LIMIT ?"
_NEWEST: Final = _PAGE + "> ? AND expires > ? ORDER BY place DESC LIMIT ?"


class Busy(Exception):
    """Another process is in a transaction; a thread may wait for it."""


class Rows:
    """Statements within a transaction, fetched at once: a cursor left open would keep it from ending."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __call__(self, statement: str, *values: Any) -> list[Any]:
        """Execute a statement and return all its rows."""
        return self._connection.execute(statement, values).fetchall()


class Entered(NamedTuple):
    """What came of noting that somebody is present.

    Attributes:
        entry: who, and where.
        new: it was not there before.
        first: nobody was.
        lapsed: who has left without a word, and is to be announced.
    """

    entry: PresenceEntry
    new: bool
    first: bool
    lapsed: list[ClientInfo]


class Left(NamedTuple):
    """What came of noting that somebody has left: was it there, was it the last, who lapsed."""

    known: bool
    last: bool
    lapsed: list[ClientInfo]


def only_carried(append: Append) -> tuple[Published, bytes]:
    """Return what becomes of a publication that changes no stream, and its record."""
    return Published(Position(0, "")), encode_publication(append.publication, append.beside)


class Database:
    """Topics in a file. Each method is one transaction.

    Args:
        path: of the file; its folder is private.
        clock: seconds since 1970, the same in all processes.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._local = threading.local()

    def append(self, append: Append, patience: float) -> tuple[Published, bytes]:
        """Number and keep a publication; returns what became of it, and its record."""
        record = encode_publication(append.publication, append.beside)
        return self._run(lambda rows: (self._append(rows, append, record), record), patience)

    def append_many(self, appends: Sequence[Append], patience: float) -> list[tuple[Published, bytes]]:
        """See :meth:`append`; all of them or none. What changes no stream is passed through."""

        def each(rows: Rows, append: Append) -> tuple[Published, bytes]:
            if not append.changes_stream:
                return only_carried(append)
            record = encode_publication(append.publication, append.beside)
            return self._append(rows, append, record), record

        return self._run(lambda rows: [each(rows, append) for append in appends], patience)

    def read(
        self, topic: str, since: Position | None, limit: int, reverse: bool, patience: float
    ) -> StreamPage:
        """See :meth:`channels.topics.stores.base.Store.read`."""
        return self._run(lambda rows: self._read(rows, topic, since, limit, reverse), patience)

    def remove(self, topic: str, patience: float) -> None:
        """Remove the publications of a topic; the position stays."""
        self._run(lambda rows: rows("DELETE FROM publication WHERE topic = ?", topic), patience)

    def positions(self, topics: Iterable[str], patience: float) -> dict[str, Position]:
        """Return where streams end; those that do not exist are left out."""

        def look(rows: Rows) -> dict[str, Position]:
            found = {}
            for topic in topics:
                for epoch, top in rows("SELECT epoch, top FROM stream WHERE topic = ?", topic):
                    found[topic] = Position(top, epoch)
            return found

        return self._run(look, patience)

    def enter(self, entries: Iterable[PresenceEntry], lease: float, patience: float) -> list[Entered]:
        """Note who is present; returns for each whether it is new, whether first, and who has lapsed."""
        return self._run(lambda rows: [self._enter(rows, each, lease) for each in entries], patience)

    def leave(self, topic: str, client: str, patience: float) -> Left:
        """Note who has left; returns whether it was there, whether last, and who has lapsed."""
        return self._run(lambda rows: self._leave(rows, topic, client), patience)

    def present(self, topic: str, patience: float) -> tuple[dict[str, ClientInfo], list[ClientInfo]]:
        """Return who is present, and who has lapsed and is to be announced."""

        def look(rows: Rows) -> tuple[dict[str, ClientInfo], list[ClientInfo]]:
            lapsed = self._lapse(rows, topic)
            found = rows("SELECT client, record FROM present WHERE topic = ?", topic)
            return {client: decode_client(record) for client, record in found}, lapsed

        return self._run(look, patience)

    def count(self, topic: str, patience: float) -> tuple[PresenceStats, list[ClientInfo]]:
        """Return how many are present, and who has lapsed and is to be announced."""

        def look(rows: Rows) -> tuple[PresenceStats, list[ClientInfo]]:
            lapsed = self._lapse(rows, topic)
            counted = rows("SELECT count(*), count(DISTINCT user) FROM present WHERE topic = ?", topic)
            return PresenceStats(*counted[0]), lapsed

        return self._run(look, patience)

    def lapsed(self, patience: float) -> list[str]:
        """Return topics that were emptied since this was asked before, and those where a lease has ended."""

        def look(rows: Rows) -> list[str]:
            found = "SELECT topic FROM emptied UNION SELECT topic FROM present WHERE expires <= ?"
            topics = [topic for (topic,) in rows(found, self._clock())]
            rows("DELETE FROM emptied")
            return topics

        return self._run(look, patience)

    def value(self, key: str, patience: float) -> Value | None:
        """Return a value; see :class:`channels.topics.stores.values.Values`."""
        return self._run(lambda rows: self._value(rows, key), patience)

    def keep(self, key: str, value: Value, ttl: float, patience: float) -> bool:
        """Write a value, if what is there has a lower version."""

        def write(rows: Rows) -> bool:
            found = self._value(rows, key)
            if found is not None and value.version <= found.version:
                return False
            rows("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", key, *value, self._clock() + ttl)
            return True

        return self._run(write, patience)

    def sweep(self, patience: float) -> None:
        """Forget what has expired, and show those who clean temporary directories that the file is in use."""
        now = self._clock()

        def forget(rows: Rows) -> None:
            rows("DELETE FROM publication WHERE expires <= ?", now)
            rows("DELETE FROM idempotency WHERE expires <= ?", now)
            rows("DELETE FROM stream WHERE ends <= ?", now)
            rows("DELETE FROM kept WHERE expires <= ?", now)

        self._run(forget, patience)
        for path in self._path.parent.glob(self._path.name + "*"):
            os.utime(path)

    def close(self) -> None:
        """Close the connections of this thread; new ones are made when they are needed."""
        for connection in getattr(self._local, "connections", {}).values():
            connection.close()
        self._local.connections = {}

    # Within a transaction

    def _value(self, rows: Rows, key: str) -> Value | None:
        found = rows("SELECT version, data FROM kept WHERE key = ? AND expires > ?", key, self._clock())
        return Value(*found[0]) if found else None

    def _append(self, rows: Rows, append: Append, record: bytes) -> Published:
        topic, retention, now = append.topic, append.retention, self._clock()
        epoch, top, version, version_epoch = self._stream(rows, topic, now, retention)
        if append.idempotency_key:
            seen = "SELECT place, epoch FROM idempotency WHERE topic = ? AND key = ? AND expires > ?"
            for place, its_epoch in rows(seen, topic, append.idempotency_key, now):
                return Published(Position(place, its_epoch), accepted=False)
        if append.version and version_epoch == append.version_epoch and append.version <= version:
            return Published(Position(top, epoch), accepted=False)
        place = top + 1 if retention.size else 0
        if retention.size:
            values = (topic, place, now + retention.ttl, record)
            rows("INSERT OR REPLACE INTO publication VALUES (?, ?, ?, ?)", *values)
            rows("DELETE FROM publication WHERE topic = ? AND place <= ?", topic, place - retention.size)
        if append.idempotency_key:
            seen_values = (
                topic,
                append.idempotency_key,
                now + retention.idempotency_ttl,
                place or top,
                epoch,
            )
            rows("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)", *seen_values)
        if append.version:
            version, version_epoch = append.version, append.version_epoch
        ends = now + max(retention.position_ttl, retention.ttl)
        update = "UPDATE stream SET top = ?, ends = ?, version = ?, version_epoch = ? WHERE topic = ?"
        rows(update, place or top, ends, version, version_epoch, topic)
        return Published(Position(place, epoch))

    def _stream(self, rows: Rows, topic: str, now: float, retention: Retention) -> tuple[str, int, int, str]:
        """Return epoch, top and version of a stream; it is made if it is not there, or has ended."""
        found = rows(
            "SELECT epoch, top, version, version_epoch FROM stream WHERE topic = ? AND ends > ?", topic, now
        )
        if found:
            epoch, top, version, version_epoch = found[0]
            return epoch, top, version, version_epoch
        epoch = new_epoch()
        rows("DELETE FROM publication WHERE topic = ?", topic)
        values = (topic, epoch, now + retention.position_ttl)
        rows("INSERT OR REPLACE INTO stream (topic, epoch, top, ends) VALUES (?, ?, 0, ?)", *values)
        return epoch, 0, 0, ""

    def _read(self, rows: Rows, topic: str, since: Position | None, limit: int, reverse: bool) -> StreamPage:
        now = self._clock()
        epoch, top, _, _ = self._stream(rows, topic, now, Retention())
        if limit == 0:
            return StreamPage([], Position(top, epoch))
        bound = -1 if since is None else since.offset
        statement = _BEFORE if reverse and since is not None else _NEWEST if reverse else _AFTER
        found = rows(statement, topic, bound, now, limit)
        publications = [decode_publication(record, place, epoch) for place, record in found]
        return StreamPage(publications, Position(top, epoch))

    def _enter(self, rows: Rows, entry: PresenceEntry, lease: float) -> Entered:
        topic, info = entry.topic, entry.info
        lapsed = self._lapse(rows, topic)
        first = not rows("SELECT 1 FROM present WHERE topic = ? LIMIT 1", topic)
        known = rows("SELECT 1 FROM present WHERE topic = ? AND client = ?", topic, info.client)
        values = (topic, info.client, info.user, self._clock() + lease, entry.announce, encode_client(info))
        rows("INSERT OR REPLACE INTO present VALUES (?, ?, ?, ?, ?, ?)", *values)
        return Entered(entry, not known, first, lapsed)

    def _leave(self, rows: Rows, topic: str, client: str) -> Left:
        lapsed = self._lapse(rows, topic)
        known = rows("SELECT 1 FROM present WHERE topic = ? AND client = ?", topic, client)
        rows("DELETE FROM present WHERE topic = ? AND client = ?", topic, client)
        last = bool(known) and not rows("SELECT 1 FROM present WHERE topic = ? LIMIT 1", topic)
        if last:  # who is told of that may be killed before it has told others
            rows("INSERT OR REPLACE INTO emptied VALUES (?)", topic)
        return Left(bool(known), last, lapsed)

    def _lapse(self, rows: Rows, topic: str) -> list[ClientInfo]:
        """Remove those of a topic whose leases have ended; returns whom subscribers are told of."""
        now = self._clock()
        found = rows("SELECT announce, record FROM present WHERE topic = ? AND expires <= ?", topic, now)
        if found:
            rows("DELETE FROM present WHERE topic = ? AND expires <= ?", topic, now)
        return [decode_client(record) for announce, record in found if announce]

    # Transactions

    def _run(self, work: Callable[[Rows], _T], patience: float) -> _T:
        """Do ``work`` in a transaction.

        Raises:
            Busy: another process is in one, and ``patience`` is short.
            StoreUnavailable: the file cannot be read or written, or another process did not end in time.
        """
        try:
            connection = self._connection(patience)
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if patience < PATIENCE and "locked" in str(error):
                raise Busy from error
            raise StoreUnavailable(f"The file {str(self._path)!r} cannot be used: {error}.") from error
        try:
            result = work(Rows(connection))
            connection.execute("COMMIT")
        except BaseException as error:
            connection.rollback()
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"The file {str(self._path)!r} cannot be used: {error}.") from error
            raise
        return result

    def _connection(self, patience: float) -> sqlite3.Connection:
        """Return this thread's connection with this patience; none is used in a process that was forked."""
        if getattr(self._local, "process", None) != os.getpid():
            self._local.process, self._local.connections = os.getpid(), {}
        connections: dict[float, sqlite3.Connection] = self._local.connections
        if patience not in connections:
            connections[patience] = self._connect(patience)
        return connections[patience]

    def _connect(self, patience: float) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        # What the kernel has survives the end of any process; what the disk has, nobody needs.
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _SCHEMA)
        connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
        return connection
