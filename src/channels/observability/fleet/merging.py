"""One list of what many processes have answered."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, Final, NamedTuple

from channels.observability.fleet.answers import ConnectionRow, LogEntry, TopicRow
from channels.observability.fleet.asking import NodeAnswer


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


class LoggedMessage(NamedTuple):
    """What all processes say of one message, or of those that cannot be told apart.

    Attributes:
        key: of the message; "" where messages have none.
        at: when it was first heard of, seconds since 1970.
        steps: process and entry, the oldest first.
        content: what is in it, if that is known and may be seen.
        kind, name: where it went to.
        trace: the id of its trace; "" if it has none.
    """

    key: str
    at: float
    steps: list[tuple[str, LogEntry]]
    content: str
    kind: str
    name: str
    trace: str


def log(answers: list[NodeAnswer]) -> list[LoggedMessage]:
    """Return what became of messages, the newest first.

    Entries of one publication, or of one task, belong together. Messages of a group have no names: one begins
    with the entry "published", and what follows until the next is of it, or of one that overtook it.
    """
    said = [(each.node.name, entry) for each in answers if each.result for entry in each.result.entries]
    messages: dict[tuple[str, str, str], LoggedMessage] = {}
    unnamed: Counter[str] = Counter()
    for node, entry in sorted(said, key=_order):
        kind, name = entry.kind, entry.name
        if not entry.key and (entry.stage == "published" or not unnamed[name]):
            unnamed[name] += 1
        key = (kind, name, entry.key or f"#{unnamed[name]}")
        message = messages.get(key) or LoggedMessage(entry.key, entry.at, [], "", kind, name, "")
        message.steps.append((node, entry))
        messages[key] = message._replace(
            content=message.content or entry.content, trace=message.trace or entry.trace
        )
    return sorted(messages.values(), key=lambda each: -each.at)


#: Of what is noted at nearly the same time, in which order it happens.
_STAGES: Final = ("waits for the commit", "committed", "published", "held", "delivered", "started", "ended")


def _order(said: tuple[str, LogEntry]) -> tuple[float, int]:
    entry = said[1]
    rank = _STAGES.index(entry.stage) if entry.stage in _STAGES else len(_STAGES)
    # A publication is noted when the store has answered, which may be after it has arrived.
    published_at = entry.key.partition("-")[0] if entry.kind == "topic" else ""
    return (float(published_at) / 1000 if published_at else entry.at, rank)


def log_names(answers: list[NodeAnswer]) -> list[tuple[str, str]]:
    """Return kinds and names of what was sent to lately, each once."""
    rows = [each.result.names for each in answers if each.result]
    longest = max(map(len, rows), default=0)
    return list(
        dict.fromkeys(names[place] for place in range(longest) for names in rows if place < len(names))
    )


def amount(answers: list[NodeAnswer]) -> int:
    """Return how many an action has concerned."""
    return sum(each.result.amount for each in answers if each.result is not None)
