"""What a record has of a session; ``tests/mqtt/test_sessions.py`` shows that others go on with it."""

from __future__ import annotations

import asyncio

from channels.mqtt.limits import MQTTLimits
from channels.mqtt.router import Router
from channels.mqtt.session import Session, Subscribed
from channels.mqtt.stored.durable import Durable
from channels.mqtt.stored.record import Mark, Record, Sent, StoredSubscription
from channels.mqtt.stored.snapshots import record_of, restore
from channels.protocols.mqtt.packets import PubAck, Subscription
from channels.topics.stores.manager import get_store
from channels.topics.stores.memory import MemoryStore
from tests.mqtt.test_session import RecordingPeer
from tests.mqtt.topics_for_tests import DeviceLog

NAME = "devices/7/bytes1"


def durable_session(router: Router, user: object = None) -> Session:
    session = Session(("1", "c"), user, 5, expiry=100)
    session.durable = Durable("k", 1, MemoryStore().values, router.spawn)
    return session


async def test_a_record_has_what_was_sent_and_before_what_waits() -> None:
    router = Router(asyncio.get_running_loop(), MQTTLimits())
    session, peer = durable_session(router), RecordingPeer(window=1)
    subscribed = Subscribed(Subscription(NAME, 1), 8)
    await router.subscribe(session, NAME, subscribed)
    session.resume(peer)
    for number in range(3):
        await DeviceLog(id="7").apublish(b"%d" % number)
    while len(session.waiting()) < 1:
        await asyncio.sleep(0)
    found = (await get_store().read(NAME)).publications
    record = record_of(session, router, 1000.0)
    first, second = (Mark(each.offset, each.epoch, each.time) for each in found[:2])
    assert record.subscriptions == [StoredSubscription(NAME, 1, False, False, 0, 8)]
    assert (record.marks, record.sent) == ({NAME: second.before()}, [Sent(1, NAME, first, 1)])
    assert (record.deadline, record.last_id) == (0.0, 1)
    for number in (1, 2, 3):
        session.acknowledge(PubAck(number))
    session.leave(peer)
    record = record_of(session, router, 1000.0)
    last = Mark(found[2].offset, found[2].epoch, found[2].time)
    assert (record.deadline, record.marks, record.sent) == (1100.0, {NAME: last}, [])
    assert session.durable is not None
    session.durable.close()
    router.forget(session)


async def test_what_a_user_may_no_longer_have_is_not_restored() -> None:
    router = Router(asyncio.get_running_loop(), MQTTLimits())

    class Renamed:
        def get_username(self) -> str:
            return "renamed"

    session = durable_session(router, Renamed())
    filters = ["private/me", "private/renamed", "no/such", "private/+"]
    stored = [StoredSubscription(each, 1, False, False, 0, 0) for each in filters]
    marks = {"private/me": Mark(0, "e"), "private/renamed": Mark(0, "e")}
    await restore(session, Record(100, subscriptions=stored, marks=marks), router)
    assert list(session.attached) == ["private/renamed"]
    router.forget(session)


async def test_what_was_sent_and_is_gone_is_released() -> None:
    router = Router(asyncio.get_running_loop(), MQTTLimits())
    session = durable_session(router)
    await restore(session, Record(100, sent=[Sent(5, NAME, Mark(3, "gone", 1), 2)]), router)
    assert session.sent() == [Sent(5)]
