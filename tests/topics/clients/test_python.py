"""centrifuge-python, a client that was not written for us, against our server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import centrifuge
import pytest

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests.topics.topics_for_tests import Document, Price, Room, Typed

TIMEOUT = 5.0


@pytest.fixture(params=["json", "protobuf"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield f"ws://127.0.0.1:{server.port}/connection/websocket?format={request.param}"


def value(publication: Any) -> Any:
    """The data of a publication; over Protobuf the client leaves them as they came."""
    data = publication.data
    return json.loads(data) if isinstance(data, bytes) else data


def sent(address: str, data: Any) -> Any:
    """What a client has to be given to publish ``data``."""
    return json.dumps(data).encode() if "protobuf" in address else data


class Seen(centrifuge.SubscriptionEventHandler):
    """Collects what a subscription is told."""

    def __init__(self) -> None:
        self.subscribed: asyncio.Queue[Any] = asyncio.Queue()
        self.publications: asyncio.Queue[Any] = asyncio.Queue()

    async def on_subscribed(self, ctx: Any) -> None:
        await self.subscribed.put(ctx)

    async def on_publication(self, ctx: Any) -> None:
        await self.publications.put(ctx.pub)

    async def next_publication(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            return await self.publications.get()

    async def next_subscribed(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            return await self.subscribed.get()


async def subscribed(address: str, topic: str, **options: Any) -> tuple[centrifuge.Client, Any, Seen]:
    client, seen = centrifuge.Client(address, use_protobuf="protobuf" in address), Seen()
    subscription = client.new_subscription(topic, events=seen, **options)
    await client.connect()
    await subscription.subscribe()
    await subscription.ready(timeout=TIMEOUT)
    return client, subscription, seen


async def test_publications_of_server_and_client_arrive_numbered(address: str) -> None:
    client, subscription, seen = await subscribed(address, "room:open")
    Room(name="open").publish({"from": "server"})
    assert value(await seen.next_publication()) == {"from": "server"}
    await subscription.publish(sent(address, {"from": "client"}))
    publication = await seen.next_publication()
    assert value(publication) == {"from": "client"}
    assert publication.info.client in (await subscription.presence()).clients
    page = await subscription.history(limit=2, reverse=True)
    assert [each.offset for each in page.publications] == [page.offset, page.offset - 1]
    await client.disconnect()


async def test_what_was_missed_is_recovered_once_and_in_order(address: str) -> None:
    client, _, seen = await subscribed(address, "room:missed")
    await seen.next_subscribed()
    await client.disconnect()
    for number in range(20):
        Room(name="missed").publish(number)
    await client.connect()
    assert (await seen.next_subscribed()).recovered
    assert [value(await seen.next_publication()) for _ in range(20)] == list(range(20))
    Room(name="missed").publish("live")
    assert value(await seen.next_publication()) == "live"
    await client.disconnect()


class Refusals(centrifuge.SubscriptionEventHandler):
    """Collects the codes with which subscriptions end."""

    def __init__(self) -> None:
        self.codes: asyncio.Queue[int] = asyncio.Queue()

    async def on_unsubscribed(self, ctx: Any) -> None:
        await self.codes.put(ctx.code)


@pytest.mark.parametrize(("topic", "code"), [("room:secret", 103), ("nowhere", 102), ("room:a b", 102)])
async def test_who_may_not_is_refused(address: str, topic: str, code: int) -> None:
    client, refusals = centrifuge.Client(address, use_protobuf="protobuf" in address), Refusals()
    await client.connect()
    await client.new_subscription(topic, events=refusals).subscribe()
    async with asyncio.timeout(TIMEOUT):
        assert await refusals.codes.get() == code
    await client.disconnect()


async def test_presence_counts_clients_and_users(address: str) -> None:
    client, subscription, _ = await subscribed(address, "room:present")
    other, _, _ = await subscribed(address, "room:present")
    assert len((await subscription.presence()).clients) == 2
    stats = await subscription.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 1)
    await other.disconnect()
    await client.disconnect()


async def test_data_of_the_wrong_type_name_the_field(address: str) -> None:
    client, subscription, seen = await subscribed(address, "typed:7")
    with pytest.raises(centrifuge.ReplyError, match=r"\$\.text"):
        await subscription.publish(sent(address, {"text": 1}))
    await subscription.publish(sent(address, {"text": "hi"}))
    assert value(await seen.next_publication()) == {"text": "hi"}
    Typed(number=7).publish({"text": "from a view"})
    assert value(await seen.next_publication()) == {"text": "from a view"}
    await client.disconnect()


async def test_documents_arrive_as_patches_and_are_whole_again(address: str) -> None:
    client, _, seen = await subscribed(address, "document:1", delta=centrifuge.DeltaType.FOSSIL)
    documents = [{"text": "lorem ipsum dolor sit amet, consectetur " * 20, "ä": n} for n in range(5)]
    for document in documents[:3]:
        Document(number=1).publish(document)
        assert value(await seen.next_publication()) == document
    await client.disconnect()
    for document in documents[3:]:
        Document(number=1).publish(document)
    await client.connect()
    assert [value(await seen.next_publication()) for _ in range(2)] == documents[3:]
    Document(number=1).publish("short")
    assert value(await seen.next_publication()) == "short"
    await client.disconnect()


async def test_a_cache_gives_its_newest_publication_at_once(address: str) -> None:
    for price in (1, 2, 3):
        Price(symbol="abc").publish(price)
    client, _, seen = await subscribed(address, "price:abc")
    assert value(await seen.next_publication()) == 3
    await client.disconnect()


async def test_filters_choose_publications_by_their_tags(address: str) -> None:
    only_tech = centrifuge.Filter.eq("sector", "tech")
    client, _, seen = await subscribed(address, "price:tagged", tags_filter=only_tech)
    for number, sector in enumerate(["tech", "food", "tech"]):
        Price(symbol="tagged").publish(number, tags={"sector": sector})
    assert [value(await seen.next_publication()) for _ in range(2)] == [0, 2]
    await client.disconnect()


async def called(client: centrifuge.Client, address: str, method: str, data: Any) -> Any:
    answer = (await client.rpc(method, sent(address, data))).data
    return json.loads(answer) if isinstance(answer, bytes) else answer


async def test_functions_and_methods_of_topics_are_called(address: str) -> None:
    client, _, _ = await subscribed(address, "room:called")
    assert await called(client, address, "add", {"numbers": [1, 2]}) == 3
    answer = await called(client, address, "room:called/rename", {"title": "new", "times": 2})
    assert answer == {"room": "called", "title": "newnew", "anonymous": True}
    await client.disconnect()


@pytest.mark.parametrize(
    ("method", "data", "code", "words"),
    [
        ("add", {"numbers": "x"}, 107, r"\$\.numbers"),
        ("add", {"numbers": [], "more": 1}, 107, "more"),
        ("subtract", {}, 104, "method not found"),
        ("room:lobby/not_for_clients", {}, 104, "method not found"),
        ("room:lobby/__init__", {}, 104, "method not found"),
        ("room:secret/rename", {"title": "x"}, 103, "permission denied"),
        ("room:lobby/rename", {"title": "taken"}, 409, "That title is taken"),
        ("nowhere/rename", {}, 102, "unknown channel"),
    ],
)
async def test_a_call_that_fails_says_why(
    address: str, method: str, data: Any, code: int, words: str
) -> None:
    client = centrifuge.Client(address, use_protobuf="protobuf" in address)
    await client.connect()
    with pytest.raises(centrifuge.ReplyError, match=words) as raised:
        await called(client, address, method, data)
    assert raised.value.code == code
    await client.disconnect()


async def test_of_many_ephemeral_publications_the_first_and_the_latest_arrive(address: str) -> None:
    client, subscription, seen = await subscribed(address, "room:typing")
    for number in range(20):
        await called(client, address, "room:typing/ephemeral", number)
    publications = [await seen.next_publication() for _ in range(2)]
    assert [value(each) for each in publications] == [0, 19]
    assert {each.offset for each in publications} == {0}
    assert publications[0].tags == {"ephemeral": "true"}
    assert (await subscription.history(limit=-1)).publications == []
    await client.disconnect()


async def test_who_is_not_subscribed_tells_subscribers_nothing(address: str) -> None:
    client = centrifuge.Client(address, use_protobuf="protobuf" in address)
    await client.connect()
    with pytest.raises(centrifuge.ReplyError, match="subscribe to the topic first"):
        await called(client, address, "room:typing/ephemeral", 1)
    await client.disconnect()
