"""Fifty processes with two thousand connections each: what each says is a page, and so is the whole."""

from __future__ import annotations

from bisect import bisect

from channels.observability.fleet import merging
from channels.observability.fleet.answers import ConnectionRow, Connections, TopicRow, Topics
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.messages import NodeInfo, encode
from channels.observability.fleet.questions import AskTopics

NODES, EACH, LIMIT = 50, 2_000, 50
IDS = {node: [f"{node:012d}.{number:010d}" for number in range(EACH)] for node in range(NODES)}


def info(node: int) -> NodeInfo:
    return NodeInfo(f"{node}", "web", node, "daphne", "0", 0.0)


def row(key: str) -> ConnectionRow:
    return ConnectionRow(key, "websocket", "/", "", "ada", "7", "Chat", "open", 1.0, 0, 1, 0, 0)


def page_after(after: str) -> list[NodeAnswer]:
    """Return what the processes answer: their first rows behind one, of all that they have."""
    return [
        NodeAnswer(info(node), "ok", Connections(list(map(row, ids[bisect(ids, after) :][:LIMIT])), EACH))
        for node, ids in IDS.items()
    ]


def test_pages_of_a_hundred_thousand_connections_have_each_once_and_in_order() -> None:
    seen: list[str] = []
    after = f"{NODES - 1:012d}.{EACH - 120:010d}"
    while True:
        page = merging.connections(page_after(after), LIMIT)
        assert page.total == NODES * EACH
        assert len(page.rows) <= LIMIT
        seen += [each.id for each in page.rows]
        if not page.after:
            break
        after = page.after
    assert seen == IDS[NODES - 1][-119:]


def test_an_answer_is_small_however_many_there_are() -> None:
    assert max(len(encode(each.result)) for each in page_after("")) < 64 * 1024


def test_who_is_missing_or_has_not_looked_at_all_is_named() -> None:
    answers = page_after("")[:2]
    answers += [NodeAnswer(info(7), "silent"), NodeAnswer(info(8), "ok", Connections([], 0, complete=False))]
    assert [each.node.pid for each in merging.connections(answers, LIMIT).missing] == [7, 8]


def test_a_sum_is_shown_only_where_each_process_has_said_its_part() -> None:
    first = Topics([TopicRow("a", 1), TopicRow("b", 1)], 2)
    cut = Topics([TopicRow("a", 2), TopicRow("c", 5)], 3)
    answers = [NodeAnswer(info(1), "ok", first), NodeAnswer(info(2), "ok", cut)]
    page = merging.topics(answers, 2)
    assert [(each.name, each.subscribers) for each in page.rows] == [("a", 3), ("b", 1)]
    assert page.after == "b"
    assert AskTopics(after=page.after).after == "b"
    whole = merging.topics(answers, 50)
    assert [(each.name, each.subscribers) for each in whole.rows] == [("a", 3), ("b", 1), ("c", 5)]
    assert (whole.after, whole.total) == ("", 5)
