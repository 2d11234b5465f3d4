"""Topics below $SYS: to whom the project permits, and while somebody has subscribed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from channels import telemetry
from channels.mqtt.system import topics
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import V5, V311, PingReq, PingResp, Publish, Unsubscribe
from tests.mqtt.client import Device, broker
from tests.server.helpers import eventually

STAFF = {"authenticate": lambda scope, packet: User(pk=1, username="ada", is_staff=True)}
NAMES = {
    "$SYS/broker/version",
    "$SYS/broker/uptime",
    "$SYS/broker/clients/connected",
    "$SYS/broker/clients/disconnected",
    "$SYS/broker/clients/total",
    "$SYS/broker/subscriptions/count",
    "$SYS/broker/publish/messages/dropped",
}


async def received(device: Device) -> list[Publish]:
    """Return what comes before the answer to a ping."""
    await device.send(PingReq())
    found = []
    while (packet := await device.receive()) != PingResp():
        found.append(packet)
    return found


@pytest.mark.parametrize("version", [V311, V5])
async def test_who_may_gets_the_numbers_at_once_and_now_and_then(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "INTERVAL", 0.05)
    async with broker(STAFF) as fleet:
        device, other = await fleet.connect("c", version), await fleet.connect("other", version)
        assert (await device.subscribe("$SYS/#", 1)).reasons == [1]
        first = {packet.topic: packet for packet in [await device.receive() for _ in NAMES]}
        assert set(first) == NAMES
        assert all(packet.retain and not packet.qos for packet in first.values())
        assert first["$SYS/broker/clients/connected"].payload == b"2"
        assert first["$SYS/broker/subscriptions/count"].payload == b"1"
        assert first["$SYS/broker/version"].payload.startswith(b"fairway version ")
        again = [await device.receive() for _ in NAMES]
        assert {packet.topic for packet in again} == NAMES
        assert not any(packet.retain for packet in again)
        assert await received(other) == []
        await device.send(Unsubscribe(2, ["$SYS/#"]))


async def test_messages_are_counted_where_metrics_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "metered", True)
    monkeypatch.setattr(topics, "INTERVAL", 1000.0)
    async with broker(STAFF) as fleet:
        gone, device = await fleet.connect("gone"), await fleet.connect("c")
        await gone.publish("devices/7/bytes", b"1")
        await gone.leave()
        await eventually(lambda: len(fleet.running.streams) == 1)
        await device.publish("devices/7/bytes", b"2")
        await device.subscribe("devices/8/bytes")
        await device.publish("devices/7/bytes", b"3")
        for name, value in (("received", b"3"), ("sent", b"1")):
            await device.subscribe(f"$SYS/broker/publish/messages/{name}")
            assert [packet.payload for packet in await received(device)] == [value]


async def test_filters_that_begin_with_a_wildcard_bring_none_and_one_name_brings_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "INTERVAL", 1000.0)
    async with broker(STAFF) as fleet:
        device = await fleet.connect("c")
        for topic_filter in ("#", "+/broker/version", "+/#"):
            assert (await device.subscribe(topic_filter)).reasons == [0]
            assert await received(device) == []
        await device.subscribe("$SYS/broker/clients/+", retain_handling=2)
        assert await received(device) == []
        properties = {"subscription_identifier": 7}
        await device.subscribe("$SYS/broker/clients/total", properties=properties)
        assert await received(device) == [
            Publish(
                "$SYS/broker/clients/total", b"1", retain=True, properties={"subscription_identifier": [7]}
            )
        ]


async def nobody(user: Any) -> bool:
    return False


@pytest.mark.parametrize(
    "options",
    [
        {"authenticate": lambda scope, packet: AnonymousUser()},
        {"authenticate": lambda scope, packet: User(pk=1, username="ada")},
        {**STAFF, "may_read_system": nobody},
    ],
)
async def test_others_may_not_subscribe_and_nobody_may_publish(options: dict[str, Any]) -> None:
    async with broker(options) as fleet:
        device = await fleet.connect("c")
        for topic_filter in ("$SYS/#", "$SYS/broker/version", "$share/g/$SYS/#"):
            assert (await device.subscribe(topic_filter)).reasons == [Reason.NOT_AUTHORIZED]
        answer = await device.publish("$SYS/broker/version", b"1")
        assert answer.reason == Reason.TOPIC_NAME_INVALID


async def test_who_is_permitted_no_longer_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def once(user: Any) -> bool:
        asked.append(user)
        return len(asked) == 1

    async with broker({**STAFF, "may_read_system": once}) as fleet:
        monkeypatch.setattr(topics, "INTERVAL", 0.02)
        device = await fleet.connect("c")
        await device.subscribe("$SYS/broker/version", retain_handling=2)
        while len(asked) < 3:
            assert await received(device) == []
