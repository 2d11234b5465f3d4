"""Whose entries belong together, when several processes tell what became of group messages."""

from __future__ import annotations

from channels.observability.fleet.answers import Log, LogEntry
from channels.observability.fleet.asking import NodeAnswer
from channels.observability.fleet.merging import log
from channels.observability.fleet.messages import NodeInfo


def answer(host: str, *entries: tuple[float, str, str], kind: str = "group") -> NodeAnswer:
    """What a process says: of each entry when, which stage, and the message's key."""
    node = NodeInfo(host.ljust(32, "0"), host, 1, "daphne", "1", 0.0)
    rows = [LogEntry(at, kind, "room", stage, 1, "", key, "") for at, stage, key in entries]
    return NodeAnswer(node, "ok", Log(rows))


def ways(*answers: NodeAnswer) -> list[tuple[str, list[str]]]:
    return [
        (each.key, [f"{node.partition(':')[0]} {entry.stage}" for node, entry in each.steps])
        for each in reversed(log(list(answers)))
    ]


def test_messages_that_overtake_each_other_are_told_apart() -> None:
    sent = answer("a", (1.0, "published", "one"), (1.1, "published", "two"))
    came = answer("b", (1.2, "delivered", "two"), (1.3, "delivered", "one"))
    assert ways(sent, came) == [
        ("one", ["a published", "b delivered"]),
        ("two", ["a published", "b delivered"]),
    ]


def test_clocks_that_differ_take_nothing_away() -> None:
    sent, came = answer("a", (9.0, "published", "one")), answer("b", (1.0, "delivered", "one"))
    assert ways(sent, came) == [("one", ["b delivered", "a published"])]


def test_messages_with_the_same_contents_begin_where_they_are_published() -> None:
    sent = answer("a", (1.0, "published", "one"), (2.0, "published", "one"))
    came = answer("b", (1.5, "delivered", "one"), (2.5, "delivered", "one"))
    assert ways(sent, came) == [("one", ["a published", "b delivered"])] * 2


def test_what_nobody_here_has_sent_stands_alone_and_what_has_no_key_belongs_to_the_last() -> None:
    sent = answer("a", (1.0, "published", "one"))
    came = answer("b", (1.1, "delivered", "gone"), (1.2, "dropped", ""))
    assert ways(sent, came) == [("one", ["a published", "b dropped"]), ("gone", ["b delivered"])]


def test_where_a_step_belongs_only_by_a_guess_the_message_says_so() -> None:
    sent = answer("a", (1.0, "published", "one"), (2.0, "published", "two"), (2.1, "dropped", ""))
    came = answer("b", (1.5, "delivered", "one"), (1.6, "dropped", "one"))
    assert {each.key: each.guessed for each in log([sent, came])} == {"one": False, "two": True}
    alike = answer("a", (1.0, "published", "one"), (2.0, "published", "one"), (2.1, "delivered", "one"))
    assert [each.guessed for each in log([alike])] == [True, True]


def test_messages_that_are_alike_are_told_apart_by_their_traces() -> None:
    def entry(at: float, stage: str, trace: str) -> LogEntry:
        return LogEntry(at, "group", "room", stage, 1, "", "one", "", trace)

    node = NodeInfo("a" * 32, "a", 1, "daphne", "1", 0.0)
    rows = [entry(1.0, "published", "f" * 32), entry(2.0, "published", "e" * 32)]
    rows += [entry(2.1, "delivered", "e" * 32), entry(2.2, "delivered", "f" * 32)]
    newest, oldest = log([NodeAnswer(node, "ok", Log(rows))])
    for message, trace in ((oldest, "f" * 32), (newest, "e" * 32)):
        assert [(each.stage, each.trace) for _, each in message.steps] == [
            ("published", trace),
            ("delivered", trace),
        ]
        assert not message.guessed


def test_each_message_to_a_channel_stands_alone() -> None:
    came = answer("b", *((at, "delivered", "") for at in (1.0, 2.0)), (3.0, "dropped", ""), kind="channel")
    assert ways(came) == [("", ["b delivered"]), ("", ["b delivered"]), ("", ["b dropped"])]
    assert not any(each.guessed for each in log([came]))


def test_what_is_about_a_topic_and_no_publication_stands_between_those() -> None:
    acknowledged = (at for at in (2.0, 2.1, 4.0))
    said = answer(
        "a",
        (1.0, "published", "1000-a"),
        (3.0, "published", "3000-b"),
        *((at, "acknowledged", "") for at in acknowledged),
        kind="topic",
    )
    assert [steps for _, steps in ways(said)] == [
        ["a published"],
        ["a acknowledged", "a acknowledged"],
        ["a published"],
        ["a acknowledged"],
    ]
    assert not any(each.guessed for each in log([said]))


def test_a_process_of_a_release_without_keys_is_understood() -> None:
    sent = answer("a", (1.0, "published", ""), (1.1, "delivered", ""), (2.0, "published", ""))
    assert ways(sent) == [("", ["a published", "a delivered"]), ("", ["a published"])]
