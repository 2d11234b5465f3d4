"""Names in Redis: layers under different prefixes do not meet, and a queue's keys stay together."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from channels.layers.redis.wire.keys import Keys, KeySpace, Topic


@pytest.mark.parametrize(
    ("family", "kind", "key"),
    [
        ("", "group", b"asgi:group:room"),
        ("named-", "group", b"asgi:named-group:room"),
        ("named-", "channel", b"asgi:named-channel:room"),
        ("named-", "process", b"asgi:process:room"),
        ("", "news", b"asgi:queue:{room}:news"),
        ("named-", "news", b"asgi:named-queue:{room}:news"),
    ],
)
def test_topics(family, kind, key):
    assert KeySpace("asgi", family).topic(kind, "room") == Topic(key, kind, "room")


@pytest.mark.parametrize("family", ["", "named-"])
def test_the_keys_of_a_queue_and_its_news_are_in_one_slot(family):
    names = KeySpace("asgi", family)
    keys = names.queue("work")
    assert keys._fields == Keys._fields
    assert len({key_slot(key.encode()) for key in keys} | {key_slot(names.topic("news", "work").key)}) == 1


@pytest.mark.parametrize("prefix", ["asgi", "a:b", "st*r", "a[b]c", "a{b}"])
def test_a_layer_knows_its_own_keys(prefix):
    names = KeySpace(prefix)
    for key in names.queue("work"):
        assert names.owns(key)
        assert names.owns(key.encode())
        for other in (f"longer:{key}", f"{key}:longer", key.replace("work", "{work}")):
            assert not names.owns(other)
    for space in (KeySpace(prefix + "x"), KeySpace(prefix, "named-")):
        assert not any(names.owns(key) for key in space.queue("work"))
    assert not names.owns(names.topic("group", "g").key)


async def test_the_pattern_finds_what_a_prefix_with_special_characters_has(server):
    names = KeySpace("st*r?[x]^\\")
    own = names.queue("work").ready
    with server.client() as client:
        client.set(own, "1")
        client.set(KeySpace("starrr?[x]^\\").queue("work").ready, "1")
        assert client.keys(names.pattern) == [own.encode()]
