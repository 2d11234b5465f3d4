from __future__ import annotations

import pytest

from channels.protocols.mqtt.codes import MQTTError
from channels.protocols.mqtt.topics import SharedFilter, is_wildcard, matches, read_topic_name, split_filter

#: The examples of the standard's section 4.7, and their neighbours: a filter, names that match, and others.
MATCHES = [
    (
        "sport/tennis/player1/#",
        ["sport/tennis/player1", "sport/tennis/player1/score/wimbledon"],
        ["sport/tennis"],
    ),
    ("sport/#", ["sport", "sport/", "sport/a/b"], ["sports", "/sport"]),
    ("#", ["a", "/", "a/b", "/a"], ["$SYS", "$SYS/a"]),
    (
        "sport/tennis/+",
        ["sport/tennis/player1", "sport/tennis/"],
        ["sport/tennis/player1/ranking", "sport/tennis"],
    ),
    ("+", ["finance", ""], ["/finance", "$SYS"]),
    ("+/+", ["/finance", "a/b"], ["finance", "$SYS/a", "a/b/c"]),
    ("/+", ["/finance"], ["finance", "/a/b"]),
    ("+/monitor/Clients", ["x/monitor/Clients"], ["$SYS/monitor/Clients"]),
    ("$SYS/#", ["$SYS/a", "$SYS"], ["SYS/a"]),
    ("$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor"]),
    ("ACCOUNTS", ["ACCOUNTS"], ["Accounts"]),
    ("a//b", ["a//b"], ["a/b"]),
]


@pytest.mark.parametrize(("topic_filter", "these", "others"), MATCHES)
def test_which_names_match_a_filter(topic_filter: str, these: list[str], others: list[str]) -> None:
    assert [matches(topic_filter, name) for name in these] == [True] * len(these)
    assert [matches(topic_filter, name) for name in others] == [False] * len(others)


def test_a_shared_filter_has_a_group() -> None:
    assert split_filter("$share/g/a/#") == SharedFilter("g", "a/#")
    assert split_filter("$share/g//a") == SharedFilter("g", "/a")
    assert split_filter("a/+") == SharedFilter("", "a/+")
    with pytest.raises(MQTTError, match="without wildcards in the name"):
        split_filter("$share/+/a")


def test_wildcards_are_of_filters_only() -> None:
    assert [is_wildcard(each) for each in ("a/+", "#", "a")] == [True, True, False]
    assert read_topic_name(b"a/b") == "a/b"
    with pytest.raises(MQTTError, match="no wildcards"):
        read_topic_name(b"a/+")
