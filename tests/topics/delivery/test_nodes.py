"""Nodes that know of each other, and answer when one asks."""

import asyncio
import time
from collections.abc import Callable

import pytest

from channels.topics.control import Control, NodeReport, Survey, SurveyAnswer
from channels.topics.delivery import nodes as module
from channels.topics.delivery.nodes import Nodes


class Cluster:
    """Carries what nodes tell to all of them, as a store does."""

    def __init__(self) -> None:
        self.nodes: dict[str, Nodes] = {}

    def add(self, name: str, topics: dict[str, int]) -> Nodes:
        node = self.nodes[name] = Nodes(name, lambda: (sum(topics.values()), 1), lambda: topics, self.tell)
        return node

    def tell(self, message: Control) -> None:
        asyncio.get_running_loop().call_soon(self._carry, message)

    def _carry(self, message: Control) -> None:
        for node in list(self.nodes.values()):
            handlers: dict[type, Callable[..., None]] = {
                NodeReport: node.reported,
                Survey: node.asked,
                SurveyAnswer: node.answered,
            }
            handlers[type(message)](message)


async def test_all_nodes_answer_with_what_was_asked_for() -> None:
    cluster = Cluster()
    first = cluster.add("a", {"room:1": 2, "news": 1})
    cluster.add("b", {"room:1": 3})
    cluster.nodes["b"].start()
    answers = {answer.report.node: answer for answer in await first.survey("room:*")}
    assert {name: answer.topics for name, answer in answers.items()} == {
        "a": {"room:1": 2},
        "b": {"room:1": 3},
    }
    assert all(not answer.topics for answer in await first.survey())
    assert {answer.report.subscriptions for answer in await first.survey("")} == {3}


async def test_a_node_that_has_gone_is_waited_for_once_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()
    first = cluster.add("a", {})
    cluster.add("b", {}).start()
    assert len(await first.survey()) == 2
    del cluster.nodes["b"]
    began = time.monotonic()
    assert [answer.report.node for answer in await first.survey()] == ["a"]
    assert time.monotonic() - began >= module.SURVEY_TIMEOUT * 0.9
    monkeypatch.setattr(module, "FORGET_AFTER", 0.0)
    monkeypatch.setattr(module, "SURVEY_TIMEOUT", 60.0)
    async with asyncio.timeout(10):
        assert [answer.report.node for answer in await first.survey()] == ["a"]


async def test_too_many_topics_are_not_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOPIC_LIMIT", 2)
    cluster = Cluster()
    node = cluster.add("a", {"1": 1, "2": 1, "3": 1})
    (answer,) = await node.survey("")
    assert (len(answer.topics), answer.complete) == (2, False)
