"""Subscription tokens on the wire: grants, refusals, ends and refreshes."""

import asyncio
import time
from typing import Any

import centrifuge
import pytest

from channels.topics.delivery.hub import all_hubs
from channels.topics.tokens import Override, create_subscription_token
from tests.topics.raw_client import RawClient, raw_client
from tests.topics.tokens.signing import SECRET, signed

pytestmark = pytest.mark.usefixtures("options")
#: A topic that may_subscribe refuses.
SECRET_ROOM = "room:secret"
TIMEOUT = 5.0


async def subscribe(client: RawClient, token: str, **request: Any) -> dict[str, Any]:
    return await client.ask(subscribe={"channel": SECRET_ROOM, "token": token, **request})


def expired() -> str:
    return signed({"channel": SECRET_ROOM, "exp": int(time.time()) - 60})


async def test_a_token_lets_a_client_have_what_it_may_not_have_without(port: int) -> None:
    async with raw_client(port) as client:
        me = (await client.connect())["client"]
        assert (await client.ask(subscribe={"channel": SECRET_ROOM}))["error"]["code"] == 103
        token = create_subscription_token(None, SECRET_ROOM, client=me, info={"seat": 7}, data=[1])
        result = (await subscribe(client, token))["subscribe"]
        assert result["expires"] is True
        assert 3590 <= result["ttl"] <= 3600
        assert result["data"] == [1]
        assert result["recoverable"] is True
        who = (await client.ask(presence={"channel": SECRET_ROOM}))["presence"]["presence"]
        assert who[me]["chan_info"] == {"seat": 7}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (expired(), 109),
        (signed({"channel": SECRET_ROOM, "expire_at": int(time.time()) - 60}), 110),
        (signed({"channel": SECRET_ROOM}, key=SECRET[::-1]), 103),
        ("rubbish", 103),
        (signed({}), 103),
    ],
)
async def test_a_token_that_is_worth_nothing_is_an_error(port: int, token: str, code: int) -> None:
    async with raw_client(port) as client:
        await client.connect()
        assert (await subscribe(client, token))["error"]["code"] == code
        assert (await client.ask(subscribe={"channel": "room:open"}))["subscribe"]


@pytest.mark.parametrize(
    "claims",
    [
        {"channel": "room:open"},
        {"channel": SECRET_ROOM, "sub": "7"},
        {"channel": SECRET_ROOM, "client": "somebody else"},
    ],
)
async def test_a_token_of_somebody_else_ends_the_connection(port: int, claims: dict[str, Any]) -> None:
    async with raw_client(port) as client:
        await client.connect()
        await client.send(subscribe={"channel": SECRET_ROOM, "token": signed(claims)})
        assert await client.closed() == (3500, "invalid token")


async def test_a_token_decides_instead_of_the_topic(port: int) -> None:
    override = Override(presence=False, join_leave=False, force_recovery=False, force_positioning=False)
    async with raw_client(port) as client, raw_client(port) as other:
        await client.connect()
        token = create_subscription_token(
            None, SECRET_ROOM, override=Override(force_push_join_leave=True), expires_in=None
        )
        result = (await subscribe(client, token))["subscribe"]
        assert "expires" not in result
        assert (await client.next())["push"]["join"]
        await other.connect()
        hidden = create_subscription_token(None, SECRET_ROOM, override=override)
        result = (await subscribe(other, hidden))["subscribe"]
        assert not result.keys() & {"recoverable", "positioned"}
        present = (await client.ask(presence={"channel": SECRET_ROOM}))["presence"]["presence"]
        assert len(present) == 1


async def test_a_subscription_that_is_not_refreshed_ends(port: int) -> None:
    token = signed({"channel": SECRET_ROOM, "expire_at": time.time() + 0.3})
    async with raw_client(port) as client:
        await client.connect()
        assert (await subscribe(client, token))["subscribe"]["ttl"] == 1
        pushed = (await client.next())["push"]
        assert pushed == {
            "channel": SECRET_ROOM,
            "unsubscribe": {"code": 2501, "reason": "subscription expired"},
        }
        assert (await client.ask(subscribe={"channel": "room:open"}))["subscribe"]


async def test_a_refreshed_subscription_goes_on(port: int) -> None:
    async with raw_client(port) as client:
        await client.connect()
        await subscribe(client, signed({"channel": SECRET_ROOM, "expire_at": time.time() + 0.3}))
        token = create_subscription_token(None, SECRET_ROOM, expires_in=60)
        reply = await client.ask(sub_refresh={"channel": SECRET_ROOM, "token": token})
        assert reply["sub_refresh"]["expires"] is True
        assert 58 <= reply["sub_refresh"]["ttl"] <= 60
        await asyncio.sleep(0.7)
        assert (await client.ask(subscribe={"channel": SECRET_ROOM}))["error"]["code"] == 105


async def test_a_subscription_by_the_server_that_ends_takes_the_connection_with_it(port: int) -> None:
    token = signed({"channels": [SECRET_ROOM]})
    async with raw_client(port) as client:
        me = (await client.connect(token=token))["client"]
        hub = next(hub for hub in all_hubs() if me in hub.clients)
        session: Any = hub.clients[me]
        hub.loop.call_soon_threadsafe(session.grant, SECRET_ROOM, time.time() + 0.1)
        assert await client.closed() == (3006, "subscription expired")


async def test_an_expired_refresh_ends_the_subscription_and_says_so(port: int) -> None:
    async with raw_client(port) as client:
        await client.connect()
        await subscribe(client, create_subscription_token(None, SECRET_ROOM))
        await client.send(sub_refresh={"channel": SECRET_ROOM, "token": expired()})
        assert (await client.next())["push"]["unsubscribe"]["code"] == 2501
        assert (await client.next())["error"]["code"] == 109


async def test_refreshes_that_say_nothing_are_errors(port: int) -> None:
    async with raw_client(port) as client:
        await client.connect()
        refresh = {"channel": SECRET_ROOM, "token": create_subscription_token(None, SECRET_ROOM)}
        assert (await client.ask(sub_refresh=refresh))["error"]["code"] == 103
        await subscribe(client, create_subscription_token(None, SECRET_ROOM))
        assert (await client.ask(sub_refresh={"channel": SECRET_ROOM}))["error"]["code"] == 107
        assert (await client.ask(sub_refresh={**refresh, "type": 1}))["error"]["code"] == 107


@pytest.mark.parametrize("token", ["rubbish", signed({"channel": "room:open"})])
async def test_a_refresh_that_is_worth_nothing_ends_the_connection(port: int, token: str) -> None:
    async with raw_client(port) as client:
        await client.connect()
        await subscribe(client, create_subscription_token(None, SECRET_ROOM))
        await client.send(sub_refresh={"channel": SECRET_ROOM, "token": token})
        assert await client.closed() == (3500, "invalid token")


@pytest.mark.parametrize("first", ["", expired()])
async def test_centrifuge_python_subscribes_and_refreshes_by_itself(port: int, first: str) -> None:
    tokens = 0

    async def get_token(ctx: Any) -> str:
        nonlocal tokens
        tokens += 1
        return signed({"channel": SECRET_ROOM, "expire_at": time.time() + 1.0})

    client = centrifuge.Client(f"ws://localhost:{port}/connection/websocket")
    subscription = client.new_subscription(SECRET_ROOM, token=first, get_token=get_token)
    await client.connect()
    await subscription.subscribe()
    await subscription.ready(timeout=TIMEOUT)
    async with asyncio.timeout(TIMEOUT):
        while tokens < 3:
            await asyncio.sleep(0.05)
    assert subscription.state is centrifuge.SubscriptionState.SUBSCRIBED
    await client.disconnect()
