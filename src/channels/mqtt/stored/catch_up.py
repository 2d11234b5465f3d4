"""Reading what was missed in a topic while the topic goes on: nothing is left out, nothing comes twice."""

from __future__ import annotations

from channels.mqtt.stored.record import Mark
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Position


class CatchUp:
    """One session that reads the history of one topic.

    Publications that come meanwhile are not kept: reading goes on until it has them too.
    """

    __slots__ = ("_end", "_newest")

    def __init__(self) -> None:
        self._newest = 0
        self._end: Position | None = None

    def begin(self) -> None:
        """Note that the history is read now."""
        self._newest = 0

    def has_all(self, end: Position) -> bool:
        """Note up to where the history was read; returns whether nothing came meanwhile that is after it."""
        if self._newest > end.offset:
            return False
        self._end = end
        return True

    def is_new(self, publication: Publication) -> bool:
        """Whether the session has to be told of a publication that has come: it was not read, nor will be."""
        if self._end is None:
            self._newest = max(self._newest, publication.offset)
            return not publication.offset
        return publication.offset > self._end.offset or publication.epoch != self._end.epoch

    def is_over(self, known: Mark | None) -> bool:
        """Whether all that comes after this position is new.

        Args:
            known: what came last.
        """
        if self._end is None or known is None:
            return False
        return known.epoch != self._end.epoch or known.offset >= self._end.offset
