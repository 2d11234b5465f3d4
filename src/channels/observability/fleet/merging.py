"""One list of what many processes have answered."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
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
        guessed: nothing tells some of the steps apart from those of other messages.
    """

    key: str
    at: float
    steps: list[tuple[str, LogEntry]]
    content: str
    kind: str
    name: str
    trace: str
    guessed: bool = False


def log(answers: list[NodeAnswer]) -> list[LoggedMessage]:
    """Return what became of messages, the newest first.

    Entries of one publication, or of one task, belong together, and those of one group message, which is
    known by what is in it, and by its trace: of several with the same contents (and no trace) each begins
    where an entry says "published".
    What has no key belongs to what was published before it, or to one that overtook it: that is a guess, and
    said. To a channel nothing is published: each entry is about a message, or messages, of its own.
    """
    said = [(each.node.name, entry) for each in answers if each.result for entry in each.result.entries]
    said.sort(key=_order)
    places = _Places(entry for _, entry in said)
    messages: dict[tuple[str, str, str], LoggedMessage] = {}
    for node, entry in said:
        place, guessed = places.of(entry)
        message = messages.get(place) or LoggedMessage(
            entry.key, entry.at, [], "", entry.kind, entry.name, ""
        )
        message.steps.append((node, entry))
        messages[place] = message._replace(
            content=message.content or entry.content,
            trace=message.trace or entry.trace,
            guessed=message.guessed or guessed,
        )
    return sorted(messages.values(), key=lambda each: -each.at)


class _Places:
    """Which entries belong together.

    Args:
        entries: all of them.
    """

    def __init__(self, entries: Iterable[LogEntry]) -> None:
        self._published: Counter[tuple[str, ...]] = Counter()
        for entry in entries:
            if entry.stage == "published":
                named = (entry.kind, entry.name, entry.key)
                self._published.update([named, (*named, entry.trace)])
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._unnamed: Counter[tuple[str, str]] = Counter()
        self._latest: dict[tuple[str, str], str] = {}

    def of(self, entry: LogEntry) -> tuple[tuple[str, str, str], bool]:
        """Return where an entry belongs, and whether that is a guess.

        To be asked for each in the order in which they were written.
        """
        guessed = False
        if not entry.key:
            key, guessed = self._of_unnamed(entry)
        elif entry.kind == "group":
            key, guessed = self._of_group(entry)
        else:
            key = entry.key
            self._latest.pop((entry.kind, entry.name), None)  # the next without one is about the topic
        return (entry.kind, entry.name, key), guessed

    def _of_group(self, entry: LogEntry) -> tuple[str, bool]:
        subject, begins = (entry.kind, entry.name), entry.stage == "published"
        named = (*subject, entry.key)
        self._seen[named] += begins
        # Clocks differ: what has come before the first was sent belongs to it all the same.
        alike = self._published[named] > 1
        number = max(1, self._seen[named]) if alike else 1
        key = f"{entry.key}#{number}"
        if alike and entry.trace and self._published[(*named, entry.trace)] == 1:
            key, alike = f"{entry.key}#{entry.trace}", False  # its trace tells it from the others
        if begins or subject not in self._latest:
            self._latest[subject] = key
        return key, alike

    def _of_unnamed(self, entry: LogEntry) -> tuple[str, bool]:
        subject = (entry.kind, entry.name)
        begins = entry.stage == "published" or entry.kind == "channel" or subject not in self._latest
        if begins:
            self._unnamed[subject] += 1
            self._latest[subject] = f"#{self._unnamed[subject]}"
        return self._latest[subject], not begins and entry.kind == "group"


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
