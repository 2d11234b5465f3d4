"""Sessions of two event loops that share a store, as two processes do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from django.urls import path

from channels import telemetry
from channels.mqtt.application import MQTTBroker
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.stored.record import record_key
from channels.mqtt.stored.values import session_values
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import (
    V5,
    Connect,
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Unsubscribe,
)
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.topics.stores.base import StoreUnavailable
from channels.topics.stores.manager import get_store
from channels.topics.stores.values import Value
from tests.mqtt.client import ENDPOINT, Device, Fleet, broker
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceLog, DeviceState
from tests.server.helpers import eventually

LASTING = {"session_expiry_interval": 100}


class Pair(NamedTuple):
    """Two brokers with sessions of their own, and one store."""

    here: Fleet
    there: Fleet

    async def elsewhere(self, client: str, *, clean: bool = False, present: bool = True) -> Device:
        return await tried(self.there, client, clean, present)

    async def back(self, client: str) -> Device:
        return await tried(self.here, client, clean=False, present=True)


async def published() -> list[bytes]:
    page = await get_store().read("devices/7/bytes1")
    return [bytes(each.data) for each in page.publications]


async def tried(fleet: Fleet, client: str, clean: bool, present: bool) -> Device:
    device = await fleet.open()
    answer = await fleet.tried(device, Connect(client, clean_start=clean, properties=LASTING))
    assert (answer.reason, answer.session_present) == (0, present)
    return device


@contextlib.asynccontextmanager
async def two_brokers(**limits: Any) -> AsyncIterator[Pair]:
    options = {"limits": MQTTLimits(**limits)}
    async with broker(options) as here, broker(options) as there:
        yield Pair(here, there)


async def test_a_client_that_connects_elsewhere_is_closed_here_and_goes_on_there() -> None:
    router = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker())])})
    elsewhere = ServerThread.of(Config(app=router, endpoints=ENDPOINT[:1], lifespan="off"), "127.0.0.1")
    async with broker() as fleet:
        await asyncio.to_thread(elsewhere.start)
        try:
            first = await fleet.connect("meter", properties=LASTING)
            other = await fleet.connect("another")
            second = Device(*await asyncio.open_connection("127.0.0.1", elsewhere.port), V5)
            packet = Connect("meter", clean_start=False, properties=LASTING)
            assert (await fleet.tried(second, packet)).session_present
            assert await first.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
            await first.closed()
            await tried(fleet, "meter", clean=False, present=True)
            assert await second.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
            await second.leave()
            await other.subscribe("devices/7/state")  # others stay
        finally:
            await asyncio.to_thread(elsewhere.stop)


@pytest.mark.parametrize("topic_filter", ["devices/7/bytes1", "devices/+/bytes1"])
async def test_what_a_client_missed_reaches_it_elsewhere_in_its_order(topic_filter: str) -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await DeviceLog(id="7").apublish(b"before")
        await device.subscribe(topic_filter, 1, retain_handling=2)
        await DeviceLog(id="7").apublish(b"0")
        got = await device.receive()
        await device.send(PubAck(got.packet_id), Disconnect())
        await device.closed()
        for number in range(1, 5):
            await DeviceLog(id="7").apublish(b"%d" % number)
        device = await pair.elsewhere("c")
        await DeviceLog(id="7").apublish(b"5")
        assert [(await device.receive()).payload for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]


async def test_messages_of_qos_2_go_on_elsewhere_where_they_were() -> None:
    async with two_brokers(max_inflight=3) as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await device.subscribe("devices/7/bytes1", 2)
        for number in range(5):
            await DeviceLog(id="7").apublish(b"%d" % number)
        first, second, third = [await device.receive() for _ in range(3)]
        await device.send(PubRec(first.packet_id), PubRec(second.packet_id))
        assert [await device.receive() for _ in range(2)] == [
            PubRel(first.packet_id),
            PubRel(second.packet_id),
        ]
        await device.send(PubComp(first.packet_id))
        fourth = await device.receive()
        await device.leave()
        device = await pair.elsewhere("c")
        assert await device.receive() == PubRel(second.packet_id)
        for sent in (third, fourth):
            again = await device.receive()
            assert (again.packet_id, again.payload, again.dup) == (sent.packet_id, sent.payload, True)
        await device.send(PubComp(second.packet_id))
        assert (await device.receive()).payload == b"4"


async def test_a_message_of_qos_2_that_is_sent_again_elsewhere_is_published_once() -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        message = Publish("devices/7/bytes1", b"x", 2, packet_id=9)
        await device.send(message)
        assert await device.receive() == PubRec(9)
        device = await pair.elsewhere("c")
        message.dup = True
        await device.send(message)
        assert await device.receive() == PubRec(9)
        await device.send(PubRel(9))
        assert await device.receive() == PubComp(9)
        device = await pair.back("c")
        await device.send(PubRel(9))
        assert await device.receive() == PubComp(9, Reason.PACKET_IDENTIFIER_NOT_FOUND)
        message.dup = False
        await device.send(message)  # the identifier is free: another message
        assert await device.receive() == PubRec(9)
        assert await published() == [b"x", b"x"]


async def test_a_message_that_was_published_before_its_broker_failed_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker publishes, and is gone before it has said so."""
    store, publish = get_store(), get_store().publish

    async def fails(append: Any) -> Any:
        await publish(append)
        raise StoreUnavailable("it is away")

    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        monkeypatch.setattr(store, "publish", fails)
        await device.send(Publish("devices/7/bytes1", b"x", 2, packet_id=9))
        assert await device.receive() == Disconnect(Reason.SERVER_BUSY)
        monkeypatch.undo()
        device = await pair.elsewhere("c")
        await device.send(Publish("devices/7/bytes1", b"x", 2, dup=True, packet_id=9))
        assert await device.receive() == PubRec(9)
        assert await published() == [b"x"]


async def test_a_process_that_was_overtaken_unheard_finds_out_when_it_stores() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", properties=LASTING)
        assert await session_values().put(record_key(("", "c")), Value(2**40, b""), 100)
        await device.send(Publish("devices/7/bytes1", b"x", 2, packet_id=1))
        assert await device.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
        await device.closed()
        assert await published() == []


async def test_a_session_ends_everywhere_by_a_clean_start_and_by_a_goodbye_for_ever() -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await device.subscribe("devices/7/bytes1", 1)
        await pair.elsewhere("c", clean=True, present=False)
        device = await pair.back("c")
        await device.send(Unsubscribe(1, ["devices/7/bytes1"]))
        assert (await device.receive()).reasons == [Reason.NO_SUBSCRIPTION_EXISTED]
        await device.send(Disconnect(properties={"session_expiry_interval": 0}))
        await device.closed()
        await eventually(lambda: not pair.here.running.streams)
        await pair.elsewhere("c", present=False)


async def test_a_clean_start_that_is_not_to_last_ends_a_stored_session() -> None:
    async with two_brokers() as pair:
        await pair.elsewhere("c", present=False)
        await pair.here.connect("c")
        device = await pair.elsewhere("c", present=False)
        await device.subscribe("devices/7/bytes1", 1)


async def test_a_client_is_refused_while_its_session_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(key: str) -> Value | None:
        raise StoreUnavailable("it is away")

    async with broker() as fleet:
        monkeypatch.setattr(session_values(), "get", away)
        device = await fleet.open()
        assert (await fleet.tried(device, Connect("c"))).reason == Reason.SERVER_UNAVAILABLE
        await device.closed()


async def test_what_the_history_no_longer_has_is_counted_and_the_rest_arrives() -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await device.subscribe("devices/7/state", 1, retain_handling=2)
        await device.send(Disconnect())
        await device.closed()
        before = telemetry.counters["mqtt.history_lost"]
        for number in range(103):  # the topic keeps 100
            await DeviceState(id="7").apublish(number)
        device = await pair.elsewhere("c")
        assert int((await device.receive()).payload) == 3
        assert telemetry.counters["mqtt.history_lost"] == before + 1


async def test_filters_and_topics_of_a_stored_session_are_bounded() -> None:
    async with broker({"limits": MQTTLimits(max_stored_filters=60, max_stored_topics=1)}) as fleet:
        before = telemetry.counters["mqtt.positions_exceeded"]
        device = await fleet.connect("c", properties=LASTING)
        reasons = [(await device.subscribe(f"devices/{n}/bytes1", 1)).reasons[0] for n in range(4)]
        assert reasons == [1, 1, 1, Reason.QUOTA_EXCEEDED]
        assert telemetry.counters["mqtt.positions_exceeded"] == before + 2


async def test_topics_without_history_keep_nothing_for_who_comes_back_elsewhere() -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await device.subscribe("devices/7/bytes", 1)
        await device.send(Disconnect())
        await device.closed()
        await DeviceBytes(id="7").apublish(b"missed")
        device = await pair.elsewhere("c")
        await DeviceBytes(id="7").apublish(b"new")
        assert (await device.receive()).payload == b"new"
