"""One list of what many processes have answered."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, NamedTuple

from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.messages import ConnectionRow, TopicRow


class Page(NamedTuple):
    """A page of a list of all processes.

    Attributes:
        rows: of it.
        total: how many there are.
        after: with which the next page begins; "" if this is the last.
        missing: the processes whose part is missing, or not complete.
    """

    rows: list[Any]
    total: int
    after: str
    missing: list[NodeAnswer]


def connections(answers: list[NodeAnswer], limit: int) -> Page:
    """Return a page of connections, in the order of their ids."""
    good = [each for each in answers if each.result is not None]
    rows: list[ConnectionRow] = [row for each in good for row in each.result.rows]
    first = heapq.nsmallest(limit, rows, key=lambda row: row.id)
    more = len(rows) > limit or any(len(each.result.rows) >= limit for each in good)
    missing = [each for each in answers if each.result is None or not each.result.complete]
    after = first[-1].id if more and first else ""
    return Page(first, sum(each.result.total for each in good), after, missing)


def topics(answers: list[NodeAnswer], limit: int) -> Page:
    """Return a page of topics or groups by their names.

    If more pages follow, ``total`` counts a topic once for each process that has it.
    """
    good = [each for each in answers if each.result is not None]
    sizes: Counter[str] = Counter()
    for each in good:
        for row in each.result.rows:
            sizes[row.name] += row.subscribers
    # What a process has cut off begins behind its last row: only up to there the sum is complete.
    cut = [each.result.rows[-1].name for each in good if len(each.result.rows) >= limit]
    names = sorted(name for name in sizes if not cut or name <= min(cut))
    more = bool(cut) or len(names) > limit
    rows = [TopicRow(name, sizes[name]) for name in names[:limit]]
    after = rows[-1].name if more and rows else ""
    missing = [each for each in answers if each.result is None]
    whole = not more and all(each.result.total == len(each.result.rows) for each in good)
    total = len(names) if whole else sum(each.result.total for each in good)
    return Page(rows, total, after, missing)


def amount(answers: list[NodeAnswer]) -> int:
    """Return how many an action has concerned."""
    return sum(each.result.amount for each in answers if each.result is not None)
