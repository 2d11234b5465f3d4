"""The first publications of a topic whose name has just become known: each is brought once, in its order."""

from __future__ import annotations

from typing import Final, TypeAlias
from zlib import crc32

from channels import telemetry
from channels.protocols.centrifuge.messages import Publication

#: Publications that are remembered, or wait, for one topic.
MOST: Final = 2000

_Key: TypeAlias = tuple[str, int, int]


class Young:
    """One topic: publications come from its store, with its name, and are read from its history.

    Without an offset, the time in milliseconds and a checksum tell one from another: a second with both, of
    the same topic in the same millisecond, counts as one more on each way.

    Attributes:
        full: so many have come that not all are remembered: what is told now has come long ago.
        holding: the topic is being subscribed to, or read: what comes waits.
        since: the first publication that may have been missed: its offset and its time; None: none.
        until: when the topic is young no longer, in the loop's seconds.
    """

    __slots__ = ("_balance", "_waiting", "full", "holding", "since", "until")

    def __init__(self) -> None:
        self.holding = True
        self.since: tuple[int, int] | None = None
        self.until = 0.0
        self._balance: dict[_Key, int] = {}
        self.full = False
        self._waiting: list[tuple[Publication, bool]] = []

    def is_new(self, publication: Publication, *, told: bool) -> bool:
        """Whether a publication has not come on the other way, or in the history.

        Args:
            publication: what has come.
            told: with the name; else from the store.
        """
        if publication.offset:
            return self._note(_key(publication), 1) == 0
        before = self._note(_key(publication), -1 if told else 1)
        return before <= 0 if told else before >= 0

    def _note(self, key: _Key, change: int) -> int:
        """Count a publication; returns what was counted before."""
        before = self._balance.pop(key, 0)
        if before + change:
            if len(self._balance) >= MOST:
                del self._balance[next(iter(self._balance))]
                self.full = True
            self._balance[key] = before + change
        return before

    def wait(self, publication: Publication, *, told: bool) -> None:
        """Keep a publication until the topic is subscribed to."""
        if len(self._waiting) >= MOST:
            telemetry.count("mqtt.message_dropped", reason="first", client="")
        else:
            self._waiting.append((publication, told))

    def take(self, read: list[Publication]) -> list[Publication]:
        """Return what is to be brought of all that has waited, after what was read in the history."""
        waiting, self._waiting = self._waiting, []
        told = [(each, True) for each, told in waiting if told]
        rest = [(each, False) for each, told in waiting if not told]
        found = [(each, False) for each in sorted(read, key=_offset)]
        last: dict[str, int] = {}
        brought = []
        for publication, by_name in (*found, *told, *rest):
            offset, epoch = publication.offset, publication.epoch
            again = offset and offset <= last.get(epoch, 0)
            last[epoch] = max(offset, last.get(epoch, 0))
            if not again and self.is_new(publication, told=by_name):
                brought.append(publication)
        return brought


def _offset(publication: Publication) -> int:
    return publication.offset


def _key(publication: Publication) -> _Key:
    if publication.offset:
        return publication.epoch, publication.offset, 0
    return "", publication.time, crc32(publication.data)
