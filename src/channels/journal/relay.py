"""The relay of one process and database: numbers what is pending, hands it on, and reads what was missed.

It is a thread with a connection of its own, which lives as long as the process has receivers.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from channels import telemetry
from channels.core.database import close_what_is_broken
from channels.diagnostics import delivery_log
from channels.journal.carrying import Carrying, note_relayed
from channels.journal.offers import Offered, Row, take_offers
from channels.journal.receiver import JournalReceiver
from channels.journal.tables import notes, reading, sweeping
from channels.journal.tables.numbering import Batch, Clock, number_pending, number_rows, trim
from channels.journal.tables.streams import Numbered
from channels.topics.stores.base import Position, StoreUnavailable, StreamPage
from channels.topics.stores.records import encode_publication
from channels.wakeups import Listener, listen, wake_others

logger = logging.getLogger("channels.journal")

#: What wakes relays, and, where the carrier ends at the border of the process, those who are to read.
PENDING_NAME: Final = "journal"
NUMBERED_NAME: Final = "journal.numbered"
#: Seconds between two looks at what no wake-up has told.
POLL: Final = 2.0
#: Seconds after which what another relay has on its way is handed on once more.
GRACE: Final = 2.0
#: Seconds between two words to processes that read for themselves, as no layer reaches them.
TELL: Final = 0.01
#: Seconds that a relay rests after it has numbered one publication, and at most: the more come at a time, the
#: more it waits for, as commits need the time it takes. It does not after one that is awaited, and alone.
REST: Final = (0.001, 0.006)
#: Seconds between two removals of what is due: publications and keys, and streams.
SWEEPS: Final = (30.0, 3600.0)
#: Seconds after which a relay that has said nothing, and has left nothing on its way, is taken for ended.
IDLE: Final = 600.0
#: Seconds between attempts while the database is away: the first, and the longest.
RETRY: Final = (0.2, 5.0)


class Relay:
    """Numbers, hands on, reads what was missed.

    Args:
        using: the database.
        clock: seconds since 1970.
        carrying: hands on.
        receivers: returns those of this process.
    """

    def __init__(
        self,
        using: str,
        clock: Clock,
        carrying: Carrying,
        receivers: Callable[[], Iterable[JournalReceiver]],
    ) -> None:
        self._using, self._clock, self._carrying, self._receivers = using, clock, carrying, receivers
        self._owner = uuid.uuid4().hex
        self._woken, self._ended = threading.Event(), False
        self._lock = threading.Lock()
        self._wanted: dict[tuple[JournalReceiver, str], None] = {}
        self._under_way: dict[int, set[str]] = {}
        self._batches = 0
        self._failed: set[str] = set()
        self._offered = Offered()
        self._look_everywhere = False
        self._noted = False
        self._untold = self._are_others = False
        self._rested = self._next_tell = self._next_poll = self._next_sweep = self._next_stream_sweep = 0.0
        self._listeners: list[Listener] = []
        self._end_offers: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"channels-journal-{using}", daemon=True)

    def start(self) -> None:
        """Begin; in an event loop, so that wake-ups come through its connections."""
        self._end_offers = take_offers(self._using, self._take)
        self._listeners.append(listen(PENDING_NAME, self._using, self._woken.set))
        if not self._carrying.spans_processes:
            self._listeners.append(listen(NUMBERED_NAME, self._using, self._look))
        self._thread.start()

    def close(self) -> None:
        """End soon; what is pending stays so."""
        self._ended = True
        self._end_offers()
        for listener in self._listeners:
            listener.close()
        self._woken.set()

    def join(self, timeout: float) -> None:
        """Wait until it has ended."""
        self._thread.join(timeout)

    def fetch(self, receiver: JournalReceiver, topics: list[str]) -> None:
        """Have what a receiver has missed read and delivered; from any thread."""
        with self._lock:
            self._wanted.update(dict.fromkeys((receiver, topic) for topic in topics))
        self._woken.set()

    def _look(self) -> None:
        self._look_everywhere = True
        self._woken.set()

    # The thread

    def _run(self) -> None:
        wait = RETRY[0]
        while not self._ended:
            try:
                close_what_is_broken()
                self._work()
                wait = RETRY[0]
            except StoreUnavailable as error:
                telemetry.count("journal.unavailable", error=str(error))
                logger.warning("Topics in the database wait: %s", error)
                time.sleep(wait)
                wait = min(2 * wait, RETRY[1])
            except Exception:
                telemetry.count("journal.relay_failed")
                logger.exception("The relay of topics in the database has failed, and goes on.")
                time.sleep(wait)
                wait = min(2 * wait, RETRY[1])
        self._leave()

    def _work(self) -> None:
        """Do what there is to do until the thread is to end."""
        notes.begin(self._using, self._owner, self._now())
        if not self._carrying.spans_processes:
            wake_others(NUMBERED_NAME, self._using)  # they tell nobody as long as they are alone
        while not self._ended:
            next_turn = self._next_tell if self._untold else self._next_poll
            woken = self._woken.wait(max(0.0, next_turn - time.monotonic()))
            self._woken.clear()
            if woken or reading.any_pending(self._using):
                self._number_all()
            self._serve_wanted()
            if self._untold and time.monotonic() >= self._next_tell:
                self._tell_others()
            if time.monotonic() >= self._next_poll:
                self._poll()

    def _number_all(self) -> None:
        """Number what is pending; if it comes faster than one by one, let more come first."""
        time.sleep(max(0.0, self._rested - time.monotonic()))
        batch = self._number()
        while not batch.complete and not self._ended:
            batch = self._number()
        if batch.numbered and (self._woken.is_set() or not self._is_awaited(batch.numbered)):
            self._rested = time.monotonic() + min(REST[1], REST[0] * len(batch.numbered) ** 2)

    def _is_awaited(self, numbered: Sequence[Numbered]) -> bool:
        """Whether it is a lone publication, and somebody in this process gets it."""
        return len(numbered) == 1 and any(
            receiver.position(numbered[0].topic) is not None for receiver in self._receivers()
        )

    def _tell_others(self) -> None:
        """Have processes read what was numbered that the carrier does not reach; not for each publication."""
        self._untold, self._next_tell = False, time.monotonic() + TELL
        wake_others(NUMBERED_NAME, self._using)

    def _number(self) -> Batch:
        """Number a batch and hand it on."""
        note = self._note if self._carrying.spans_processes else None
        with self._lock:
            offered = self._offered.take()
        batch = number_rows(self._using, self._clock, note, offered) if offered else None
        if batch is None:
            batch = number_pending(self._using, self._clock, note)
        if batch.numbered:
            telemetry.count("journal.relayed", len(batch.numbered), numbered=batch.numbered)
            if delivery_log.note is not None:
                note_relayed(batch.numbered)
            self._carry(batch.numbered)
        trim(self._using, self._clock, batch.full)
        return batch

    def _take(self, rows: Iterable[Row]) -> None:
        """Keep what has just been committed; a wake-up follows."""
        with self._lock:
            for row in rows:
                self._offered.add(row)

    def _note(self, topics: Iterable[str]) -> tuple[str, bytes]:
        """Return what others need to know if this process dies before it has handed all on."""
        with self._lock:
            under_way = set(topics).union(self._failed, *self._under_way.values())
        self._noted = True
        return self._owner, notes.encode_note(under_way)

    def _carry(self, numbered: list[Numbered]) -> None:
        topics = {each.topic for each in numbered}
        with self._lock:
            self._batches += 1
            batch = self._batches
            self._under_way[batch] = topics

        def done(carried: bool) -> None:
            with self._lock:
                self._under_way.pop(batch)
                if not carried:
                    self._failed |= topics

        self._carrying.carry(numbered, done)
        if self._are_others:
            self._untold = True

    # What was missed

    def _serve_wanted(self) -> None:
        if self._look_everywhere:
            self._look_everywhere = False
            self._look_for_others()
            self._compare_positions()
        while self._wanted and not self._ended:
            with self._lock:
                wanted, self._wanted = self._wanted, {}
            for receiver, topic in wanted:
                self._deliver_missed(receiver, topic)

    def _deliver_missed(self, receiver: JournalReceiver, topic: str) -> None:
        while (last := receiver.position(topic)) is not None:
            if receiver.hand_on(topic, last, self._page_after(topic, last)):
                return

    def _page_after(self, topic: str, last: Position) -> StreamPage:
        """Return what follows a position; all of the stream, if it is another one now."""
        page = reading.read_page(self._using, self._clock, topic, last)
        if last.epoch and page.position.epoch != last.epoch:
            page = reading.read_page(self._using, self._clock, topic)
        return page

    def _look_for_others(self) -> None:
        """Find whether there is anybody to be told; who has just come may have missed something."""
        before, self._are_others = self._are_others, notes.are_others(self._using, self._owner)
        self._untold = self._untold or (self._are_others and not before)

    def _compare_positions(self) -> None:
        """Find the topics of this process that have gone on, and nobody told."""
        for receiver in self._receivers():
            ends = reading.positions(self._using, receiver.topics())
            behind = [topic for topic, end in ends.items() if receiver.position(topic) not in (None, end)]
            if behind:
                self.fetch(receiver, behind)

    # Now and then

    def _poll(self) -> None:
        self._next_poll = time.monotonic() + POLL
        if not self._carrying.spans_processes:
            self._look_for_others()
            self._compare_positions()
        else:
            self._tell_again()
        self._clear_note()
        self._sweep()

    def _tell_again(self) -> None:
        """Hand the newest publication of each topic on that a relay may have left on its way."""
        with self._lock:
            topics, self._failed = self._failed, set()
        left = notes.abandoned(self._using, self._owner, self._now(), round(1000 * GRACE))
        for _, its_topics in left:
            topics |= set(its_topics)
        newest = [each for topic in sorted(topics) for each in self._newest(topic)]
        if newest:
            telemetry.count("journal.told_again", len(newest))
            self._carry(newest)
        for owner, _ in left:
            notes.remove(self._using, owner)

    def _newest(self, topic: str) -> list[Numbered]:
        page = reading.read_page(self._using, self._clock, topic, limit=1, reverse=True)
        return [Numbered(topic, encode_publication(each), page.position) for each in page.publications]

    def _clear_note(self) -> None:
        with self._lock:
            busy = bool(self._under_way or self._failed)
        if self._noted and not busy:
            self._noted = False
            notes.replace(self._using, self._owner, b"", self._now())

    def _sweep(self) -> None:
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEPS[0]
        notes.renew(self._using, self._owner, self._now())
        if notes.claim(self._using, notes.SWEEP, self._now(), round(1000 * SWEEPS[0])):
            removed = sweeping.sweep(self._using, self._now())
            if now >= self._next_stream_sweep:  # it looks at every stream
                self._next_stream_sweep = now + SWEEPS[1]
                sweeping.sweep_streams(self._using, self._now())
            notes.remove_idle(self._using, self._now() - round(1000 * IDLE))
            telemetry.count("journal.expired", removed)

    def _leave(self) -> None:
        """Take the row of this relay away, unless others need it; close its connection."""
        from django.db import connections

        try:
            if not (self._under_way or self._failed):
                notes.remove(self._using, self._owner)
        except StoreUnavailable:
            pass  # the next relay finds nothing in it
        connections[self._using].close()

    def _now(self) -> int:
        return round(1000 * self._clock())
