"""Live queries in tests that users of the package would write."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import TopicsCommunicator
from channels.topics import websocket_urlpatterns
from tests.live.shop.models import Customer, Order


@pytest.mark.django_db(transaction=True)
async def test_a_communicator_gets_the_rows_and_what_changes() -> None:
    await Order.objects.acreate(number=1)
    application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
    client = TopicsCommunicator(application)
    await client.connect()
    (snapshot,) = (await client.subscribe("orders:open"))["publications"]
    assert [each["row"]["number"] for each in snapshot["data"]["snapshot"]] == [1]
    await sync_to_async(Order.objects.filter(number=1).update)(number=2)
    (change,) = (await client.receive_publication(timeout=5))["changes"]
    assert (change["op"], change["row"]["number"]) == ("change", 2)
    await client.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_communicator_gets_texts_with_ends_of_lines_of_every_kind() -> None:
    application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
    client = TopicsCommunicator(application)
    await client.connect()
    await client.subscribe("orders:open")
    text = "\u2028\x85\n"
    await Order.objects.acreate(number=1, status="open", customer=await Customer.objects.acreate(name=text))
    (change,) = (await client.receive_publication(timeout=5))["changes"]
    assert change["row"]["customer"]["name"] == text
    await client.disconnect()
