"""The log of what became of the last messages: bounded, and without contents unless they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import Raw

from channels.diagnostics import delivery_log
from channels.diagnostics.delivery_log import Entry, entries, keep, names
from channels.exceptions import ChannelFull
from channels.layers.memory import InMemoryChannelLayer
from channels.observability.metrics.counting.latency import GROUP
from channels.protocols.centrifuge.messages import Publication
from channels.topics import apublish_many
from channels.topics.stores.host.link import CONTROL, group_of
from channels.topics.stores.noting import key_of
from channels.topics.topic import Topic


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    keep(20)
    yield
    keep(0)


def stages(name: str) -> list[tuple[str, int]]:
    return [(each.stage, each.amount) for each in reversed(entries(name, 100))]


def test_nothing_is_noted_where_nobody_wants_it() -> None:
    keep(0)
    assert delivery_log.note is None
    assert entries("room", 10) == []


async def test_a_group_message_is_published_delivered_and_dropped_where_a_channel_is_full() -> None:
    layer = InMemoryChannelLayer(capacity=1)
    for _ in range(2):
        await layer.group_add("room", await layer.new_channel())
    await layer.group_send("room", {"type": "one", "secret": "x"})
    await layer.group_send("room", {"type": "two"})
    assert stages("room") == [
        ("published", 1),
        ("delivered", 2),
        ("published", 1),
        ("dropped", 2),
        ("delivered", 0),
    ]
    assert {each.content for each in entries("room", 10)} == {""}
    assert "capacity" in entries("room", 2)[1].detail


async def test_a_drop_of_a_group_message_has_the_key_of_the_message() -> None:
    keep(20, encode=msgspec.msgpack.encode)
    layer = InMemoryChannelLayer(capacity=1)
    await layer.group_add("room", await layer.new_channel())
    for number in range(2):
        await layer.group_send("room", {"type": "one", "number": number})
    found = {each.stage: each for each in reversed(entries("room", 10))}
    newest = entries("room", 10)[0]
    assert found["dropped"].key == newest.key != entries("room", 10)[-1].key


async def test_a_group_message_has_the_same_key_where_it_is_sent_and_where_it_comes() -> None:
    keep(20, encode=msgspec.msgpack.encode)
    sending, receiving = InMemoryChannelLayer(), InMemoryChannelLayer()
    for layer in (sending, receiving):
        await layer.group_add("room", await layer.new_channel())
    await sending.group_send("room", {"type": "one", "pair": (1, 2)})
    await receiving.group_send("room", {"type": "one", "pair": [1, 2]})  # as it comes off a wire
    await sending.group_send("room", {"type": "one", "pair": 1 << 70})
    await sending.group_send("room", {"type": "two"})
    keys = [each.key for each in reversed(entries("room", 10))]
    assert keys[:4] == [keys[0]] * 4 and len(keys[0]) == 8
    assert keys[4:6] == ["", ""]  # it has none, and is carried all the same
    assert keys[6] == keys[7] != keys[0]


async def test_contents_are_kept_where_they_are_asked_for_and_only_their_beginning() -> None:
    keep(20, contents=True)
    layer = InMemoryChannelLayer(capacity=1)
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "one", "text": "y" * 1000})
    with pytest.raises(ChannelFull):
        await layer.send(channel, {"type": "two"})
    newest, oldest = entries(channel, 10)
    assert isinstance(newest, Entry) and newest.stage == "dropped"
    assert oldest.content.startswith("{'type': 'one', 'text': 'yyy")
    assert len(oldest.content) == delivery_log.MOST_CONTENT


async def test_it_has_a_bound_and_leaves_out_what_only_looks() -> None:
    layer = InMemoryChannelLayer()
    await layer.group_send("channels.fleet", {"type": "hello"})
    assert entries("channels.fleet", 10) == []
    for number in range(30):
        await layer.group_send(f"room{number}", {"type": "one"})
    assert names("", 100)[0] == ("group", "room29")
    assert len(names("", 100)) == 20
    assert names("room29", 100) == [("group", "room29")]
    assert len(entries("room29", 1)) == 1


@pytest.mark.parametrize("own", [CONTROL, group_of("room:lobby"), GROUP, "channels.doctor.x1"])
async def test_groups_of_our_own_traffic_are_listed_by_their_whole_name_alone(own: str) -> None:
    layer = InMemoryChannelLayer()
    for name in (own, f"{own}-mine" if own[0] == "t" else "topics.mine"):
        await layer.group_send(name, {"type": "one"})
    (mine,) = names("", 100)
    assert mine[1].endswith("mine")
    assert names("topics.", 100) == [mine]
    assert names(own, 100)[-1] == ("group", own)
    assert entries(own, 1)[0].stage == "published"


async def test_a_publication_has_the_same_key_wherever_it_is_noted() -> None:
    class Logged(Topic):
        pattern = "logged:<str:name>"

    await apublish_many([Logged(name="a"), Logged(name="b")], {"n": 1})
    for name in ("logged:a", "logged:b"):
        (entry,) = entries(name, 10)
        assert (entry.kind, entry.stage, entry.detail) == ("topic", "published", "not kept")
        assert int(entry.key.partition("-")[0]) > 1_700_000_000_000


async def test_two_publications_of_one_millisecond_have_two_keys() -> None:
    first, second = (Publication(data=Raw(data), time=1_700_000_000_000) for data in (b"1", b"2"))
    assert key_of(first) != key_of(second)
    assert key_of(first) == key_of(Publication(data=Raw(b"1"), time=1_700_000_000_000, offset=7))
