"""What a client publishes; that it is acknowledged is in ``test_connection.py``."""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth.models import AnonymousUser

from channels.mqtt.limits import MQTTLimits
from channels.mqtt.publishing import Publisher
from channels.mqtt.router import Router
from channels.mqtt.session import Session
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import Publish
from channels.topics.stores.manager import get_store
from tests.mqtt.topics_for_tests import DeviceLog


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("devices/7/bytes1", b"\xff", Reason.SUCCESS),
        ("devices/7/state", b"{", Reason.PAYLOAD_FORMAT_INVALID),
        ("private/me", b"1", Reason.NOT_AUTHORIZED),
        ("no/such", b"1", Reason.TOPIC_NAME_INVALID),
    ],
)
async def test_each_publish_has_its_reason(topic: str, payload: bytes, reason: Reason) -> None:
    publisher = Publisher(Router(asyncio.get_running_loop(), MQTTLimits()), 20)
    session = Session(("", "c"), AnonymousUser(), 5)
    assert await publisher.publish(session, Publish(topic, payload)) is reason


async def test_a_second_publication_with_the_same_key_is_left_out() -> None:
    publisher = Publisher(Router(asyncio.get_running_loop(), MQTTLimits()), 20)
    session = Session(("", "c"), AnonymousUser(), 5)
    name = str(DeviceLog(id="7"))
    for key in ("one", "one", "two", ""):
        assert await publisher.publish(session, Publish(name, b"x", 2), key) is Reason.SUCCESS
    assert len((await get_store().read(name)).publications) == 3
