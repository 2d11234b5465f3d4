"""Sessions of several event loops, as of several processes."""

from __future__ import annotations

import asyncio

from django.urls import path

from channels.mqtt.application import MQTTBroker
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import V5, Connect, Disconnect
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from tests.mqtt.client import ENDPOINT, Device, broker


async def test_a_client_that_connects_elsewhere_is_closed_here() -> None:
    router = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker())])})
    elsewhere = ServerThread.of(Config(app=router, endpoints=ENDPOINT[:1], lifespan="off"), "127.0.0.1")
    async with broker() as fleet:
        await asyncio.to_thread(elsewhere.start)
        try:
            lasting = {"session_expiry_interval": 100}
            first = await fleet.connect("meter", properties=lasting)
            other = await fleet.connect("another")
            pair = await asyncio.open_connection("127.0.0.1", elsewhere.port)
            second = Device(*pair, V5)
            assert (await fleet.tried(second, Connect("meter", properties=lasting))).reason == 0
            assert await first.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
            await first.closed()
            back = await fleet.tried(await fleet.open(), Connect("meter", clean_start=False))
            assert not back.session_present  # it is where the client was last
            assert await second.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
            await second.leave()
            await other.subscribe("devices/7/state")  # others stay
        finally:
            await asyncio.to_thread(elsewhere.stop)
