"""What an event loop hears of topics in the database: each publication once and in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import msgspec

from channels import telemetry
from channels.journal.carrying import offset_of, opened
from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Event, Position, Receiver, StreamPage

#: Asks for the pages after the positions of topics to be read and given to ``hand_on``.
Fetch = Callable[["JournalReceiver", list[str]], None]


class JournalReceiver:
    """Stands between the carrier and a receiver; it knows how far each topic has been delivered.

    Args:
        receiver: who is told.
        fetch: see above; called in any thread.
        tells_control: whether control messages come this way; else the receiver hears them from the carrier.

    Attributes:
        loop: the receiver's.
    """

    def __init__(self, receiver: Receiver, fetch: Fetch, tells_control: bool = True) -> None:
        self.receiver, self._fetch, self._tells_control = receiver, fetch, tells_control
        self.loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._positions: dict[str, Position] = {}
        self._early: dict[str, bool] = {}  # topics whose position is being read: whether something came

    # What the carrier tells

    def received(self, topic: str, event: Event) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        try:
            number, epoch = offset_of(event) if isinstance(event, Publication) else (0, "")
        except msgspec.DecodeError as error:
            telemetry.count("journal.undecodable", error=repr(error))
            return
        if not number:
            self.receiver.received(topic, event)
            return
        with self._lock:
            missing = self._take(topic, event, Position(number, epoch))
        if missing:
            self._fetch(self, [topic])

    def _take(self, topic: str, event: Event, position: Position) -> bool:
        """Deliver what follows; whether something is missing before it. Under the lock."""
        last = self._positions.get(topic)
        if last is None:
            if topic in self._early:
                self._early[topic] = True
            return False
        assert isinstance(event, Publication)
        # Of a stream that was not there when the receiver subscribed, the first publication follows.
        same = position.epoch == last.epoch or last == Position(0, "")
        follows = same and position.offset == last.offset + 1
        if follows and (publication := opened(event)) is not None:
            self._positions[topic] = position
            self.receiver.received(topic, publication)
            return False
        return position.epoch != last.epoch or position.offset > last.offset

    def controlled(self, message: bytes) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        if self._tells_control:
            self.receiver.controlled(message)

    def interrupted(self) -> None:
        """See :class:`~channels.topics.stores.base.Receiver`."""
        self._fetch(self, self.topics())
        self.receiver.interrupted()

    # Subscriptions

    def topics(self) -> list[str]:
        """Return the topics that the receiver has subscribed to."""
        return list(self._positions)

    def expect(self, topic: str) -> None:
        """Note what comes while the position of a topic is being read."""
        with self._lock:
            self._early.setdefault(topic, False)

    def begin(self, topic: str, position: Position) -> None:
        """Deliver what comes after a position."""
        with self._lock:
            early = self._early.pop(topic, False)
            self._positions.setdefault(topic, position)
        if early:
            self._fetch(self, [topic])

    def forget(self, topic: str) -> None:
        """Deliver nothing more of a topic."""
        with self._lock:
            self._early.pop(topic, None)
            self._positions.pop(topic, None)

    # What was missing

    def position(self, topic: str) -> Position | None:
        """Return how far a topic has been delivered; None if the receiver has not subscribed."""
        return self._positions.get(topic)

    def hand_on(self, topic: str, last: Position, page: StreamPage) -> bool:
        """Deliver a page that follows ``last``; False if something was delivered meanwhile: read again."""
        with self._lock:
            if self._positions.get(topic) != last:
                return topic not in self._positions
            self._positions[topic] = page.position
            for publication in page.publications:
                self.receiver.received(topic, publication)
        return True
