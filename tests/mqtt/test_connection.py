"""Packets in, packets out: what a client may do, over a real socket, in both versions."""

from __future__ import annotations

import asyncio

import pytest

from channels import telemetry
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import (
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from channels.topics import ahistory
from tests.mqtt.client import broker
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceState, Private
from tests.protocols.mqtt.cases import CASES, CONNECT, Case
from tests.server.helpers import eventually

versions = pytest.mark.parametrize("version", [V311, V5])


@versions
async def test_a_publish_of_qos_1_is_acknowledged_when_it_is_in_the_history(version: int) -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter", version)
        assert await device.publish("devices/7/state", b'{"on": true}') == PubAck(1)
        page = await ahistory(DeviceState(id="7"))
        assert [entry.data for entry in page.entries] == [{"on": True}]
        assert page.entries[0].info.client == "meter"


@versions
@pytest.mark.parametrize("topic_filter", ["devices/7/state", "devices/+/state", "devices/#", "#"])
async def test_a_subscriber_gets_it_also_by_a_wildcard(version: int, topic_filter: str) -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader", version), await fleet.connect("writer", version)
        assert (await reader.subscribe(topic_filter)).reasons == [0]
        await writer.publish("devices/7/state", b"1")
        await writer.publish("devices/7/state", b"2", 2)
        got = [await reader.receive() for _ in range(2)]
        assert got == [Publish("devices/7/state", b"1"), Publish("devices/7/state", b"2")]


@pytest.mark.parametrize("topic_filter", ["devices/7/state", "devices/#"])
async def test_a_publish_from_django_reaches_the_device(topic_filter: str) -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter")
        await device.subscribe(topic_filter, 1)
        await DeviceState(id="7").apublish({"on": True})
        got = await device.receive()
        assert got == Publish("devices/7/state", b'{"on":true}', 1, packet_id=1)
        await device.send(PubAck(1))
        await DeviceState(id="7").apublish({"on": False})
        assert (await device.receive()).payload == b'{"on":false}'


async def test_qos_2_is_published_once_however_often_it_comes() -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter")
        publish = Publish("devices/7/state", b"1", 2, packet_id=9)
        await device.send(publish)
        assert await device.receive() == PubRec(9)
        await device.send(Publish("devices/7/state", b"1", 2, dup=True, packet_id=9))
        assert await device.receive() == PubRec(9)
        await device.send(PubRel(9))
        assert await device.receive() == PubComp(9)
        await device.send(PubRel(9))
        assert await device.receive() == PubComp(9, Reason.PACKET_IDENTIFIER_NOT_FOUND)
        assert len((await ahistory(DeviceState(id="7"))).entries) == 1
        await device.send(publish)  # the identifier is free again
        assert await device.receive() == PubRec(9)
        assert len((await ahistory(DeviceState(id="7"))).entries) == 2


@versions
async def test_qos_2_to_a_subscriber(version: int) -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader", version), await fleet.connect("writer", version)
        await reader.subscribe("devices/7/state", 2)
        await writer.send(Publish("devices/7/state", b"1", 2, packet_id=5))
        assert await writer.receive() == PubRec(5)
        assert await reader.receive() == Publish("devices/7/state", b"1", 2, packet_id=1)
        await reader.send(PubRec(1))
        assert await reader.receive() == PubRel(1)
        await reader.send(PubComp(1))
        await reader.send(PingReq())
        assert await reader.receive() == PingResp()


@pytest.mark.parametrize(("published", "granted", "got"), [(0, 2, 0), (1, 0, 0), (2, 1, 1), (1, 2, 1)])
async def test_the_lower_qos_counts(published: int, granted: int, got: int) -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader"), await fleet.connect("writer")
        await reader.subscribe("devices/7/state", granted)
        await writer.send(Publish("devices/7/state", b"1", published, packet_id=5 if published else 0))
        received = await reader.receive()
        assert isinstance(received, Publish)
        assert received.qos == got


async def test_what_is_not_for_it_is_refused_with_its_reason_and_3_1_1_is_told_nothing() -> None:
    async with broker() as fleet:
        refused = telemetry.counters["mqtt.publish_refused"]
        device = await fleet.connect("meter")
        assert await device.publish("nowhere", b"1") == PubAck(1, Reason.TOPIC_NAME_INVALID)
        assert await device.publish("private/somebody", b"1") == PubAck(1, Reason.NOT_AUTHORIZED)
        assert await device.publish("devices/7/state", b"{") == PubAck(1, Reason.PAYLOAD_FORMAT_INVALID)
        old = await fleet.connect("old", V311)
        assert await old.publish("private/somebody", b"1") == PubAck(1)
        assert telemetry.counters["mqtt.publish_refused"] == refused + 4
        for topic_filter in ("nowhere", "private/somebody"):
            assert (await device.subscribe(topic_filter)).reasons == [Reason.NOT_AUTHORIZED]
            assert (await old.subscribe(topic_filter)).reasons == [0x80]
        assert (await device.subscribe("$share/g/private/other")).reasons == [0x87]


async def test_a_wildcard_brings_only_what_its_user_may_have() -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader"), await fleet.connect("writer")
        assert (await reader.subscribe("#")).reasons == [0]
        await Private(name="somebody").apublish("secret")
        await writer.publish("devices/7/state", b"1")
        assert await reader.receive() == Publish("devices/7/state", b"1")


async def test_the_newest_of_a_topic_in_cache_mode_is_retained() -> None:
    async with broker() as fleet:
        writer = await fleet.connect("writer")
        await writer.publish("kept/1", b"old")
        await writer.publish("kept/1", b"new", 2, retain=True)
        await writer.publish("kept/2", b"other", 3)
        await writer.publish("devices/7/bytes", b"not kept", 4, retain=True)
        reader = await fleet.connect("reader")
        await reader.subscribe("kept/1")
        assert await reader.receive() == Publish("kept/1", b"new", retain=True)
        await reader.subscribe("kept/+", retain_handling=1)
        got = {(await reader.receive()).topic for _ in range(2)}
        assert got == {"kept/1", "kept/2"}
        await reader.subscribe("kept/+", retain_handling=1)
        await reader.subscribe("kept/+", retain_handling=2)
        await writer.publish("kept/1", b"", 5, retain=True)
        assert await reader.receive() == Publish("kept/1", b"")
        await reader.subscribe("kept/1")
        await reader.send(PingReq())
        assert await reader.receive() == PingResp()


async def test_an_empty_retained_publish_takes_what_json_topics_keep_away() -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter")
        await device.publish("devices/7/state", b"1")
        assert await device.publish("devices/7/state", b"", 2, retain=True) == PubAck(2)
        await device.subscribe("devices/7/state")
        await device.send(PingReq())
        assert await device.receive() == PingResp()


async def test_retain_as_published_and_no_local() -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader"), await fleet.connect("writer")
        await reader.subscribe("kept/1", retain_as_published=True)
        await writer.subscribe("kept/1", no_local=True)
        await writer.publish("kept/1", b"x", retain=True)
        assert await reader.receive() == Publish("kept/1", b"x", retain=True)
        await writer.send(PingReq())
        assert await writer.receive() == PingResp()


async def test_properties_are_handed_on_in_their_order_and_subscriptions_have_identifiers() -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader"), await fleet.connect("writer")
        await reader.subscribe("devices/7/bytes", properties={"subscription_identifier": 7})
        told = {
            "payload_format_indicator": 1,
            "content_type": "text/plain",
            "response_topic": "devices/7/state",
            "correlation_data": b"\xff\0",
            "user_property": [("b", "1"), ("a", "2"), ("b", "1")],
        }
        await writer.publish("devices/7/bytes", b"\xff", properties=told)
        got = await reader.receive()
        assert isinstance(got, Publish)
        assert got.properties == {**told, "subscription_identifier": [7]}
        assert got.payload == b"\xff"


async def test_a_message_may_expire_and_tells_how_long_it_lasts() -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("reader"), await fleet.connect("writer")
        await reader.subscribe("kept/1")
        await writer.publish("kept/1", b"x", properties={"message_expiry_interval": 60})
        got = await reader.receive()
        assert isinstance(got, Publish)
        assert 58 <= got.properties["message_expiry_interval"] <= 60
        await writer.publish("kept/1", b"x", 2, properties={"message_expiry_interval": 0})
        await reader.send(PingReq())
        assert await reader.receive() == PingResp()


async def test_a_topic_alias_stands_for_its_topic() -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter")
        alias = {"topic_alias": 20}
        assert await device.publish("devices/7/bytes", b"1", properties=alias) == PubAck(1)
        assert await device.publish("", b"2", 2, properties=alias) == PubAck(2)
        await device.send(Publish("", b"3", properties={"topic_alias": 19}))
        assert await device.receive() == Disconnect(Reason.PROTOCOL_ERROR)
        device = await fleet.connect("meter")
        await device.send(Publish("t", b"3", properties={"topic_alias": 21}))
        assert await device.receive() == Disconnect(Reason.TOPIC_ALIAS_INVALID)


@versions
async def test_unsubscribe(version: int) -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter", version)
        await device.subscribe("devices/7/bytes")
        await device.send(Unsubscribe(2, ["devices/7/bytes", "devices/8/bytes"]))
        assert await device.receive() == UnsubAck(2, [0, 0x11] if version == V5 else [])
        await DeviceBytes(id="7").apublish(b"x")
        await device.send(PingReq())
        assert await device.receive() == PingResp()


async def test_several_filters_have_a_reason_each_and_a_message_comes_once() -> None:
    async with broker() as fleet:
        device = await fleet.connect("meter")
        wanted = [
            Subscription("devices/7/bytes", 0),
            Subscription("nowhere", 1),
            Subscription("devices/#", 2),
        ]
        await device.send(Subscribe(3, wanted, {"subscription_identifier": 4}))
        assert await device.receive() == SubAck(3, [0, 0x87, 2])
        await DeviceBytes(id="7").apublish(b"x")
        got = await device.receive()
        assert got == Publish(
            "devices/7/bytes", b"x", 2, packet_id=1, properties={"subscription_identifier": [4, 4]}
        )


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{each.statement} {each.what} {each.version}" for each in CASES]
)
async def test_what_is_not_allowed_ends_the_connection_with_its_code(case: Case) -> None:
    async with broker() as fleet:
        device = await fleet.open(case.version or V5)
        if case.version:
            await device.raw(CONNECT[case.version])
            assert isinstance(await device.receive(), ConnAck)
        await device.raw(case.data)
        if case.version == V5:
            assert await device.receive() == Disconnect(case.reason)
        elif case.reason == Reason.UNSUPPORTED_PROTOCOL_VERSION:
            assert await device.reader.readexactly(4) == b"\x20\x02\x00\x01"
        await device.closed()


async def test_an_empty_client_identifier_is_assigned_where_that_is_allowed() -> None:
    async with broker() as fleet:
        answer = await fleet.tried(await fleet.open(), Connect(""))
        assert len(answer.properties["assigned_client_identifier"]) == 22
        old = await fleet.open(V311)
        assert await fleet.tried(old, Connect("", V311, clean_start=False)) == ConnAck(
            Reason.CLIENT_IDENTIFIER_NOT_VALID
        )
        await old.closed()
        assert (await fleet.tried(await fleet.open(V311), Connect("", V311))).reason == 0


async def test_enhanced_authentication_is_refused() -> None:
    async with broker() as fleet:
        device = await fleet.open()
        packet = Connect("c", properties={"authentication_method": "SCRAM-SHA-1"})
        assert await fleet.tried(device, packet) == ConnAck(Reason.BAD_AUTHENTICATION_METHOD)
        await device.closed()
        device = await fleet.connect("c")
        await device.send(Auth(Reason.REAUTHENTICATE))
        assert await device.receive() == Disconnect(Reason.PROTOCOL_ERROR)


@versions
async def test_a_client_that_is_silent_for_one_and_a_half_keep_alives_is_closed(version: int) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", version, keep_alive=1)
        if version == V5:
            assert await device.receive() == Disconnect(Reason.KEEP_ALIVE_TIMEOUT)
        await device.closed()


@versions
async def test_a_will_is_published_unless_the_client_says_goodbye(version: int) -> None:
    async with broker() as fleet:
        reader = await fleet.connect("reader", version)
        await reader.subscribe("devices/7/bytes", 1)
        will = Will("devices/7/bytes", b"gone", 1)
        polite = await fleet.connect("polite", version, will=will)
        await polite.send(Disconnect())
        await polite.closed()
        sudden = await fleet.connect("sudden", version, will=will)
        await sudden.leave()
        assert await reader.receive() == Publish("devices/7/bytes", b"gone", 1, packet_id=1)
        if version == V5:
            asked = await fleet.connect("asked", version, will=will)
            await asked.send(Disconnect(Reason.DISCONNECT_WITH_WILL))
            assert (await reader.receive()).payload == b"gone"


async def test_a_will_waits_for_its_delay_and_not_for_a_client_that_is_back() -> None:
    async with broker() as fleet:
        reader = await fleet.connect("reader")
        await reader.subscribe("devices/7/bytes")
        published = telemetry.counters["mqtt.will_published"]
        will = Will("devices/7/bytes", b"gone", properties={"will_delay_interval": 1})
        lasting = {"session_expiry_interval": 100}
        for client_id in ("back", "away"):
            await (await fleet.connect(client_id, will=will, properties=lasting)).leave()
        again = Will("devices/7/bytes", b"again", properties={"will_delay_interval": 100})
        await fleet.connect("back", will=again, clean_start=False, properties=lasting)
        assert (await reader.receive()).payload == b"gone"
        assert telemetry.counters["mqtt.will_published"] == published + 1


@versions
async def test_a_second_connection_of_a_client_takes_the_place_of_the_first(version: int) -> None:
    async with broker() as fleet:
        first = await fleet.connect("c", version)
        await fleet.connect("c", version)
        if version == V5:
            assert await first.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
        await first.closed()


@versions
async def test_a_session_that_lasts_keeps_subscriptions_and_messages(version: int) -> None:
    lasting = {"session_expiry_interval": 100} if version == V5 else {}
    async with broker() as fleet:
        device = await fleet.connect("c", version, clean_start=version == V5, properties=lasting)
        await device.subscribe("devices/7/bytes", 1)
        await DeviceBytes(id="7").apublish(b"unacknowledged")
        assert (await device.receive()).packet_id == 1
        await device.leave()
        await eventually(lambda: not fleet.running.streams)
        await DeviceBytes(id="7").apublish(b"meanwhile")
        device = await fleet.open(version)
        packet = Connect("c", version, clean_start=False, properties=lasting)
        assert (await fleet.tried(device, packet)).session_present
        assert await device.receive() == Publish(
            "devices/7/bytes", b"unacknowledged", 1, dup=True, packet_id=1
        )
        assert await device.receive() == Publish("devices/7/bytes", b"meanwhile", 1, packet_id=2)
        await device.leave()
        clean = await fleet.tried(await fleet.open(version), Connect("c", version))
        assert not clean.session_present


async def test_a_session_ends_with_its_connection_unless_it_asks_for_more() -> None:
    async with broker() as fleet:
        for lasting, present in (({}, False), ({"session_expiry_interval": 50}, True)):
            await (await fleet.connect("c", properties=lasting)).leave()
            await eventually(lambda: not fleet.running.streams)
            answer = await fleet.tried(await fleet.open(), Connect("c", clean_start=False))
            assert answer.session_present is present
        device = await fleet.connect("d", properties={"session_expiry_interval": 50})
        await device.send(Disconnect(properties={"session_expiry_interval": 0}))
        await device.closed()
        await eventually(lambda: len(fleet.running.streams) <= 2)
        answer = await fleet.tried(await fleet.open(), Connect("d", clean_start=False))
        assert not answer.session_present


async def test_a_client_takes_no_more_at_a_time_than_it_says_and_no_larger_packets() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", properties={"receive_maximum": 2, "maximum_packet_size": 100})
        dropped = telemetry.counters["mqtt.message_dropped"]
        await device.subscribe("devices/7/bytes", 1)
        for payload in (b"1", b"2", b"3", b"x" * 100, b"4"):
            await DeviceBytes(id="7").apublish(payload)
        got = [await device.receive() for _ in range(2)]
        assert [each.payload for each in got] == [b"1", b"2"]
        await device.send(PingReq())
        assert await device.receive() == PingResp()
        await device.send(PubAck(1))
        assert (await device.receive()).payload == b"3"
        await device.send(PubAck(2))
        assert (await device.receive()).payload == b"4"
        assert telemetry.counters["mqtt.message_dropped"] == dropped + 1


@versions
async def test_a_stop_of_the_server_is_said_where_there_is_a_word_and_publishes_no_will(version: int) -> None:
    published = telemetry.counters["mqtt.will_published"]
    async with broker() as fleet:
        device = await fleet.connect("c", version, will=Will("devices/7/bytes", b"gone"))
        stopping = asyncio.ensure_future(fleet.running.server.stop())
        if version == V5:
            assert await device.receive() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
        await device.closed()
        await device.leave()
        await stopping
    assert telemetry.counters["mqtt.will_published"] == published
