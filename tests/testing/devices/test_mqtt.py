from __future__ import annotations

import pytest

from channels.generic.tcp import AsyncTcpConsumer
from channels.mqtt.application import MQTTBroker
from channels.protocols.mqtt.packets import V5, V311, PingReq, PingResp, Will
from channels.testing import MQTTCommunicator
from tests.mqtt.conftest import own_store as own_store  # a fixture
from tests.mqtt.topics_for_tests import DeviceState


@pytest.mark.parametrize("version", [V311, V5])
async def test_a_device_publishes_and_takes_what_django_says(version: int) -> None:
    device = MQTTCommunicator(MQTTBroker(), version=version)
    assert (await device.connect("meter-7", will=Will("devices/7/bytes", b"gone"))).reason == 0
    assert await device.subscribe("devices/7/state", 1) == 1
    await DeviceState(id="7").apublish({"on": True})
    assert (await device.receive_publish()).payload == b'{"on":true}'
    assert (await device.publish("devices/7/state", b"[1]")).reason == 0
    assert (await device.receive_publish()).payload == b"[1]"  # it came before the answer, or behind it
    assert (await device.publish("private/somebody", b"1")).reason == (0x87 if version == V5 else 0)
    assert await device.subscribe("private/somebody") == (0x87 if version == V5 else 0x80)
    await device.send(PingReq())
    assert await device.receive() == PingResp()
    await device.disconnect()


async def test_who_the_device_is_says_what_it_shows() -> None:
    shown = []

    async def by_certificate(scope: object, connect: object) -> None:
        shown.append((scope["extensions"]["tls"], connect.password))  # type: ignore[index, attr-defined]

    device = MQTTCommunicator(MQTTBroker(authenticate=by_certificate), tls={"client_cert_name": "CN=meter-7"})
    assert (await device.connect("meter-7", password="token")).reason == 0x87
    assert shown == [({"client_cert_name": "CN=meter-7"}, b"token")]


async def test_an_application_that_closes_at_once() -> None:
    class Closing(AsyncTcpConsumer):
        async def tcp_connect(self, message: object) -> None:
            await self.base_send({"type": "tcp.close"})

    with pytest.raises(AssertionError, match="before CONNECT"):
        await MQTTCommunicator(Closing.as_asgi()).connect()
