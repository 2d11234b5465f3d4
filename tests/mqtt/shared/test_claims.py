"""Claims: each message of a group is one process' own, and the group knows where it is."""

from __future__ import annotations

from channels.mqtt.shared.claims import ShareName, claim, claim_once, claimed, print_of
from channels.mqtt.stored.record import Mark
from channels.topics.stores.memory import MemoryStore

SHARE = ShareName("g", "devices/#")


async def test_a_message_is_claimed_once_and_none_before_it_any_more() -> None:
    values = MemoryStore().values
    offsets = [1, 1, 2, 4, 3, 4, 5]
    found = [await claim(values, SHARE, "t", Mark(offset, "e", 9), 100) for offset in offsets]
    assert found == [True, False, True, True, False, False, True]
    assert await claimed(values, SHARE, "t", "e") == Mark(5, "e", 9)


async def test_groups_filters_topics_and_epochs_have_claims_of_their_own() -> None:
    values = MemoryStore().values
    assert await claim(values, SHARE, "t", Mark(7, "e"), 100)
    others = [(SHARE, "u", "e"), (SHARE, "t", "f"), (ShareName("h", "devices/#"), "t", "e")]
    others.append((ShareName("g", "#"), "t", "e"))
    for share, topic, epoch in others:
        assert await claimed(values, share, topic, epoch) is None
        assert await claim(values, share, topic, Mark(1, epoch), 100)


async def test_what_has_no_offset_is_claimed_by_what_it_is() -> None:
    values = MemoryStore().values
    found = [await claim_once(values, SHARE, "t", print_of(each)) for each in (b"a", b"b", b"a")]
    assert found == [True, True, False]
