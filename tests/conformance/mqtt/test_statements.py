"""Statements of the standard that no other test shows; the page conformance-mqtt has their numbers."""

from __future__ import annotations

import asyncio

import pytest

from channels import telemetry
from channels.mqtt.limits import MQTTLimits
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.encoding import encode_packet
from channels.protocols.mqtt.packets import (
    V5,
    V311,
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
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from channels.topics import ahistory
from tests.mqtt.client import Device, Fleet, broker
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceLog, DeviceState
from tests.server.helpers import eventually

versions = pytest.mark.parametrize("version", [V311, V5])
LASTING = {"session_expiry_interval": 100}


async def nothing_more(device: Device) -> None:
    """The next packet is the answer to a PINGREQ."""
    await device.send(PingReq())
    assert await device.receive() == PingResp()


async def lost_and_back(fleet: Fleet, device: Device, client_id: str) -> Device:
    """Lose a connection of 5.0, and come back to the session."""
    await device.leave()
    await eventually(lambda: len(fleet.running.streams) < 2)
    device = await fleet.open()
    packet = Connect(client_id, clean_start=False, properties=LASTING)
    assert (await fleet.tried(device, packet)).session_present
    return device


@versions
@pytest.mark.parametrize("client_id", ["a", "0123456789ABCDEFGHIJKLM", "nopqrstuvwxyzNOPQRSTUVW", "ß" * 500])
async def test_a_connect_with_all_fields_is_answered_once(version: int, client_id: str) -> None:
    """Client identifiers of 1 to 23 letters and digits, and longer ones."""
    async with broker({"authenticate": lambda scope, connect: connect}) as fleet:
        will = Will("devices/7/bytes", b"gone", 2, retain=True)
        packet = Connect(client_id, version, will=will, username="u", password=b"p", keep_alive=60)
        device = await fleet.open(version)
        assert (await fleet.tried(device, packet)).reason == 0
        await nothing_more(device)


async def test_answers_byte_by_byte() -> None:
    """Reserved flags are 0, and so is the length of properties where there are none."""
    async with broker() as fleet:
        device = await fleet.open(V311)
        await device.send(Connect("c", V311))
        assert await device.reader.readexactly(4) == b"\x20\x02\0\0"
        device = await fleet.connect("d")
        await device.send(Subscribe(1, [Subscription("devices/7/bytes")]))
        assert await device.reader.readexactly(6) == b"\x90\x04\0\x01\0\0"
        await device.send(Publish("devices/7/bytes", b"x"))
        assert await device.reader.readexactly(21) == b"\x30\x13\0\x0fdevices/7/bytes\0x"


@versions
async def test_what_comes_behind_a_refused_connect_is_not_processed(version: int) -> None:
    async with broker({"authenticate": lambda scope, connect: None}) as fleet:
        device = await fleet.open(version)
        publish = encode_packet(Publish("devices/7/bytes1", b"x"), version)
        await device.raw(encode_packet(Connect("c", version), version) + publish)
        assert await device.receive() == ConnAck(Reason.NOT_AUTHORIZED)  # with session present 0
        await device.closed()
        assert not (await ahistory(DeviceLog(id="7"))).entries


async def test_assigned_client_identifiers_are_unique() -> None:
    async with broker() as fleet:
        answers = [await fleet.tried(await fleet.open(), Connect("")) for _ in range(3)]
        assert len({each.properties["assigned_client_identifier"] for each in answers}) == 3


async def test_a_wills_user_properties_keep_their_order() -> None:
    async with broker() as fleet:
        reader = await fleet.connect("reader")
        await reader.subscribe("devices/7/bytes")
        told = {"user_property": [("b", "1"), ("a", "2"), ("b", "0")], "content_type": "text/plain"}
        await (await fleet.connect("c", will=Will("devices/7/bytes", b"gone", properties=told))).leave()
        assert await reader.receive() == Publish("devices/7/bytes", b"gone", properties=told)


async def test_no_alias_and_no_response_information_is_sent() -> None:
    async with broker() as fleet:
        wishes = {
            "topic_alias_maximum": 10,
            "request_response_information": 1,
            "request_problem_information": 0,
        }
        device = await fleet.open()
        answer = await fleet.tried(device, Connect("c", properties=wishes))
        assert not {"response_information", "reason_string", "user_property"} & set(answer.properties)
        await device.subscribe("devices/7/bytes")
        for payload in (b"1", b"2"):
            await DeviceBytes(id="7").apublish(payload)
            assert await device.receive() == Publish("devices/7/bytes", payload)
        assert await device.publish("nowhere", b"") == PubAck(1, Reason.TOPIC_NAME_INVALID)


async def test_a_server_without_aliases_takes_none() -> None:
    async with broker({"limits": MQTTLimits(topic_aliases=0)}) as fleet:
        device = await fleet.connect("c")
        await device.send(Publish("devices/7/bytes", b"x", properties={"topic_alias": 1}))
        assert await device.receive() == Disconnect(Reason.TOPIC_ALIAS_INVALID)
        await device.closed()


@versions
async def test_a_duplicate_goes_on_as_a_first_message_and_after_its_answer_is_a_new_one(version: int) -> None:
    async with broker() as fleet:
        reader, writer = await fleet.connect("r", version), await fleet.connect("w", version)
        await reader.subscribe("devices/7/bytes1", 1)
        for packet_id in (1, 2):
            assert await writer.publish("devices/7/bytes1", b"x", 9, dup=True) == PubAck(9)
            assert await reader.receive() == Publish("devices/7/bytes1", b"x", 1, packet_id=packet_id)
        assert len((await ahistory(DeviceLog(id="7"))).entries) == 2


async def test_a_byte_order_mark_is_a_part_of_the_name() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.subscribe("devices/\ufeff7/bytes")
        await DeviceBytes(id="7").apublish(b"another")
        await DeviceBytes(id="\ufeff7").apublish(b"this")
        assert await device.receive() == Publish("devices/\ufeff7/bytes", b"this")


async def test_the_longest_topic_name() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.subscribe("devices/7/bytes")
        assert await device.publish("t" * 65535, b"x") == PubAck(1, Reason.TOPIC_NAME_INVALID)
        await nothing_more(device)


@versions
async def test_what_was_begun_is_completed_behind_an_unsubscribe(version: int) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", version)
        await device.subscribe("devices/7/bytes", 2)
        await DeviceBytes(id="7").apublish(b"x")
        assert await device.receive() == Publish("devices/7/bytes", b"x", 2, packet_id=1)
        filters = ["nowhere", "devices/7/bytes", "devices/8/bytes"]
        await device.send(Unsubscribe(2, filters))
        assert await device.receive() == UnsubAck(2, [0x11, 0, 0x11] if version == V5 else [])
        await device.send(PubRec(1))
        assert await device.receive() == PubRel(1)
        await device.send(PubComp(1))
        await nothing_more(device)


async def test_a_subscription_that_is_made_anew_gets_what_is_retained_and_loses_nothing() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.subscribe("devices/7/state", 1)
        await DeviceState(id="7").apublish(1)
        assert (await device.receive()).payload == b"1"
        assert (await device.subscribe("devices/7/state", 0)).reasons == [0]
        assert await device.receive() == Publish("devices/7/state", b"1", retain=True)
        await DeviceState(id="7").apublish(2)
        assert await device.receive() == Publish("devices/7/state", b"2")


async def test_qos_2_goes_on_where_it_was_whatever_has_expired() -> None:
    """PUBLISH until PUBREC, PUBREL until PUBCOMP; never PUBLISH again."""
    async with broker() as fleet:
        device = await fleet.connect("c", properties=LASTING)
        writer = await fleet.connect("writer")
        await device.subscribe("devices/7/bytes", 2)
        short = {"message_expiry_interval": 1}
        await writer.send(Publish("devices/7/bytes", b"x", 2, packet_id=1, properties=short))
        first = await device.receive()
        assert (first.qos, first.dup, first.packet_id) == (2, False, 1)
        await writer.leave()
        await asyncio.sleep(1.1)  # its time is over, but it was sent
        device = await lost_and_back(fleet, device, "c")
        again = await device.receive()
        assert (again.payload, again.dup, again.packet_id) == (b"x", True, 1)
        await device.send(PubRec(1))
        assert await device.receive() == PubRel(1)
        device = await lost_and_back(fleet, device, "c")
        assert await device.receive() == PubRel(1)
        await device.send(PubComp(1))
        device = await lost_and_back(fleet, device, "c")
        await nothing_more(device)


@pytest.mark.parametrize(("qos", "answer"), [(1, PubAck(1, 0x80)), (2, PubRec(1, 0x97))])
async def test_what_a_client_refuses_is_not_sent_again(qos: int, answer: PubAck | PubRec) -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", properties=LASTING)
        await device.subscribe("devices/7/bytes", qos)
        await DeviceBytes(id="7").apublish(b"refused")
        assert (await device.receive()).packet_id == 1
        await device.send(answer)
        await nothing_more(device)
        device = await lost_and_back(fleet, device, "c")
        await DeviceBytes(id="7").apublish(b"next")
        assert (await device.receive()).payload == b"next"


async def test_behind_a_refused_qos_2_publish_its_identifier_is_free() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.send(Publish("private/somebody", b"1", 2, packet_id=3))
        assert await device.receive() == PubRec(3, Reason.NOT_AUTHORIZED)
        await device.send(Publish("devices/7/bytes1", b"x", 2, packet_id=3))
        assert await device.receive() == PubRec(3)
        assert len((await ahistory(DeviceLog(id="7"))).entries) == 1


async def test_what_was_not_acknowledged_comes_again_in_its_order() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c", properties=LASTING)
        await device.subscribe("devices/7/bytes", 1)
        for payload in (b"1", b"2", b"3"):
            await DeviceBytes(id="7").apublish(payload)
        assert [(await device.receive()).payload for _ in range(3)] == [b"1", b"2", b"3"]
        device = await lost_and_back(fleet, device, "c")
        again = [await device.receive() for _ in range(3)]
        assert [(each.payload, each.dup) for each in again] == [(b"1", True), (b"2", True), (b"3", True)]


async def test_the_end_of_a_session_takes_nothing_that_is_retained() -> None:
    async with broker() as fleet:
        device = await fleet.connect("c")
        await device.publish("devices/7/state", b"1", retain=True)
        await device.send(Disconnect())
        await device.closed()
        device = await fleet.connect("d")
        await device.subscribe("devices/7/state")
        assert await device.receive() == Publish("devices/7/state", b"1", retain=True)


@versions
async def test_a_client_without_a_will_leaves_none(version: int) -> None:
    published = telemetry.counters["mqtt.will_published"]
    async with broker() as fleet:
        await (await fleet.connect("c", version)).leave()
        await eventually(lambda: not fleet.running.streams)
    assert telemetry.counters["mqtt.will_published"] == published
