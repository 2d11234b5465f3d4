"""What relays have numbered and may not have handed on: one row for each, which others read if it dies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from django.db import IntegrityError, connections, transaction

from channels.journal.tables.statements import (
    CLAIM,
    DELETE_IDLE_RELAYS,
    DELETE_RELAY,
    INSERT_RELAY,
    LOCK,
    NOTE,
    NOTES,
    OTHER_RELAYS,
    RENEW_RELAY,
)
from channels.journal.tables.transactions import in_autocommit, in_transaction, understood

_decode: Final = msgspec.msgpack.Decoder(list[str]).decode


def encode_note(topics: Iterable[str]) -> bytes:
    """Return a note of topics."""
    return msgspec.msgpack.encode(sorted(topics))


def write_note(cursor: Any, owner: str, note: bytes, now: int) -> None:
    """Replace the note of a relay."""
    cursor.execute(NOTE, [note, now, owner])
    if not cursor.rowcount:  # another has removed it, as it was old
        cursor.execute(INSERT_RELAY, [owner, note, now])


def make_row(using: str, owner: str, now: int) -> None:
    """Make a relay's row, or another that is needed, if it is not there."""
    with understood(using):
        try:
            with transaction.atomic(using=using), connections[using].cursor() as cursor:
                cursor.execute(INSERT_RELAY, [owner, b"", now])
        except IntegrityError:
            pass


def begin(using: str, owner: str, now: int) -> None:
    """Make the rows that a relay needs."""
    for each, noted in ((LOCK, now), (SWEEP, 0), (owner, now)):
        make_row(using, each, noted)


#: The owner of the row that says when things were last removed by age.
SWEEP: Final = "sweep"


def replace(using: str, owner: str, note: bytes, now: int) -> None:
    """Replace the note of a relay, in a transaction of its own."""
    in_transaction(using, lambda cursor: write_note(cursor, owner, note, now))


def remove(using: str, owner: str) -> None:
    """Remove a relay's row."""
    in_autocommit(using, lambda cursor: cursor.execute(DELETE_RELAY, [owner]))


def abandoned(using: str, owner: str, now: int, grace: int) -> list[tuple[str, list[str]]]:
    """Return owners and topics of notes that are old, of other relays.

    A note from the future is old as well: somebody's clock has jumped.
    """

    def look(cursor: Any) -> list[Any]:
        cursor.execute(NOTES, [owner])
        return list(cursor.fetchall())

    found = in_autocommit(using, look)
    return [
        (whose, _decode(bytes(note)))
        for whose, note, noted in found
        if whose not in (LOCK, SWEEP) and abs(now - noted) > grace and bytes(note)
    ]


def are_others(using: str, owner: str) -> bool:
    """Whether there are other relays, or one that was killed has left its row."""

    def look(cursor: Any) -> bool:
        cursor.execute(OTHER_RELAYS, [owner, LOCK, SWEEP])
        return bool(cursor.fetchall())

    return in_autocommit(using, look)


def renew(using: str, owner: str, now: int) -> None:
    """Say that an idle relay lives."""

    def try_it(cursor: Any) -> bool:
        cursor.execute(RENEW_RELAY, [now, owner])
        return bool(cursor.rowcount)

    if not in_autocommit(using, try_it):
        make_row(using, owner, now)


def remove_idle(using: str, before: int) -> None:
    """Remove the rows of relays that have said nothing since, and have left nothing on its way."""
    values = [before, LOCK, SWEEP, b""]
    in_autocommit(using, lambda cursor: cursor.execute(DELETE_IDLE_RELAYS, values))


def claim(using: str, owner: str, now: int, interval: int) -> bool:
    """Whether it is this process's turn to do what is due once in an interval."""

    def try_it(cursor: Any) -> bool:
        cursor.execute(CLAIM, [now, owner, now - interval, now + interval])
        return bool(cursor.rowcount)

    return in_autocommit(using, try_it)
