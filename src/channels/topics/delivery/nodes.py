"""Which nodes there are, and what they say when one of them asks all.

A node is one event loop with topics. Each tells the others of itself every few seconds, so that whoever asks
all of them knows whose answers to wait for, and does not wait for the dead.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from channels import __version__, telemetry
from channels.topics.control import Control, NodeReport, Survey, SurveyAnswer

#: Seconds between two reports.
REPORT_INTERVAL: Final = 3.0
#: Seconds after which a node that was not heard of is gone.
FORGET_AFTER: Final = 10.0
#: Seconds to wait for answers.
SURVEY_TIMEOUT: Final = 1.0
#: Seconds after its first report in which a node learns of the others.
SETTLE: Final = 0.3
#: Topics in the answer of one node.
TOPIC_LIMIT: Final = 20_000

Counts = tuple[int, int]


class Nodes:
    """What one node knows of all.

    Args:
        node: its own name.
        count: returns how many clients and how many users it has.
        topics: returns how many subscriptions each of its topics has.
        tell: tells all nodes something, this one included.
    """

    def __init__(
        self,
        node: str,
        count: Callable[[], Counts],
        topics: Callable[[], dict[str, int]],
        tell: Callable[[Control], None],
    ) -> None:
        self._node, self._count, self._topics, self._tell = node, count, topics, tell
        self._began = time.monotonic()
        self._used = (time.monotonic(), time.process_time())
        self._known: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._surveys: dict[int, _Running] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._settled = 0.0

    def start(self) -> None:
        """Tell the others of this node from now on."""
        if self._timer is None:
            self._settled = time.monotonic() + SETTLE
            self._report()

    def _report(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(REPORT_INTERVAL, self._report)
        self._tell(self.report())

    def report(self) -> NodeReport:
        """Return what this node says of itself."""
        clients, users = self._count()
        topics = self._topics()
        return NodeReport(
            node=self._node,
            name=f"{socket.gethostname()}_{os.getpid()}",
            version=f"fairway {__version__}",
            clients=clients,
            users=users,
            topics=len(topics),
            subscriptions=sum(topics.values()),
            uptime=int(time.monotonic() - self._began),
            cpu=self._cpu(),
            rss=memory(),
        )

    def _cpu(self) -> float:
        before, now = self._used, (time.monotonic(), time.process_time())
        self._used = now
        return round(100 * (now[1] - before[1]) / max(0.001, now[0] - before[0]), 1)

    def reported(self, report: NodeReport) -> None:
        """Take what a node says of itself; a new one hears of this one at once."""
        if report.node not in self._known and report.node != self._node and self._timer is not None:
            self._tell(self.report())
        self._known[report.node] = time.monotonic()

    def asked(self, survey: Survey) -> None:
        """Answer a node that asks all."""
        self.start()
        topics = {} if survey.pattern is None else self._matching(survey.pattern)
        complete = len(topics) <= TOPIC_LIMIT
        if not complete:
            topics = dict(itertools.islice(topics.items(), TOPIC_LIMIT))
        self._tell(SurveyAnswer(survey.id, survey.node, self.report(), topics, complete))

    def _matching(self, pattern: str) -> dict[str, int]:
        topics = self._topics()
        return {name: topics[name] for name in fnmatch.filter(topics, pattern)} if pattern else topics

    def answered(self, answer: SurveyAnswer) -> None:
        """Take an answer, if this node has asked."""
        running = self._surveys.get(answer.id) if answer.node == self._node else None
        if running is not None:
            running.take(answer)

    async def survey(self, pattern: str | None = None) -> list[SurveyAnswer]:
        """Ask all nodes; returns the answers of those that live.

        Args:
            pattern: of the topics to hear of; "": of all; None: of none.
        """
        self.start()
        await asyncio.sleep(max(0.0, self._settled - time.monotonic()))
        alive = time.monotonic() - FORGET_AFTER
        self._known = {node: heard for node, heard in self._known.items() if heard > alive}
        running = _Running({*self._known, self._node})
        number = next(self._numbers)
        self._surveys[number] = running
        try:
            self._tell(Survey(number, self._node, pattern))
            return await running.answers()
        finally:
            del self._surveys[number]


class _Running:
    """A question to all nodes.

    Args:
        expected: the nodes that are to answer.
    """

    def __init__(self, expected: set[str]) -> None:
        self._missing = expected
        self._answers: dict[str, SurveyAnswer] = {}
        self._complete = asyncio.Event()

    def take(self, answer: SurveyAnswer) -> None:
        """Take an answer."""
        self._answers[answer.report.node] = answer
        self._missing.discard(answer.report.node)
        if not self._missing:
            self._complete.set()

    async def answers(self) -> list[SurveyAnswer]:
        """Wait for all answers, but not for ever."""
        try:
            await asyncio.wait_for(self._complete.wait(), SURVEY_TIMEOUT)
        except TimeoutError:
            telemetry.count("topics.survey_incomplete", len(self._missing))
        return list(self._answers.values())


def memory() -> int:
    """Return the bytes of memory that this process has, or had at most where only that is known; else 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        if resource is None:
            return 0
        unit = 1 if sys.platform == "darwin" else 1024  # macOS says it in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
