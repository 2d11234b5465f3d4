"""The names of what a store keeps in Redis."""

from __future__ import annotations

import itertools

import pytest
from redis.crc import key_slot

from channels.topics.stores.redis.keys import TopicKeys

NAMES = ["t", "", "é ✓", "{", "}", "{}", "a{b}c", "}{", "%7B", "a" * 300]


def all_keys(name):
    keys = TopicKeys("p")
    of_presence = keys.presence(name)
    return [*keys.stream(name), *keys.idempotent(name, "k{}"), *of_presence, keys.channel(name).key]


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_a_cluster_keeps_a_topic_together(name):
    assert len({key_slot(key) for key in all_keys(name)}) == 1


def test_no_two_topics_share_a_name():
    for one, other in itertools.combinations(NAMES, 2):
        assert not {*all_keys(one)} & {*all_keys(other)}


def test_what_is_published_goes_to_the_name_of_the_stream():
    keys = TopicKeys("p")
    assert keys.channel("t") == (b"p:{t}:s", "stream", "t")
    assert keys.stream("t")[0] == keys.presence("t")[0] == keys.idempotent("t", "k")[0] == b"p:{t}:s"
    assert keys.control == (b"p:control", "control", "")
