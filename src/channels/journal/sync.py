"""The store in a database for code without an event loop, in whatever thread and transaction it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from channels.journal.carrying import Carrying
from channels.journal.offers import offer_on_commit
from channels.journal.relay import NUMBERED_NAME, PENDING_NAME
from channels.journal.tables import reading
from channels.journal.tables.inserting import write_pending
from channels.journal.tables.numbering import Batch, Clock, number_topics, with_stream
from channels.journal.tables.records import decode_pending, digest_of, encode_pending
from channels.journal.tables.transactions import is_within_transaction, require_no_transaction
from channels.journal.threads import outside_loops
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.stores.base import Append, Position, PresenceStats, Published, StreamPage
from channels.wakeups import wake_on_commit, wake_others


class JournalTopics:
    """What is kept in a database, and what the carrier does beside it.

    Args:
        using: the database.
        clock: seconds since 1970.
        carrying: returns what hands on.
    """

    def __init__(self, using: str, clock: Clock, carrying: Callable[[], Carrying]) -> None:
        self._using, self._clock, self._carrying = using, clock, carrying

    def enqueue(self, append: Append) -> None:
        """Write a publication in the transaction that is open; it leaves when that is committed.

        Raises:
            StoreUnavailable: it cannot be written; the transaction is to be rolled back.
        """
        using = self._using
        digest, record = digest_of(append.topic), encode_pending(append)
        number = write_pending(using, digest, record)
        if number is None:
            wake_on_commit(PENDING_NAME, using, nearest=True)
        else:
            offer_on_commit(PENDING_NAME, using, (number, digest, record))

    def publish(self, append: Append) -> Published:
        """See :class:`~channels.topics.stores.base.Store`; not within a transaction.

        Raises:
            TransactionManagementError: a transaction is open on the database.
        """
        if not append.changes_stream:
            return self._carrying().carrier.sync.publish(append)
        return outside_loops(self.keep_many, [append])[0]

    def publish_many(self, appends: Sequence[Append]) -> list[Published]:
        """See :class:`~channels.topics.stores.base.BatchingStore`; not within a transaction.

        Raises:
            TransactionManagementError: a transaction is open on the database.
        """
        if all(append.changes_stream for append in appends):
            return outside_loops(self.keep_many, appends)
        return [self.publish(append) for append in appends]

    def keep_many(self, appends: Sequence[Append]) -> list[Published]:
        """Keep publications, and what is pending of their topics before them, in one transaction."""
        require_no_transaction(self._using)
        topics = {append.topic for append in appends}
        direct = [decode_pending(encode_pending(append)) for append in appends]
        batch = number_topics(self._using, self._clock, topics, direct)
        self.hand_on(batch)
        return batch.published

    def hand_on(self, batch: Batch) -> None:
        """Carry what was numbered."""
        if not batch.numbered:
            return
        carrying = self._carrying()
        carrying.carry(batch.numbered)
        if not carrying.spans_processes:
            wake_others(NUMBERED_NAME, self._using)

    def read(
        self, topic: str, since: Position | None = None, limit: int = -1, reverse: bool = False
    ) -> StreamPage:
        """See :class:`~channels.topics.stores.base.Store`; what was committed before is in it."""
        return outside_loops(self._read, topic, since, limit, reverse)

    def _read(self, topic: str, since: Position | None, limit: int, reverse: bool) -> StreamPage:
        if not is_within_transaction(self._using) and reading.has_pending(self._using, topic):
            self.hand_on(number_topics(self._using, self._clock, [topic]))
        return reading.read_page(self._using, self._clock, topic, since, limit, reverse)

    def remove(self, topic: str) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        outside_loops(self._remove, topic)

    def _remove(self, topic: str) -> None:
        with_stream(self._using, self._clock, topic, lambda cursor, stream: stream.clear(cursor))

    def positions(self, topics: list[str]) -> dict[str, Position]:
        """Return where streams end; those that do not exist are left out."""
        return reading.positions(self._using, topics)

    def presence(self, topic: str) -> dict[str, ClientInfo]:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._carrying().carrier.sync.presence(topic)

    def presence_stats(self, topic: str) -> PresenceStats:
        """See :class:`~channels.topics.stores.base.Store`."""
        return self._carrying().carrier.sync.presence_stats(topic)

    def broadcast(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Store`."""
        self._carrying().carrier.sync.broadcast(message)

    def close(self) -> None:
        """Close what this thread has opened to the carrier; the database's connections are Django's."""
        self._carrying().carrier.sync.close()
