"""What a receiver knows of each sender on a topic: what is missing, what came before, what waits.

A message that comes behind a gap waits while the missing ones are asked for, if the sender's process
can be asked; else the gap is counted at once, and the message is delivered.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from channels.layers.redis.wire.sequencing import AGE, HEAD, MARK, MESSAGE, Envelope

#: Senders a receiver remembers per topic; the one that was silent for longest is forgotten.
MAX_SENDERS: Final = 256

#: First and last of consecutive numbers.
Span = tuple[int, int]


class Result(NamedTuple):
    """What comes of filling a gap, or of giving it up.

    Attributes:
        ready: messages that can be delivered, in order.
        lost: how many are missing before or between them, for good.
        repaired: how many of those that are ready had been missing.
    """

    ready: list[Envelope]
    lost: int = 0
    repaired: int = 0


class Gap:
    """Numbers of a sender that are missing, and the messages that wait behind them.

    Attributes:
        reached: the highest number that is known of.
        held: messages that wait, by number.
        size: their bytes.
        began: when the first of the missing numbers was missed, in monotonic seconds.
        since: the same, or when there was progress or the way to the sender was back.
        asked: when they were asked for; 0: not yet.
        pause: seconds until they are asked for again.
        known: whether everything that the sender has sent was meant for this receiver.
    """

    __slots__ = ("asked", "began", "held", "known", "pause", "reached", "since", "size")

    def __init__(self, since: float, known: bool) -> None:
        self.reached = 0
        self.held: dict[int, Envelope] = {}
        self.size = 0
        self.began = self.since = since
        self.asked = 0.0
        self.pause = 0.0
        self.known = known

    def progress(self, now: float) -> None:
        """Note that the first of the missing numbers is another one."""
        self.began = self.since = now
        self.ask_again()

    def ask_again(self) -> None:
        """Ask at the next opportunity."""
        self.asked = self.pause = 0.0


class Incoming:
    """One sender on one topic, whose process can be asked for what is missing.

    Attributes:
        latest: the number up to which everything is delivered, lost, or was not meant for this receiver.
        gap: what is missing behind it, if anything is.
    """

    __slots__ = ("gap", "latest")

    def __init__(self, latest: int = 0) -> None:
        self.latest = latest
        self.gap: Gap | None = None

    @property
    def missing(self) -> Span:
        """The first missing numbers; there is a gap."""
        assert self.gap is not None
        last = min(self.gap.held) - 1 if self.gap.held else self.gap.reached
        return self.latest + 1, last

    def note(self, envelope: Envelope, now: float, known: bool) -> None:
        """Note a number that was reached and, if it is a message, hold it; it is none that came before."""
        gap = self.gap or Gap(now, known)
        self.gap = gap
        gap.known = gap.known or known
        gap.reached = max(gap.reached, envelope.number)
        if envelope.kind != MARK and envelope.number not in gap.held:
            gap.held[envelope.number] = envelope
            gap.size += _size(envelope)

    def go_on(self, now: float) -> Result:
        """Return what waits no more, as all before it is settled."""
        gap, ready = self.gap, []
        while gap is not None and (envelope := gap.held.pop(self.latest + 1, None)) is not None:
            self.latest += 1
            gap.size -= _size(envelope)
            ready.append(envelope)
        if gap is not None and gap.reached <= self.latest:
            self.gap = None
        elif gap is not None and ready:
            gap.progress(now)
        return Result(ready)

    def fill(self, span: Span, found: Mapping[int, Envelope], gone: Iterable[Span], now: float) -> Result:
        """Take an answer: of the numbers of ``span`` those ``found`` are here, and those ``gone`` are lost.

        Others were never accepted, or were sent before this receiver listened.
        """
        first, last = span
        gap = self.gap
        if gap is None or not first <= self.latest + 1 <= last:
            return Result([])
        held = {number: envelope for number, envelope in gap.held.items() if number <= last}
        new = {n: each for n, each in found.items() if self.latest < n <= last and n not in held}
        ready = [each for _, each in sorted({**held, **new}.items())]
        lost = sum(_amount(each, (self.latest + 1, last), {*held, *new}) for each in gone)
        self._drop_held(gap, held)
        self.latest = last
        gap.progress(now)
        return Result(ready + self.go_on(now).ready, lost, len(new))

    def give_up(self) -> Result:
        """Wait no more: what is missing is lost."""
        gap = self.gap
        if gap is None:
            return Result([])
        held = dict(gap.held)
        first = self.latest + 1 if gap.known else min(held, default=gap.reached + 1)
        lost = _amount((first, gap.reached), (first, gap.reached), held)
        self._drop_held(gap, held)
        self.latest = gap.reached
        self.gap = None
        return Result([each for _, each in sorted(held.items())], lost)

    def _drop_held(self, gap: Gap, held: Mapping[int, Envelope]) -> None:
        for number, envelope in held.items():
            del gap.held[number]
            gap.size -= _size(envelope)


def _size(envelope: Envelope) -> int:
    return len(envelope.body) + HEAD.size


def _amount(span: Span, within: Span, known: Iterable[int]) -> int:
    """Return how many numbers of ``span`` are ``within`` another and not ``known``."""
    first, last = max(span[0], within[0]), min(span[1], within[1])
    return max(0, last - first + 1) - sum(first <= number <= last for number in known)


class GapDetector:
    """The receiver's side, for one topic: what is missing, and what came before.

    Args:
        clock: seconds, monotonic.

    Attributes:
        incoming: the senders whose processes can be asked.
        interrupted: when the subscription of the topic was last lost or got back; None: never.
    """

    __slots__ = ("_began", "_clock", "_latest", "incoming", "interrupted")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.interrupted: float | None = None
        self.incoming: dict[bytes, Incoming] = {}  # who was heard last is the last: empty, it is the smallest
        #: By sender: its latest number, and how many it had sent before the first that was seen.
        self._latest: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    @property
    def age(self) -> float:
        """Seconds for which this has watched."""
        return self._clock() - self._began

    def interrupt(self) -> None:
        """Note that the subscription is lost, or is back."""
        self.interrupted = self._clock()

    def interrupted_within(self, seconds: float) -> bool:
        """Whether something may have been missed lately, from senders that are not known of as well."""
        return self.interrupted is not None and self._clock() - self.interrupted < seconds

    def in_order(self, envelope: Envelope) -> bool:
        """Whether this is the next message of a sender who is known and can be asked; then it is noted."""
        incoming = self.incoming.get(envelope.sender)
        if incoming is None or incoming.latest + 1 != envelope.number or incoming.gap is not None:
            return False
        if envelope.kind != MESSAGE:
            return False
        incoming.latest = envelope.number
        if len(self.incoming) > 1:
            self.incoming[envelope.sender] = self.incoming.pop(envelope.sender)
        return True

    def meet(self, sender: bytes, latest: int) -> Incoming:
        """Remember a sender who can be asked, of whom everything up to ``latest`` is settled."""
        incoming = self.incoming[sender] = Incoming(latest)
        if len(self.incoming) > MAX_SENDERS:
            self._forget_one(incoming)
        return incoming

    def _forget_one(self, spared: Incoming) -> None:
        """Forget the sender that was silent for longest, unless something is missing of all."""
        for sender, incoming in self.incoming.items():
            if incoming.gap is None and incoming is not spared:
                del self.incoming[sender]
                return

    def missing(self, envelope: Envelope) -> int:
        """Return how many messages were lost before this one; -1 if it came before."""
        latest, unseen = self._latest.get(envelope.sender, (0, -1))
        if envelope.kind == MARK:
            return self._missing_at_mark(envelope, latest, unseen)
        if envelope.number <= latest:
            return -1
        first_seen = unseen < 0
        self._note(envelope, envelope.number - 1 if first_seen else unseen)
        return 0 if first_seen else envelope.number - latest - 1

    def began_before(self, envelope: Envelope) -> bool:
        """Whether the sender of this mark has sent nothing on the topic before it was watched."""
        return len(envelope.body) == AGE.size and bool(AGE.unpack(envelope.body)[0] < self.age)

    def _missing_at_mark(self, envelope: Envelope, latest: int, unseen: int) -> int:
        """A mark says how old the sender is: of one younger than this watch nothing was sent before it."""
        missing = max(0, envelope.number - latest)
        if unseen < 0:
            unseen, missing = missing, 0
        if self.began_before(envelope):
            missing, unseen = missing + unseen, 0
        self._note(envelope._replace(number=max(latest, envelope.number)), unseen)
        return missing

    def _note(self, envelope: Envelope, unseen: int) -> None:
        self._latest[envelope.sender] = (envelope.number, unseen)
        self._latest.move_to_end(envelope.sender)
        if len(self._latest) > MAX_SENDERS:
            self._latest.popitem(last=False)
