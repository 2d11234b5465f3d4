"""Long pieces of a stream, read one page after the other."""

from __future__ import annotations

from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Position, StreamPage
from channels.topics.stores.redis.requests import PAGE


class PageCollector:
    """What was read so far, and what is to be read next.

    What is published meanwhile belongs to a forward page, whose position is that of its last part. A stream
    that is trimmed meanwhile leaves what follows, without a gap; one that is lost is read from the beginning.

    Args:
        since: see :meth:`channels.topics.stores.base.Store.read`.
        limit: see there.
        reverse: see there.

    Attributes:
        since: where the next page begins, exclusive; None: at the beginning.
        complete: there is nothing more to read.
    """

    def __init__(self, since: Position | None, limit: int, reverse: bool) -> None:
        self._begin = self.since = None if since is None else since.offset
        self.complete = False
        self._limit = limit
        self._reverse = reverse
        self._publications: list[Publication] = []
        self._position: Position | None = None

    @property
    def amount(self) -> int:
        """How many publications to read next."""
        return PAGE if self._limit < 0 else min(PAGE, self._limit - len(self._publications))

    def add(self, page: StreamPage) -> None:
        """Take a page."""
        asked, found = self.amount, page.publications
        if self._position is not None and page.position.epoch != self._position.epoch:
            self._publications, self._position, self.since = [], None, self._begin
            return
        if self._position is None or not self._reverse:
            self._position = page.position
        if self._reverse:
            self._publications += found
        else:
            self._add_forward(found)
        if found:
            self.since = found[-1].offset
        self.complete = len(found) < asked or len(self._publications) == self._limit

    def _add_forward(self, found: list[Publication]) -> None:
        before = self._publications
        if before and found and found[0].offset != before[-1].offset + 1:
            before.clear()
        before += found

    def result(self) -> StreamPage:
        """Return all of it."""
        assert self._position is not None  # one page at least was added
        return StreamPage(self._publications, self._position)
