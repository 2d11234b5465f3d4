"""Shared subscriptions of clients of one process, and of two routers, as two processes have them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.urls import path

from channels.mqtt.application import MQTTBroker
from channels.mqtt.limits import MQTTLimits
from channels.mqtt.router import Router
from channels.mqtt.session import Session, Subscribed
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import V5, Connect, Disconnect, PubAck, Subscription, Unsubscribe
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.topics.control import Announcement
from tests.mqtt.client import ENDPOINT, Device, broker
from tests.mqtt.test_session import RecordingPeer
from tests.mqtt.test_sessions import LASTING, two_brokers
from tests.mqtt.topics_for_tests import DeviceLog, Retained
from tests.server.helpers import LONG, eventually

SHARED = "$share/g/devices/+/bytes1"


async def received(devices: list[Device], amount: int) -> list[list[bytes]]:
    """Return what devices get of so many messages together."""
    found: list[list[bytes]] = [[] for _ in devices]

    async def read(device: Device, mine: list[bytes]) -> None:
        while True:
            packet = await device.receive()
            mine.append(packet.payload)
            if packet.qos:
                await device.send(PubAck(packet.packet_id))

    reading = [asyncio.ensure_future(read(*pair)) for pair in zip(devices, found, strict=True)]
    async with asyncio.timeout(LONG):
        while sum(map(len, found)) < amount:
            await asyncio.sleep(0.01)
    for each in reading:
        each.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return found


@pytest.mark.parametrize("qos", [0, 1])
async def test_one_of_a_group_gets_each_message_and_who_is_in_none_gets_all(qos: int) -> None:
    async with broker() as fleet:
        members = [await fleet.connect(name) for name in "abc"]
        for member in members:
            assert (await member.subscribe(SHARED, qos)).reasons == [qos]
        other = await fleet.connect("other")
        await other.subscribe("devices/+/bytes1", qos)
        expected = [b"%d" % number for number in range(30)]
        publisher = await fleet.connect("publisher")
        for payload in expected:
            await publisher.publish("devices/7/bytes1", payload)
        shared, (alone,) = await asyncio.gather(received(members, 30), received([other], 30))
        assert alone == expected
        assert sorted(each for mine in shared for each in mine) == sorted(expected)
        assert all(shared)


async def test_a_shared_subscription_brings_nothing_that_is_retained_and_may_be_ended() -> None:
    async with broker() as fleet:
        await Retained(id="7").apublish(b"old")
        device = await fleet.connect("c")
        await device.subscribe("$share/g/kept/7")
        await Retained(id="7").apublish(b"new")
        assert (await device.receive()).payload == b"new"
        for reason in (Reason.SUCCESS, Reason.NO_SUBSCRIPTION_EXISTED):
            await device.send(Unsubscribe(1, ["$share/g/kept/7"]))
            assert (await device.receive()).reasons == [reason]
        assert (await device.subscribe("$share/g/private/me")).reasons == [Reason.NOT_AUTHORIZED]


async def test_what_a_member_did_not_acknowledge_goes_to_another_when_its_session_ends() -> None:
    async with broker() as fleet:
        leaving = await fleet.connect("a")
        await leaving.subscribe(SHARED, 1)
        await DeviceLog(id="7").apublish(b"1")
        assert (await leaving.receive()).payload == b"1"
        stays = await fleet.connect("b")
        await stays.subscribe(SHARED, 1)
        await leaving.leave()
        assert (await stays.receive()).payload == b"1"


async def test_a_group_that_was_away_gets_what_it_missed_also_elsewhere() -> None:
    async with two_brokers() as pair:
        device = await pair.here.connect("c", properties=LASTING)
        await device.subscribe("$share/g/devices/7/bytes1", 1)
        await DeviceLog(id="7").apublish(b"1")
        await device.send(PubAck((await device.receive()).packet_id), Disconnect())
        await device.closed()
        await eventually(lambda: not pair.here.running.streams)
        for number in (2, 3):
            await DeviceLog(id="7").apublish(b"%d" % number)
        device = await pair.elsewhere("c")
        assert await received([device], 2) == [[b"2", b"3"]]


class Process:
    """A router of its own, with one member of a group."""

    def __init__(self, client: str) -> None:
        self.router = Router(asyncio.get_running_loop(), MQTTLimits())
        self.session, self.peer = Session(("", client), None, 1000), RecordingPeer(window=1000)
        self.session.resume(self.peer)

    async def join(self) -> None:
        options = Subscription("$share/g/devices/7/bytes1", 1)
        await self.router.subscribe(self.session, options.filter, Subscribed(options))

    def got(self) -> list[Any]:
        return [each.payload for each in self.peer.sent]


async def test_each_message_is_one_processs_own() -> None:
    processes = [Process("a"), Process("b")]
    for each in processes:
        await each.join()
    expected = [b"%d" % number for number in range(100)]
    for payload in expected:
        await DeviceLog(id="7").apublish(payload)
    await eventually(lambda: sum(len(each.got()) for each in processes) >= 100)
    assert sorted(processes[0].got() + processes[1].got()) == sorted(expected)
    assert all(each.got() for each in processes), "who has its hands full lets others go first"
    for each in processes:
        each.router.forget(each.session)


async def test_a_message_whose_last_member_here_left_goes_to_another_process() -> None:
    first, second = Process("a"), Process("b")
    await first.join()
    await DeviceLog(id="7").apublish(b"1")
    await eventually(lambda: first.got() == [b"1"])
    await second.join()
    told: list[bytes] = []

    async def abroadcast(announcement: Announcement) -> None:
        told.append(announcement.data)

    with pytest.MonkeyPatch.context() as patch:  # each of these routers would be another process
        patch.setattr("channels.mqtt.shared.shares.abroadcast", abroadcast)
        first.router.forget(first.session)
        first.session.leave(first.peer)
        first.session.give_back(sent=True)
        await eventually(lambda: told)
    for _ in range(2):  # two processes have heard of it
        second.router.shares.handed_over(told[0])
    await eventually(lambda: second.got() == [b"1"])
    second.router.forget(second.session)


async def test_members_in_several_loops_have_each_message_once_and_take_what_others_left() -> None:
    router = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker())])})
    config = Config(app=router, endpoints=ENDPOINT[:1], lifespan="off")
    elsewhere = ServerThread.of(config, "127.0.0.1")
    async with broker() as fleet:
        await asyncio.to_thread(elsewhere.start)
        try:
            here = await fleet.connect("a")
            there = Device(*await asyncio.open_connection("127.0.0.1", elsewhere.port), V5)
            await fleet.tried(there, Connect("b"))
            for device in (here, there):
                await device.subscribe("$share/g/devices/7/bytes1", 1)
            alone = Device(*await asyncio.open_connection("127.0.0.1", elsewhere.port), V5)
            await fleet.tried(alone, Connect("alone"))
            await alone.subscribe("devices/7/bytes1", 1)
            expected = [b"%d" % number for number in range(100)]
            for payload in expected:
                await DeviceLog(id="7").apublish(payload)
            shared = await received([here, there], 100)
            assert sorted(each for mine in shared for each in mine) == sorted(expected)
            assert await received([alone], 100) == [expected]
            await DeviceLog(id="7").apublish(b"left")
            first = [asyncio.ensure_future(each.receive()) for each in (here, there)]
            (done,), _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            assert done.result().payload == b"left"
            await (here, there)[first.index(done)].leave()
            other = first[1 - first.index(done)]
            assert (await other).payload == b"left"
            for device in (there, alone):
                await device.leave()
        finally:
            await asyncio.to_thread(elsewhere.stop)
