"""Differences of rows: whoever follows them has what the database has."""

from __future__ import annotations

import random

import pytest
from msgspec import Raw

from channels.live.rows import Key, Reading, Rows, encode_changes, encode_snapshot, read_content


def some_rows(chance: random.Random) -> dict[Key, bytes]:
    keys = chance.sample(range(10), chance.randrange(9))
    return {key: str(chance.randrange(4)).encode() for key in keys}


@pytest.mark.parametrize("seed", range(5))
def test_who_follows_changes_has_the_same_rows_in_the_same_order(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(400):
        before, after = some_rows(chance), some_rows(chance)
        rows = Rows(dict(before))
        rows.apply(read_content(encode_changes(rows.changes_to(Reading(after), ordered=True))))
        assert list(rows.items()) == list(after.items())


@pytest.mark.parametrize("seed", range(5))
def test_without_an_order_rows_are_the_same_and_no_place_is_told(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        before, after = some_rows(chance), some_rows(chance)
        rows = Rows(dict(before))
        changes = rows.changes_to(Reading(after), ordered=False)
        assert b"after" not in bytes(encode_changes(changes))
        rows.apply(read_content(encode_changes(changes)))
        assert dict(rows.items()) == after


def test_only_rows_that_were_asked_for_can_be_gone() -> None:
    rows = Rows({1: b"1", 2: b"2", 3: b"3"})
    changes = rows.changes_to(Reading({2: b"20"}, frozenset({1, 2})), ordered=False)
    assert [(each.op, each.key) for each in changes] == [("delete", 1), ("change", 2)]


@pytest.mark.parametrize("order", [[3, 1, 2], [2, 3, 1]])
def test_one_row_that_moves_is_one_change(order: list[int]) -> None:
    known: dict[Key, bytes] = {1: b"1", 2: b"2", 3: b"3"}
    changes = Rows(dict(known)).changes_to(Reading({key: known[key] for key in order}), ordered=True)
    assert len(changes) == 1


def test_a_snapshot_replaces_everything_and_foreign_words_change_nothing() -> None:
    rows = Rows({1: b"1"})
    rows.apply(read_content(encode_snapshot([(2, b"2")])))
    for foreign in (b"7", b'{"changes": 3}', b'{"other": []}', b"nonsense"):
        rows.apply(read_content(Raw(foreign)))
    assert dict(rows.items()) == {2: b"2"}
