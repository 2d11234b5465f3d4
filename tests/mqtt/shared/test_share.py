"""Which member of a group gets a message."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from channels.mqtt.session import Session, Subscribed
from channels.mqtt.shared.claims import ShareName
from channels.mqtt.shared.share import Offered, Share
from channels.mqtt.stored.record import Mark
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import PubAck, Publish, PubRec, Subscription
from channels.topics.stores.memory import MemoryStore
from tests.mqtt.test_session import RecordingPeer


class Group:
    """A share, its tasks, and what it handed to other processes."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[object]] = []
        self.elsewhere: list[Offered] = []
        name, values = ShareName("g", "t"), MemoryStore().values
        self.share = Share(name, None, 1000, values, self.spawn, self.hand_over)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def hand_over(self, share: Share, message: Offered) -> None:
        self.elsewhere.append(message)

    def member(self, name: str, qos: int = 2, **options: Any) -> tuple[Session, RecordingPeer]:
        session, peer = Session(("", name), None, 1000), RecordingPeer(window=options.pop("window", 10))
        session.resume(peer)
        self.share.members[session] = Subscribed(Subscription("$share/g/t", qos), **options)
        return session, peer

    async def publish(self, *offsets: int, qos: int = 1) -> None:
        for offset in offsets:
            self.share.deliver(Publish("t", b"%d" % offset, qos), Mark(offset, "e", offset))
        while self.tasks:
            await self.tasks.pop()


def payloads(peer: RecordingPeer) -> list[bytes]:
    return [each.payload for each in peer.sent]


async def test_members_that_have_as_much_to_do_take_turns() -> None:
    group = Group()
    peers = [group.member(name)[1] for name in "abc"]
    await group.publish(*range(1, 7))
    assert [payloads(peer) for peer in peers] == [[b"1", b"4"], [b"2", b"5"], [b"3", b"6"]]


async def test_the_member_with_the_least_to_do_is_the_next() -> None:
    group = Group()
    (_, slow), (quick, other) = group.member("a"), group.member("b")
    await group.publish(1, 2)
    quick.acknowledge(PubAck(1))
    await group.publish(3)
    assert (payloads(slow), payloads(other)) == ([b"1"], [b"2", b"3"])


async def test_each_member_gets_a_message_as_it_asked_for() -> None:
    group = Group()
    _, plain = group.member("a", 0)
    await group.publish(1, qos=2)
    _, numbered = group.member("b", 1, identifier=5)
    await group.publish(2, 3, qos=2)
    assert [(each.qos, each.properties) for each in plain.sent[:1]] == [(0, {})]
    assert {(each.qos, *each.properties["subscription_identifier"]) for each in numbered.sent} == {(1, 5)}


async def test_what_a_member_left_goes_to_another_and_what_is_of_qos_2_and_was_sent_does_not() -> None:
    group = Group()
    leaving, peer = group.member("a", window=2)
    await group.publish(1)
    await group.publish(2, qos=2)
    await group.publish(3, 4)
    leaving.acknowledge(PubRec(2))
    _, stays = group.member("b")
    del group.share.members[leaving]
    leaving.leave(peer)
    leaving.give_back(sent=True)
    assert payloads(stays) == [b"1", b"3", b"4"]
    leaving.give_back(sent=True)
    assert len(stays.sent) == 3


async def test_who_is_away_and_comes_back_keeps_what_was_sent_and_gives_the_rest_away() -> None:
    group = Group()
    away, peer = group.member("a", window=1)
    await group.publish(1, 2)
    away.leave(peer)
    _, stays = group.member("b")
    away.give_back(sent=False)
    assert payloads(stays) == [b"2"]
    again = RecordingPeer()
    away.resume(again)
    assert [(each.payload, each.dup) for each in again.sent] == [(b"1", True)]


async def test_the_last_member_leaves_its_messages_to_other_processes() -> None:
    group = Group()
    leaving, peer = group.member("a")
    await group.publish(1)
    del group.share.members[leaving]
    leaving.leave(peer)
    leaving.give_back(sent=True)
    assert [each.mark for each in group.elsewhere] == [Mark(1, "e", 1)]


async def test_nobody_who_is_there_claims_nothing() -> None:
    group = Group()
    away, peer = group.member("a")
    away.leave(peer)
    await group.publish(1)
    away.resume(peer)
    group.share.offer([Offered(Publish("t", b"1", 1), Mark(1, "e", 1))])
    await group.publish(2)
    assert payloads(peer) == [b"1", b"2"]


async def test_what_a_member_refuses_goes_to_nobody_else() -> None:
    group = Group()
    refusing, peer = group.member("a")
    await group.publish(1, qos=1)
    await group.publish(2, qos=2)
    _, other = group.member("b")
    refusing.acknowledge(PubAck(1, Reason.QUOTA_EXCEEDED))
    refusing.acknowledge(PubRec(2, Reason.QUOTA_EXCEEDED))
    refusing.leave(peer)
    refusing.give_back(sent=True)
    assert other.sent == []
    assert group.elsewhere == []
