"""What is removed by age: publications, keys and streams whose time is over, in small pieces."""

from __future__ import annotations

from typing import Any, Final

from django.db import connections

from channels.journal.tables.statements import listed, statements_of
from channels.journal.tables.transactions import in_transaction

#: Rows that one transaction removes.
PIECE: Final = 500
#: By what each table is swept.
_TABLES: Final = (
    ("channels_journal_publication", "expires"),
    ("channels_journal_key", "expires"),
)
_DELETE: Final = "DELETE FROM {} WHERE {} <= %s AND id IN ({{}})"


def sweep(using: str, now: int) -> int:
    """Remove publications and keys whose time is over; returns how many."""
    return sum(_sweep(using, table, column, now) for table, column in _TABLES)


def sweep_streams(using: str, now: int) -> int:
    """Remove streams whose time is over, with what is left of them; returns how many."""
    return _sweep(using, "channels_journal_stream", "ends", now)


def _sweep(using: str, table: str, column: str, now: int) -> int:
    statements = statements_of(connections[using])

    def remove(cursor: Any) -> int:
        cursor.execute(statements.expired(table, column, PIECE), [now])
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            # Its time may have been prolonged meanwhile.
            cursor.execute(listed(_DELETE.format(table, column), len(ids)), [now, *ids])
        return len(ids)

    removed = amount = in_transaction(using, remove)
    while amount == PIECE:
        amount = in_transaction(using, remove)
        removed += amount
    return removed
