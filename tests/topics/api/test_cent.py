"""cent, the client of Centrifugo's API from PyPI, against ours: each method, sync and async."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

import cent
import pytest

from tests.topics.api.conftest import KEYS
from tests.topics.raw_client import RawClient, raw_client

Call = Callable[[cent.CentRequest[Any]], Awaitable[Any]]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, ports: tuple[int, int]) -> Call:
    """Sends a request by one of cent's clients."""
    url = f"http://127.0.0.1:{ports[0]}/api"

    async def call(message: cent.CentRequest[Any]) -> Any:
        if request.param == "async":
            async with cent.AsyncClient(url, KEYS[0]) as client:
                return await client._send(message)
        sync = cent.Client(url, KEYS[1])
        return await asyncio.to_thread(sync._send, message)

    return call


async def told(client: RawClient, kind: str) -> dict[str, Any]:
    """The next push of a kind; the ones before it are left out."""
    while kind not in (push := (await client.next()).get("push", {})):
        pass
    return push


async def subscribed(client: RawClient, topic: str) -> str:
    """Connect and subscribe; returns the client's id."""
    own = (await client.connect())["client"]
    assert "subscribe" in await client.ask(subscribe={"channel": topic})
    return str(own)


async def test_publish_reaches_subscribers_on_each_node(ports: tuple[int, int], call: Call) -> None:
    async with raw_client(ports[0]) as here, raw_client(ports[1]) as there:
        for client in (here, there):
            await subscribed(client, "room:lobby")
        published = await call(cent.PublishRequest(channel="room:lobby", data={"a": 1}, tags={"t": "x"}))
        assert published.offset == 1
        assert published.epoch
        for client in (here, there):
            pub = (await told(client, "pub"))["pub"]
            assert (pub["data"], pub["tags"], pub["offset"]) == ({"a": 1}, {"t": "x"}, 1)


async def test_a_key_publishes_once_and_a_publication_need_not_be_kept(call: Call) -> None:
    request = cent.PublishRequest(channel="room:lobby", data=1, idempotency_key="k")
    first, second = await call(request), await call(request)
    assert (first.offset, first.epoch) == (second.offset, second.epoch)
    kept = await call(cent.PublishRequest(channel="room:lobby", data=2, skip_history=True))
    assert kept.offset == 0
    page = await call(cent.HistoryRequest(channel="room:lobby", limit=-1))
    assert [each.data for each in page.publications] == [1]


async def test_base64_and_types(call: Call) -> None:
    encoded = base64.b64encode(b'{"text": "hi"}').decode()
    await call(cent.PublishRequest(channel="room:lobby", data=None, b64data=encoded))
    page = await call(cent.HistoryRequest(channel="room:lobby", limit=-1))
    assert [each.data for each in page.publications] == [{"text": "hi"}]
    with pytest.raises(cent.CentApiResponseError, match=r"\$\.text") as raised:
        await call(cent.PublishRequest(channel="typed:1", data={"text": 1}))
    assert raised.value.code == 107


async def test_broadcast_answers_for_each_channel(call: Call) -> None:
    result = await call(cent.BroadcastRequest(channels=["room:a", "nowhere", "room:b"], data=1))
    good, bad, other = result.responses
    assert (good.result.offset, other.result.offset) == (1, 1)
    assert (bad.error.code, bad.error.message) == (102, "unknown channel")


async def test_history_is_read_in_pages_and_removed(call: Call) -> None:
    for number in range(5):
        await call(cent.PublishRequest(channel="room:lobby", data=number))
    top = await call(cent.HistoryRequest(channel="room:lobby"))
    assert (top.publications, top.offset) == ([], 5)
    since = cent.StreamPosition(offset=2, epoch=top.epoch)
    page = await call(cent.HistoryRequest(channel="room:lobby", limit=2, since=since))
    assert [(each.offset, each.data) for each in page.publications] == [(3, 2), (4, 3)]
    page = await call(cent.HistoryRequest(channel="room:lobby", limit=2, reverse=True))
    assert [each.offset for each in page.publications] == [5, 4]
    with pytest.raises(cent.CentApiResponseError) as raised:
        await call(
            cent.HistoryRequest(channel="room:lobby", since=cent.StreamPosition(offset=1, epoch="other"))
        )
    assert raised.value.code == 112
    await call(cent.HistoryRemoveRequest(channel="room:lobby"))
    page = await call(cent.HistoryRequest(channel="room:lobby", limit=-1))
    assert (page.publications, page.offset) == ([], 5)


async def test_who_is_present(ports: tuple[int, int], call: Call) -> None:
    assert (await call(cent.PresenceRequest(channel="room:lobby"))).presence == {}
    async with raw_client(ports[0]) as here, raw_client(ports[1]) as there:
        ids = {await subscribed(client, "room:lobby") for client in (here, there)}
        found = (await call(cent.PresenceRequest(channel="room:lobby"))).presence
        assert {info.client for info in found.values()} == found.keys() == ids
        stats = await call(cent.PresenceStatsRequest(channel="room:lobby"))
        assert (stats.num_clients, stats.num_users) == (2, 1)


async def test_the_server_subscribes_on_each_node_and_ends_it(ports: tuple[int, int], call: Call) -> None:
    since = await call(cent.HistoryRequest(channel="room:secret"))
    await call(cent.PublishRequest(channel="room:secret", data="before"))
    async with raw_client(ports[0]) as here, raw_client(ports[1]) as there:
        for client in (here, there):
            await client.connect()
        position = cent.StreamPosition(offset=0, epoch=since.epoch)
        request = cent.SubscribeRequest(
            user="", channel="room:secret", data={"why": "invited"}, info={"seat": 1}, recover_since=position
        )
        await call(request)
        for client in (here, there):
            push = (await told(client, "subscribe"))["subscribe"]
            assert push["data"] == {"why": "invited"}
            assert push["recoverable"]
            assert (await told(client, "pub"))["pub"]["data"] == "before"
        present = (await call(cent.PresenceRequest(channel="room:secret"))).presence
        assert [info.chan_info for info in present.values()] == [{"seat": 1}, {"seat": 1}]
        await call(cent.UnsubscribeRequest(user="", channel="room:secret"))
        for client in (here, there):
            assert (await told(client, "unsubscribe"))["unsubscribe"]["code"] == 2000


async def test_one_client_is_chosen_by_its_id(ports: tuple[int, int], call: Call) -> None:
    async with raw_client(ports[0]) as here, raw_client(ports[1]) as there:
        chosen, other = [await subscribed(client, "room:lobby") for client in (there, here)]
        await call(cent.UnsubscribeRequest(user="", channel="room:lobby", client=chosen))
        await told(there, "unsubscribe")
        reason = cent.Disconnect(code=4501, reason="told to")
        await call(cent.DisconnectRequest(user="", whitelist=[other], disconnect=reason))
        assert await there.closed() == (4501, "told to")
        await call(cent.DisconnectRequest(user="somebody else"))
        present = (await call(cent.PresenceRequest(channel="room:lobby"))).presence
        assert present.keys() == {other}
        await call(cent.DisconnectRequest(user="", client=other))
        assert await here.closed() == (3503, "force disconnect")


async def test_a_connection_is_told_how_long_it_lasts_or_that_it_is_over(
    ports: tuple[int, int], call: Call
) -> None:
    async with raw_client(ports[1]) as client:
        await client.connect()
        await call(cent.RefreshRequest(user="", expire_at=int(time.time()) + 100))
        refresh = (await told(client, "refresh"))["refresh"]
        assert refresh["expires"]
        assert 95 <= refresh["ttl"] <= 101
        await call(cent.RefreshRequest(user="", expired=True))
        assert await client.closed() == (3005, "connection expired")


async def test_channels_and_nodes_of_the_whole_cluster(ports: tuple[int, int], call: Call) -> None:
    async with raw_client(ports[0]) as here, raw_client(ports[1]) as there:
        await subscribed(here, "room:a")
        await subscribed(there, "room:a")
        await there.ask(subscribe={"channel": "typed:1"})
        found = (await call(cent.ChannelsRequest())).channels
        assert {name: each.num_clients for name, each in found.items()} == {"room:a": 2, "typed:1": 1}
        assert (await call(cent.ChannelsRequest(pattern="room:*"))).channels.keys() == {"room:a"}
        nodes = (await call(cent.InfoRequest())).nodes
        assert sorted((node.num_clients, node.num_subs, node.num_channels) for node in nodes) == [
            (1, 1, 1),
            (1, 2, 2),
        ]
        for node in nodes:
            assert node.uid
            assert node.name
            assert node.version.startswith("fairway ")
            assert node.process is not None
            assert node.process.rss > 1_000_000


async def test_commands_go_together(call: Call) -> None:
    for parallel in (False, True):
        result = await call(
            cent.BatchRequest(
                requests=[
                    cent.PublishRequest(channel="room:lobby", data=1),
                    cent.HistoryRequest(channel="room:lobby"),
                    cent.PresenceStatsRequest(channel="room:lobby"),
                    cent.ChannelsRequest(),
                ],
                parallel=parallel,
            )
        )
        published, history, stats, channels = result.replies
        assert published.offset >= 1
        assert history.epoch == published.epoch
        assert stats.num_clients == 0
        assert channels.channels == {}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (cent.PublishRequest(channel="nowhere", data=1), 102),
        (cent.PublishRequest(channel="", data=1), 107),
        (cent.HistoryRequest(channel="typed:1"), 108),
        (cent.PresenceRequest(channel="typed:1"), 108),
        (cent.HistoryRequest(channel="room:a", since=cent.StreamPosition(), reverse=True), 107),
        (cent.DisconnectRequest(user="", disconnect=cent.Disconnect(code=1000)), 107),
        (cent.BroadcastRequest(channels=[], data=1), 107),
    ],
)
async def test_errors_have_the_codes_of_the_protocol(
    call: Call, request_: cent.CentRequest[Any], code: int
) -> None:
    with pytest.raises(cent.CentApiResponseError) as raised:
        await call(request_)
    assert raised.value.code == code
