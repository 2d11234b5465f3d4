"""The receiver's side: holds what comes behind a gap, asks for what is missing, and gives up in time."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple, Protocol

from channels import telemetry
from channels.layers.redis.repair.messages import Answer, Place, Question
from channels.layers.redis.repair.settings import RepairLimits
from channels.layers.redis.wire.gaps import GapDetector, Incoming, Result
from channels.layers.redis.wire.keys import Topic
from channels.layers.redis.wire.sequencing import MARK, Envelope, token_of

#: Seconds in which gaps are gathered before the first question: many are found at once.
GATHER: Final = 0.01
#: Seconds until a question is asked again, at first and at most.
ASK_AGAIN: Final = 0.25
ASK_AGAIN_MOST: Final = 2.0
#: Gaps that one question is about.
QUESTIONS: Final = 200
#: Gaps that are open at once; of more the new ones are given up.
MAX_GAPS: Final = 10_000


class RepairedReceiver(Protocol):
    """Who gets what was held."""

    def open_sealed(self, topic: Topic, data: bytes) -> Envelope | None:
        """Return a message of an answer, or None if it is none that was sent on ``topic``."""

    def deliver(self, topic: Topic, envelope: Envelope) -> None:
        """Deliver a message."""

    def count_lost(self, topic: Topic, amount: int) -> None:
        """Count messages that never come."""


class AskingNode(Protocol):
    """What is asked of the process."""

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background, until the process closes its connections."""

    async def ask_for_repair(self, process: bytes, questions: Sequence[Question]) -> None:
        """Ask the process with that token; if it cannot be asked now, it is asked again."""


class OpenGap(NamedTuple):
    """A sender of whom something is missing on a topic."""

    topic: Topic
    sender: bytes
    watch: GapDetector
    incoming: Incoming


class Repairs:
    """Every gap that is open in this process.

    Args:
        receiver: gets what was held.
        node: the process.
        limits: how long, and how much.
        clock: seconds, monotonic.

    Attributes:
        repaired: messages that were missing and came.
        unrepaired: messages that were missing and did not come, by why.
        held: bytes that wait.
    """

    def __init__(
        self,
        receiver: RepairedReceiver,
        node: AskingNode,
        limits: RepairLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.repaired = 0
        self.unrepaired: dict[str, int] = defaultdict(int)
        self.held = 0
        self._receiver = receiver
        self._node = node
        self._limits = limits
        self._clock = clock
        self._open: dict[tuple[bytes, bytes], OpenGap] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._progress = asyncio.Event()

    def __len__(self) -> int:
        """Count the gaps that are open."""
        return len(self._open)

    def takes(self, envelope: Envelope) -> bool:
        """Whether what is missing before this envelope can be asked for."""
        return self._limits.enabled and token_of(envelope.sender) is not None

    def out_of_order(self, topic: Topic, watch: GapDetector, envelope: Envelope) -> None:
        """Take a message that is not the next of its sender, or a mark; the sender can be asked."""
        incoming = watch.incoming.get(envelope.sender)
        if incoming is None:
            incoming = self._meet(watch, envelope)
        if envelope.number <= incoming.latest:
            return  # a mark that tells nothing new, or a message that came before
        if envelope.kind == MARK and (known_gap := self._open.get((topic.key, envelope.sender))) is not None:
            self._ask_again(known_gap)  # its sender can be reached
        known = incoming.latest > 0 or (envelope.kind == MARK and watch.began_before(envelope))
        now, before = self._clock(), _held(incoming)
        incoming.note(envelope, now, known)
        result = incoming.go_on(now)
        self.held += _held(incoming) - before
        gap = OpenGap(topic, envelope.sender, watch, incoming)
        self._apply(gap, result)
        self._begin(gap)

    def _meet(self, watch: GapDetector, envelope: Envelope) -> Incoming:
        """Decide about a sender that is heard of for the first time: was anything missed before?"""
        if envelope.kind == MARK:
            missed = watch.began_before(envelope) or watch.interrupted_within(self._limits.window)
            return watch.meet(envelope.sender, 0 if missed else envelope.number)
        missed = watch.interrupted_within(self._limits.window)
        return watch.meet(envelope.sender, 0 if missed else envelope.number - 1)

    def _begin(self, gap: OpenGap) -> None:
        if gap.incoming.gap is None:
            return
        if self.held > self._limits.buffer or len(self._open) >= MAX_GAPS:
            self._give_up(gap, "overflow")
            return
        self._open[gap.topic.key, gap.sender] = gap
        self._start()

    def resume(self) -> None:
        """Ask for all that is missing, in the loop in which the subscriptions are back; called in it."""
        for open_gap in self._open.values():
            self._ask_again(open_gap)
        self._start()

    def _ask_again(self, open_gap: OpenGap) -> None:
        """Ask at once, and wait for the answer as long as at first: the way to the sender is back."""
        if open_gap.incoming.gap is not None:
            open_gap.incoming.gap.since = self._clock()
            open_gap.incoming.gap.ask_again()
            self._progress.set()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._open and self._loop is not loop:
            self._loop = loop
            self._node.start(self._run(loop))

    def answered(self, topic: Topic, answer: Answer) -> None:
        """Take an answer; one that nobody waits for any more is nothing."""
        gap = self._open.get((topic.key, answer.place.sender))
        if gap is None:
            return
        opened = [self._receiver.open_sealed(topic, each) for each in answer.messages]
        found = {each.number: each for each in opened if each is not None and each.sender == gap.sender}
        before = _held(gap.incoming)
        result = gap.incoming.fill(answer.span, found, answer.gone, self._clock())
        self.held += _held(gap.incoming) - before
        self._apply(gap, result, "gone")
        self._progress.set()

    def _apply(self, gap: OpenGap, result: Result, reason: str = "") -> None:
        """Deliver what is ready, count the rest, forget a gap that is closed."""
        if gap.incoming.gap is None:
            self._open.pop((gap.topic.key, gap.sender), None)
        if result.lost:
            self.unrepaired[reason] += result.lost
            telemetry.count("layer.redis_unrepaired", result.lost, reason=reason)
            self._receiver.count_lost(gap.topic, result.lost)
        if result.repaired:
            self.repaired += result.repaired
            telemetry.count("layer.redis_repaired", result.repaired)
        for envelope in result.ready:
            self._receiver.deliver(gap.topic, envelope)

    def _give_up(self, gap: OpenGap, reason: str) -> None:
        self.held -= _held(gap.incoming)
        self._apply(gap, gap.incoming.give_up(), reason)

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask until no gap is open, or another loop does."""
        self._progress = asyncio.Event()  # of this loop
        try:
            await asyncio.sleep(GATHER)
            while self._open and self._loop is loop:
                self._give_up_late()
                for process, each in self._due().items():
                    for start in range(0, len(each), QUESTIONS):
                        self._node.start(self._node.ask_for_repair(process, each[start : start + QUESTIONS]))
                self._progress.clear()
                await self._wait()
        finally:
            if self._loop is loop:
                self._loop = None

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(ASK_AGAIN / 2):
                await self._progress.wait()
        except TimeoutError:
            return
        await asyncio.sleep(GATHER)  # more answers are on their way

    def _give_up_late(self) -> None:
        now, limits = self._clock(), self._limits
        for open_gap in list(self._open.values()):
            gap = open_gap.incoming.gap
            if gap is not None and now > min(gap.since, gap.began + limits.window) + limits.timeout:
                self._give_up(open_gap, "timeout")

    def _due(self) -> dict[bytes, list[Question]]:
        """Return what is to be asked now, by process."""
        now = self._clock()
        questions: dict[bytes, list[Question]] = defaultdict(list)
        for topic, sender, watch, incoming in self._open.values():
            gap, process = incoming.gap, token_of(sender)
            if gap is None or process is None or now < gap.asked + gap.pause:
                continue
            gap.asked, gap.pause = now, min(ASK_AGAIN_MOST, max(ASK_AGAIN, gap.pause * 2))
            place = Place(topic.kind, topic.name, sender)
            questions[process].append(
                Question(place, incoming.missing, watch.age if incoming.latest == 0 else None)
            )
        return questions


def _held(incoming: Incoming) -> int:
    return 0 if incoming.gap is None else incoming.gap.size
