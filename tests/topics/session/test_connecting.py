"""Tokens on the wire: what a client sees of each refusal, each end, and each refresh."""

import asyncio
import logging
import time
from typing import Any

import centrifuge
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from channels import telemetry
from channels.topics.tokens import TokenSubscription, create_connection_token, create_subscription_token
from tests.topics.raw_client import raw_client
from tests.topics.tokens.signing import SECRET, signed

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT = 5.0


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada")


def now(seconds: float = 0) -> int:
    return int(time.time() + seconds)


@pytest.mark.usefixtures("options")
async def test_a_token_connects_its_user_and_says_until_when(port: int, ada: Any) -> None:
    token = create_connection_token(ada, expires_in=60, info={"name": "Ada"}, meta={"plan": "secret"})
    async with raw_client(port) as client:
        result = await client.connect(token=token)
        assert result["expires"] is True
        assert 58 <= result["ttl"] <= 60
        assert f"user:{ada.pk}" in result["subs"]
        await client.ask(subscribe={"channel": "room:open"})
        presence = (await client.ask(presence={"channel": "room:open"}))["presence"]["presence"]
        assert presence == {
            result["client"]: {"user": str(ada.pk), "client": result["client"], "conn_info": {"name": "Ada"}}
        }


@pytest.mark.usefixtures("options")
async def test_a_token_without_an_end_does_not_expire(port: int, ada: Any) -> None:
    async with raw_client(port) as client:
        result = await client.connect(token=create_connection_token(ada, expires_in=None))
        assert "expires" not in result
        assert "ttl" not in result


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("claims", "error"),
    [({"exp": now(-60)}, 109), ({"nbf": now(60)}, 109), ({"expire_at": now(-60)}, 110)],
)
async def test_a_token_that_is_over_is_an_error_that_has_the_client_fetch_another(
    port: int, ada: Any, claims: dict[str, Any], error: int
) -> None:
    async with raw_client(port) as client:
        reply = await client.ask(connect={"token": signed({"sub": str(ada.pk), **claims})})
        assert reply["error"]["code"] == error
        await client.send(connect={})
        assert (await client.closed())[0] == 3501


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    "claims", [{"sub": 1}, {"sub": "1", "channel": "room:open"}, {"sub": "1", "b64info": "/w=="}]
)
async def test_a_token_with_wrong_claims_ends_the_connection(port: int, claims: dict[str, Any]) -> None:
    async with raw_client(port) as client:
        await client.send(connect={"token": signed(claims)})
        assert await client.closed() == (3500, "invalid token")


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize("token", ["x", "a.b.c", signed({"sub": "1"}, key=SECRET[::-1])])
async def test_a_forged_token_ends_the_connection(port: int, token: str) -> None:
    async with raw_client(port) as client:
        await client.send(connect={"token": token})
        assert await client.closed() == (3500, "invalid token")


async def test_keys_that_cannot_be_fetched_have_the_client_try_again(
    port: int, options: dict[str, Any], tmp_path: Any
) -> None:
    options["TOKENS"] = {"JWKS": str(tmp_path / "nowhere.json")}
    async with raw_client(port) as client:
        reply = await client.ask(connect={"token": signed({"sub": "1"}, "RS256", kid="k")})
        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}


@pytest.mark.usefixtures("options")
async def test_a_token_of_nobody_or_of_somebody_deactivated_is_final(port: int, ada: Any) -> None:
    ada.is_active = False
    await sync_to_async(ada.save)()
    for subject in (str(ada.pk), "4711", "no number"):
        async with raw_client(port) as client:
            await client.send(connect={"token": signed({"sub": subject})})
            assert await client.closed() == (3507, "permission denied")


async def test_clients_that_nobody_knows_may_be_refused(port: int, options: dict[str, Any]) -> None:
    options["ANONYMOUS"] = False
    for request in ({}, {"token": signed({})}):
        async with raw_client(port) as client:
            await client.send(connect=request)
            assert await client.closed() == (3507, "permission denied")


@pytest.mark.usefixtures("options")
async def test_a_token_has_the_server_subscribe(port: int, ada: Any) -> None:
    topics = {
        "room:secret": TokenSubscription(info=b'{"role":"guest"}', data=b'{"hello":1}'),
        "gone:1": TokenSubscription(),
    }
    before = telemetry.counters["topics.token_topic_unknown"]
    async with raw_client(port) as client:
        result = await client.connect(token=create_connection_token(ada, topics=topics))
        assert result["subs"]["room:secret"]["data"] == {"hello": 1}
        assert "gone:1" not in result["subs"]
        reply = await client.ask(presence={"channel": "room:secret"})
        assert reply["presence"]["presence"][result["client"]]["chan_info"] == {"role": "guest"}
        assert (await client.ask(subscribe={"channel": "room:secret"}))["error"]["code"] == 105
        assert (await client.ask(sub_refresh={"channel": "room:secret", "token": "x"}))["error"][
            "code"
        ] == 103
    assert telemetry.counters["topics.token_topic_unknown"] == before + 1


async def test_more_subscriptions_than_allowed_end_the_connection(
    port: int, ada: Any, options: dict[str, Any]
) -> None:
    options["MAX_SUBSCRIPTIONS"] = 2
    token = create_connection_token(ada, topics=["room:a", "room:b"])
    async with raw_client(port) as client:
        await client.send(connect={"token": token})
        assert await client.closed() == (3505, "channel limit")


@pytest.mark.usefixtures("options")
async def test_a_connection_that_is_not_refreshed_is_closed_by_the_server(port: int, ada: Any) -> None:
    token = signed({"sub": str(ada.pk), "expire_at": time.time() + 0.3})
    async with raw_client(port) as client:
        assert (await client.connect(token=token))["ttl"] == 1
        assert await client.closed() == (3005, "connection expired")


@pytest.mark.usefixtures("options")
async def test_a_refreshed_connection_goes_on(port: int, ada: Any) -> None:
    async with raw_client(port) as client:
        await client.connect(token=signed({"sub": str(ada.pk), "expire_at": time.time() + 0.3}))
        reply = await client.ask(refresh={"token": create_connection_token(ada, expires_in=60)})
        assert reply["refresh"]["expires"] is True
        assert 58 <= reply["refresh"]["ttl"] <= 60
        await asyncio.sleep(0.7)
        assert "history" in await client.ask(history={"channel": "room:open"})


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": now(-60)}, 3005),
        ({"expire_at": now(-60)}, 3005),
        ({"sub": ""}, 3500),
        ({"channel": "room:open"}, 3500),
        ({"channels": ["room:open"]}, 3010),
    ],
)
async def test_a_refresh_that_does_not_fit_ends_the_connection(
    port: int, ada: Any, claims: dict[str, Any], code: int
) -> None:
    async with raw_client(port) as client:
        await client.connect(token=create_connection_token(ada))
        await client.send(refresh={"token": signed({"sub": str(ada.pk), **claims})})
        assert (await client.closed())[0] == code


@pytest.mark.usefixtures("options")
async def test_who_came_without_a_token_cannot_refresh(port: int, ada: Any) -> None:
    async with raw_client(port) as client:
        await client.connect()
        await client.send(refresh={"token": create_connection_token(ada)})
        assert await client.closed() == (3501, "bad request")


@pytest.mark.usefixtures("options")
async def test_centrifuge_python_refreshes_by_itself(port: int, ada: Any) -> None:
    tokens = 0

    async def get_token(ctx: Any = None) -> str:
        nonlocal tokens
        tokens += 1
        return signed({"sub": str(ada.pk), "expire_at": time.time() + 1.0})

    client = centrifuge.Client(f"ws://localhost:{port}/connection/websocket", get_token=get_token)
    await client.connect()
    await client.ready(timeout=TIMEOUT)
    first = client.state
    async with asyncio.timeout(TIMEOUT):
        while tokens < 3:
            await asyncio.sleep(0.05)
    assert client.state is first
    await client.disconnect()


@pytest.mark.usefixtures("options")
async def test_centrifuge_python_fetches_another_token_when_its_own_is_over(port: int, ada: Any) -> None:
    async def get_token(ctx: Any = None) -> str:
        return create_connection_token(ada)

    old = signed({"sub": str(ada.pk), "exp": now(-60)})
    client = centrifuge.Client(f"ws://localhost:{port}/connection/websocket", token=old, get_token=get_token)
    await client.connect()
    await client.ready(timeout=TIMEOUT)
    await client.disconnect()


@pytest.mark.usefixtures("options")
async def test_no_token_stands_in_a_log(port: int, ada: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[Any] = []
    detach = telemetry.attach(lambda event, facts: heard.append((event, facts)))
    tokens = [
        create_connection_token(ada),
        signed({"sub": str(ada.pk), "exp": now(-60)}),
        signed({"sub": str(ada.pk)}, key=SECRET[::-1]),
        create_subscription_token(ada, "room:secret"),
    ]
    for token in tokens:
        async with raw_client(port) as client:
            await client.send(connect={"token": token})
            await client.send(subscribe={"channel": "room:secret", "token": token})
            await client.send(rpc={"method": token})
            await client.send(connect={"token": token})
            await client.closed()
    detach()
    # The client of the test logs what it sends.
    logged = [each.getMessage() for each in caplog.records if not each.name.startswith("websockets")]
    said = repr(heard) + "".join(logged)
    assert "topics.token_refused" in said
    assert not [token for token in tokens if token in said or token.split(".")[2] in said]
