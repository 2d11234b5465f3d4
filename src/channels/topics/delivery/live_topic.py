"""A topic that somebody in this loop is subscribed to: its position, its gaps, its subscribers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

from channels import telemetry
from channels.diagnostics import delivery_log
from channels.protocols.centrifuge.messages import Publication
from channels.topics.delivery.audience import SLICE, Audience, Form, Happening, form_of
from channels.topics.delivery.deltas import Change, Delta
from channels.topics.delivery.frames import Frame
from channels.topics.delivery.outbox import closed_outbox
from channels.topics.delivery.snapshots import SnapshotSource
from channels.topics.delivery.subscription import Subscription
from channels.topics.limits import limits
from channels.topics.stores.base import (
    Event,
    Position,
    PresenceEntry,
    Retention,
    Store,
    StoreUnavailable,
    StreamPage,
)
from channels.topics.stores.noting import note_delivered

logger = logging.getLogger("channels.topics")

#: Publications that may have been missed between the store and this process, and are still delivered.
REPAIR_LIMIT: Final = 10_000
#: Events kept while a gap is filled; what is more is read from the store afterwards.
HELD_LIMIT: Final = 10_000
#: Events that a subscriber gets in one frame.
RUN: Final = 64
#: Seconds between attempts to read a stream whose store does not answer.
RETRY: Final = 0.5

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class LiveTopic:
    """One topic in one event loop.

    Args:
        name: of the topic.
        number: short for it, in this loop.
        retention: how much its store keeps.
        is_bytes: its data are bytes, not JSON.
        store: keeps it.
        spawn: runs a coroutine until it ends.

    Attributes:
        name, number, is_bytes, store: see above.
        last: what was published last, as far as that is known; what is next is sent as a patch of it.
        position: of what was delivered last; None without history, and before the stream was read.
        source: of what subscribers begin with, for topics that have more than what was published.
        expected: how many are about to subscribe.
        unused_since: when somebody last was about to, in the loop's seconds.
    """

    __slots__ = (
        "_audiences", "_held", "_recent", "_recent_load", "_repairing", "_retention", "_spawn", "_work",
        "expected", "is_bytes", "last", "name", "number", "position", "source", "store",
        "unused_since",
    )  # fmt: skip

    def __init__(
        self, name: str, number: int, retention: Retention, is_bytes: bool, store: Store, spawn: Spawn
    ) -> None:
        self.name, self.number, self.store = name, number, store
        self.is_bytes = is_bytes
        self.position: Position | None = None
        self.last: Publication | None = None
        self.source: SnapshotSource | None = None
        self.expected, self.unused_since = 0, 0.0
        self._retention = retention
        self._spawn = spawn
        self._audiences: dict[Form, Audience] = {}
        self._held: list[Event] = []
        self._repairing = retention.size > 0  # until the position is known
        self._recent: deque[Publication] | None = None
        self._recent_load: asyncio.Task[None] | None = None
        self._work: deque[tuple[Frame, list[Subscription], int]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._audiences.values()))

    @property
    def is_unused(self) -> bool:
        """Whether nobody is subscribed, or about to be."""
        return not self.expected and not self._audiences

    def subscriptions(self) -> Iterator[Subscription]:
        """Return all subscriptions."""
        for audience in list(self._audiences.values()):
            yield from audience

    def present(self) -> Iterator[PresenceEntry]:
        """Return those that are noted in the topic's presence."""
        for each in self.subscriptions():
            if each.present:
                yield PresenceEntry(self.name, each.info, each.announced)

    async def start(self) -> None:
        """Learn the position; nothing is delivered before."""
        if self._retention.size:
            self.position = (await self.store.read(self.name, limit=0)).position
            self._resume()

    # Subscribers

    def join(self, subscription: Subscription) -> None:
        """Deliver to ``subscription`` what comes from now on: everything after :attr:`position`."""
        form = form_of(subscription)
        audience = self._audiences.get(form)
        if audience is None:
            audience = self._audiences[form] = Audience(form, self.name, self.number)
        audience.add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Deliver nothing more to ``subscription``, not even what is on its way."""
        form = form_of(subscription)
        audience = self._audiences.get(form)
        if audience is not None:
            audience.discard(subscription)
            if not audience:
                del self._audiences[form]
        subscription.outbox = closed_outbox

    # Events

    def take(self, events: Sequence[Event]) -> None:
        """Deliver what has arrived, as far as nothing is missing before it."""
        if self._repairing:
            self._hold(events)
            return
        ready: list[Event] = []
        for index, event in enumerate(events):
            if not isinstance(event, Publication) or not event.offset or self._advance(event):
                ready.append(event)
            elif self._is_ahead(event):
                self._hold(events[index:])
                self.repair()
                break
        self.deliver(ready)

    def deliver(self, events: Sequence[Event]) -> None:
        """Bring events to all subscribers; the first slice of them now."""
        if telemetry.listeners and events:
            self._tell_delivered(events)
        idle, before = not self._work, len(self._work)
        for first in range(0, len(events), RUN):
            run = [self._happening(event) for event in events[first : first + RUN]]
            for audience in list(self._audiences.values()):
                self._work.extend((frame, members, 0) for frame, members in audience.batches(run))
                if audience.form.delta is Delta.WHOLE:
                    self._patch_from_now(audience)
        if delivery_log.note is not None:
            work = itertools.islice(self._work, before, None)
            reached = sum(len(frame.messages) * len(members) for frame, members, _ in work)
            note_delivered(self.name, len(self), reached, events)
        if idle and self._work:
            self._serve()

    def _tell_delivered(self, events: Sequence[Event]) -> None:
        publications = sum(isinstance(event, Publication) for event in events)
        if publications:
            telemetry.emit(
                "topics.delivered",
                topic=self.name,
                publications=publications,
                subscribers=len(self),
                events=events,
            )

    def _happening(self, event: Event) -> Happening:
        if not isinstance(event, Publication):
            return event
        change = Change(event, self.last, self.is_bytes)
        self.last = event
        return change

    def _patch_from_now(self, audience: Audience) -> None:
        """Send patches to those who have got a whole publication."""
        if self.last is not None:
            for subscription in audience:
                audience.discard(subscription)
                subscription.delta = Delta.PATCH
                self.join(subscription)
            self._audiences.pop(audience.form, None)

    def repair(self) -> None:
        """Compare with the stream; what was missed is read from there and delivered first."""
        if not self._repairing and self.position is not None:
            self._repairing = True
            self._spawn(self._repair(self.position))

    async def check(self) -> None:
        """Repair if the stream has gone on, and nobody told."""
        before = self.position
        if before is not None and not self._repairing:
            end = (await self.store.read(self.name, limit=0)).position
            if self.position == before and end != before:
                self.repair()

    def _advance(self, publication: Publication) -> bool:
        """Move the position to a publication that follows it; False if it does not."""
        position = self.position
        if position is None:
            return True
        if publication.offset != position.offset + 1 or publication.epoch != position.epoch:
            return False
        self.position = Position(publication.offset, position.epoch)
        if self._recent is not None:
            self._recent.append(publication)
        if self.source is not None:
            self.source.advanced()
        return True

    def _is_ahead(self, publication: Publication) -> bool:
        """Whether something before it is missing; else it was delivered already."""
        assert self.position is not None  # else it would have been delivered
        return publication.epoch != self.position.epoch or publication.offset > self.position.offset

    def _hold(self, events: Sequence[Event]) -> None:
        """Keep events until the gap before them is filled; what is too much is left to the next check."""
        room = HELD_LIMIT - len(self._held)
        self._held.extend(events[:room])
        if len(events) > room:
            telemetry.count("topics.held_dropped", len(events) - room, topic=self.name)

    async def _repair(self, position: Position) -> None:
        if delivery_log.note is not None:
            delivery_log.note(
                "topic", self.name, "held", len(self._held), "something before it is missing here"
            )
        page = await self._read(position)
        missed = page.publications
        complete = len(missed) == page.position.offset - position.offset
        if page.position.epoch == position.epoch and complete and all(map(self._advance, missed)):
            telemetry.count("topics.gap_filled", len(missed), topic=self.name)
            self.deliver(missed)
        else:
            telemetry.count("topics.position_lost", topic=self.name)
            if delivery_log.note is not None:
                delivery_log.note(
                    "topic", self.name, "dropped", 1, "missed here, and kept no more in the store"
                )
            self.position, self._recent = page.position, None
            self._give_up()
            if self.source is not None:
                self.source.advanced()
        self._resume()

    async def _read(self, position: Position) -> StreamPage:
        """Read what follows a position, as soon as the store answers."""
        while True:
            try:
                return await self.store.read(self.name, position, REPAIR_LIMIT)
            except StoreUnavailable as error:
                logger.warning("The stream of topic %s cannot be read yet: %s", self.name, error)
                await asyncio.sleep(RETRY)

    def _give_up(self) -> None:
        """Tell those who count on each publication that some are lost."""
        for subscription in self.subscriptions():
            if subscription.positioned:
                subscription.client.position_lost(subscription)

    def _resume(self) -> None:
        self._repairing = False
        held, self._held = self._held, []
        self.take(held)

    def _serve(self) -> None:
        """Write to a slice of subscribers; the rest in later turns of the loop."""
        budget, work = SLICE, self._work
        while work and budget > 0:
            frame, members, served = work.popleft()
            part = members[served : served + budget]
            if (late := _write(frame, part)) and delivery_log.note is not None:
                delivery_log.note(
                    "topic", self.name, "waiting", late, "these clients do not read fast enough"
                )
            budget -= len(part)
            if served + len(part) < len(members):
                work.appendleft((frame, members, served + len(part)))
        if work:
            asyncio.get_running_loop().call_soon(self._serve)

    # Recovery

    async def load_recent(self) -> None:
        """Have what clients may have missed at hand: one read of the stream for all who come back."""
        if self._recent_load is None and self._recent is None and self.position is not None:
            self._recent_load = asyncio.create_task(self._load_recent())
        if self._recent_load is not None:
            await asyncio.shield(self._recent_load)

    def missed(self, offset: int, epoch: str) -> list[Publication] | None:
        """Return what was published after a position; None if that is not known.

        Await :meth:`load_recent` first.

        Args:
            offset: of the last publication that the client has.
            epoch: of its stream; "" if the client knows none.
        """
        position, recent = self.position, self._recent
        if position is None or recent is None or (epoch and epoch != position.epoch):
            return None
        amount = position.offset - offset
        if amount == 0:
            return []
        if (
            not 0 < amount <= len(recent)
            or recent[-amount].offset != offset + 1
            or self._is_stale(recent[-amount])
        ):
            return None
        return list(itertools.islice(recent, len(recent) - amount, None))

    def newest(self) -> Publication | None:
        """Return the newest publication that is kept, once :meth:`load_recent` was awaited."""
        recent = self._recent
        return recent[-1] if recent and not self._is_stale(recent[-1]) else None

    def forget_recent(self) -> None:
        """Read the stream anew for whoever comes back next."""
        if self._recent_load is None:
            self._recent = None

    async def _load_recent(self) -> None:
        keep, position = min(limits().recovery_limit, self._retention.size), self.position
        assert position is not None  # else nobody asks
        self._recent = collected = deque[Publication](maxlen=keep)  # what is published meanwhile
        try:
            page = await self.store.read(self.name, limit=keep, reverse=True)
        except BaseException:
            self._recent = None
            raise
        finally:
            self._recent_load = None
        if self._recent is collected and page.position.epoch == position.epoch:
            before = [each for each in reversed(page.publications) if each.offset <= position.offset]
            self._recent = deque([*before, *collected], maxlen=keep)
            if self.last is None and self._recent:
                self.last = self._recent[-1]

    def _is_stale(self, publication: Publication) -> bool:
        return publication.time > 0 and publication.time / 1000 + self._retention.ttl < time.time()


def _write(frame: Frame, members: list[Subscription]) -> int:
    """Write to the sockets that have nothing waiting; a frame more for the others, which are counted."""
    broadcast = frame.broadcast
    others = [each for each in members if not each.outbox.direct(broadcast)]
    for subscription in others:
        subscription.put(frame)
    return len(others)
