"""Asking all processes, and waiting for their answers no longer than a second."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final, NamedTuple

import msgspec

from channels import telemetry
from channels.observability.fleet.messages import Answer, NodeInfo, Question, decode_result
from channels.observability.fleet.questions import Ask
from channels.observability.fleet.roster import Roster, state_of_process
from channels.observability.fleet.transport import Transport

#: Seconds that processes have to answer.
TIME_LIMIT: Final = 1.0
#: The same where one of them is meant: for actions, and for all of one connection.
PATIENT_LIMIT: Final = 5.0
#: The same for those that have not answered the last time.
SECOND_CHANCE: Final = 0.3
#: Seconds that one who knows no process yet waits for the first to tell of others.
STRANGERS: Final = 0.3


class NodeAnswer(NamedTuple):
    """What came of a question to one process.

    Attributes:
        node: which.
        state: "ok", "failed" (see ``error``), "silent", "stopped" or "ended".
        result: the answer; None without one.
        silent: seconds for which nothing was heard of a process that has not answered.
        error: what went wrong there.
    """

    node: NodeInfo
    state: str
    result: Any = None
    silent: float = 0.0
    error: str = ""


class Questions:
    """The questions of one event loop.

    Args:
        roster: of whom one has heard; it learns from answers.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._late: set[str] = set()

    def heard(self, answer: Answer) -> None:
        """Take an answer, and whom else its process knows."""
        self._late.discard(answer.node.id)
        for known in answer.known:
            self._roster.heard(known.node, known.silent)
        self._roster.heard(answer.node)
        pending = self._pending.get(answer.number)
        if pending is not None:
            pending.take(answer)

    async def ask(self, transport: Transport, ask: Ask, time_limit: float = TIME_LIMIT) -> list[NodeAnswer]:
        """Ask all; returns what each said, in the order of their names, and who said nothing.

        Args:
            transport: the way to them.
            ask: what.
            time_limit: seconds that they have.

        Raises:
            ChannelLayerUnavailable: the layer is away.
        """
        number = next(self._numbers)
        pending = self._pending[number] = _Pending(self._roster, self._late)
        try:
            await transport.tell_all(Question(number, transport.channel, ask))
            await pending.wait(time_limit)
        finally:
            del self._pending[number]
        found = [_answer(ask, each) for each in pending.answers.values()]
        silent = [each for each in self._roster.known() if each.node.id not in pending.answers]
        if silent:
            telemetry.count("fleet.unanswered", len(silent))
            self._late |= {each.node.id for each in silent}
        found += [NodeAnswer(each.node, state_of_process(each.node), silent=each.silent) for each in silent]
        return sorted(found, key=lambda each: (each.node.host, each.node.pid))


class _Pending:
    """A question that waits for its answers.

    Args:
        roster: who is to answer.
        late: those that did not the last time.
    """

    def __init__(self, roster: Roster, late: set[str]) -> None:
        self._roster, self._late = roster, late
        self.answers: dict[str, Answer] = {}
        self._changed = asyncio.Event()

    def take(self, answer: Answer) -> None:
        """Take an answer."""
        self.answers[answer.node.id] = answer
        self._changed.set()

    async def wait(self, time_limit: float) -> None:
        """Return when all have answered; or some, and the others did not answer the last time either."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        strangers = not self._roster.known()
        while (passed := loop.time() - begun) < time_limit:
            missing = {each.node.id for each in self._roster.known()} - self.answers.keys()
            until = STRANGERS if strangers else 0.0
            if not self.answers or missing - self._late:
                until = time_limit
            elif missing:
                until = SECOND_CHANCE
            if passed >= until:
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), until - passed)
            except TimeoutError:
                continue


def _answer(ask: Ask, answer: Answer) -> NodeAnswer:
    if answer.error:
        return NodeAnswer(answer.node, "failed", error=answer.error)
    try:
        return NodeAnswer(answer.node, "ok", decode_result(ask, answer.result))
    except msgspec.MsgspecError as error:
        return NodeAnswer(answer.node, "failed", error=f"It is of another release: {error}")
