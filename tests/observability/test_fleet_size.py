"""Fifty processes with a hundred thousand connections: what is asked, answered and merged, and how much."""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

import msgspec
import pytest

from channels.observability.fleet import merging
from channels.observability.fleet.answering import page_of
from channels.observability.fleet.answers import ConnectionRow, Connections
from channels.observability.fleet.asking import NodeAnswer, Questions
from channels.observability.fleet.messages import Answer, Known, NodeInfo, Question, decode, encode
from channels.observability.fleet.questions import MOST_ROWS, AskConnections
from channels.observability.fleet.roster import Roster

NODES, EACH = 50, 2_000
#: Bytes of a page of one process: 50 rows of no more than this.
MOST_BYTES = 50 * 400


class Process:
    """A process that answers as each does, from a list of its connections.

    Args:
        number: of the process.
    """

    def __init__(self, number: int) -> None:
        self.node = NodeInfo(f"{number:032x}", f"web-{number}", number + 1, "daphne", "1", 0.0)
        names = (f"{number % 7:x}{number:011x}.{place:010d}" for place in range(EACH))
        self.rows = [
            ConnectionRow(
                name, "websocket", "/chat/lobby/", "192.0.2.1:1", "ada", "1", "Chat", "open", 1.0, 0, 1, 0, 0
            )
            for name in names
        ]

    def answer(self, question: Question) -> bytes:
        """Answer, as bytes on the wire."""
        ask: Any = question.ask
        rows = [row for row in self.rows if row.id > ask.after]
        found = Connections(page_of(rows, ask), EACH)
        return encode(Answer(question.number, self.node, [], msgspec.Raw(encode(found))))


class Network:
    """Takes a question to all processes, and their answers back; some say nothing.

    Args:
        processes: those that answer.
    """

    channel = "channels.fleet!asker"

    def __init__(self, processes: list[Process]) -> None:
        self.processes, self.silent = processes, 0
        self.roster = Roster()
        self.questions = Questions(self.roster)
        self.sizes: list[int] = []

    async def tell_all(self, envelope: Question) -> None:
        """Tell each of them at once."""
        question: Any = decode(encode(envelope))
        for process in self.processes[self.silent :]:
            answer = process.answer(question)
            self.sizes.append(len(answer))
            asyncio.get_running_loop().call_soon(self.questions.heard, decode(answer))  # type: ignore[arg-type]

    async def page(self, seconds: float = 5.0, **wanted: Any) -> tuple[merging.Page, list[NodeAnswer]]:
        """Ask for a page."""
        ask = AskConnections(**wanted)
        answers = await self.questions.ask(self, ask, seconds)  # type: ignore[arg-type]
        return merging.connections(answers, ask.limit), answers


@pytest.fixture(scope="module")
def processes() -> list[Process]:
    return [Process(number) for number in range(NODES)]


@pytest.fixture
def network(processes: list[Process]) -> Network:
    found = Network(processes)
    for process in processes:
        found.roster.heard(process.node)
    return found


async def test_pages_are_cut_where_the_connections_are(network: Network) -> None:
    every = [row.id for process in network.processes for row in process.rows]
    first = heapq.nsmallest(150, every)
    after, seen = "", []
    for _ in range(3):
        page, _ = await network.page(after=after)
        assert (len(page.rows), page.total, page.missing) == (50, NODES * EACH, [])
        seen += [row.id for row in page.rows]
        after = page.after
    assert seen == first
    assert max(network.sizes) <= MOST_BYTES
    last, _ = await network.page(after=max(every)[:-1])
    assert (last.rows[-1].id, last.after) == (max(every), "")


async def test_nobody_gets_more_than_a_page_has_and_counts_bring_no_rows(network: Network) -> None:
    page, answers = await network.page(counts_only=True)
    assert (page.rows, page.total) == ([], NODES * EACH)
    assert max(network.sizes) < 400
    ask = AskConnections(limit=1_000_000)
    answers = await network.questions.ask(network, ask, 5.0)  # type: ignore[arg-type]
    assert {len(each.result.rows) for each in answers} == {MOST_ROWS}


async def test_those_that_say_nothing_are_named_in_time_and_the_others_are_shown(network: Network) -> None:
    network.silent = 3
    page, answers = await network.page(seconds=0.3)
    assert [each.node.host for each in page.missing] == ["web-0", "web-1", "web-2"]
    assert {each.state for each in page.missing} == {"silent"}
    assert (len(page.rows), page.total, len(answers)) == (50, (NODES - 3) * EACH, NODES)


async def test_who_has_just_come_learns_of_all_from_the_first_answer(processes: list[Process]) -> None:
    network = Network(processes)
    known = [Known(process.node, 1.0) for process in processes]
    network.questions.heard(Answer(0, processes[0].node, known, msgspec.Raw(encode(None))))
    page, _ = await network.page()
    assert (page.total, page.missing) == (NODES * EACH, [])
