"""Who a client is: the functions of a project that say it."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, PermissionDenied

from channels.protocols.centrifuge.messages import ConnectRequest
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.tokens.claims import ConnectionToken
from channels.typing import Scope
from tests.topics.raw_client import raw_client
from tests.topics.tokens.signing import signed

pytestmark = pytest.mark.django_db(transaction=True)
EVE = SimpleNamespace(pk="eve", is_anonymous=False, name="Eve")


def by_password(scope: Scope, request: ConnectRequest) -> Any:
    """A sync function that may use the database."""
    said = msgspec.json.decode(request.data)
    return get_user_model().objects.filter(username=said["name"]).first()


async def by_header(scope: Scope, request: ConnectRequest) -> Any:
    header = dict(scope["headers"]).get(b"x-api-key")
    if header == b"wrong":
        raise PermissionDenied
    if header == b"late":
        raise CommandFailed(1000, "come back later", temporary=True)
    if header == b"blocked":
        raise Disconnected(4501, "blocked")
    return EVE if header == b"right" else None


async def present_as(client: Any) -> dict[str, Any]:
    result = await client.connect(data={"name": "ada"})
    await client.ask(subscribe={"channel": "room:open"})
    presence = (await client.ask(presence={"channel": "room:open"}))["presence"]["presence"]
    info: dict[str, Any] = presence[result["client"]]
    return info


async def test_a_sync_function_finds_the_user(port: int, options: dict[str, Any]) -> None:
    ada = await get_user_model().objects.acreate(username="ada")
    options["AUTHENTICATE"] = "tests.topics.session.test_identity.by_password"
    async with raw_client(port) as client:
        assert (await present_as(client))["user"] == str(ada.pk)


@pytest.mark.parametrize(("key", "user"), [("right", "eve"), ("none", "")])
async def test_an_async_function_finds_the_user_or_leaves_it_to_others(
    port: int, options: dict[str, Any], key: str, user: str
) -> None:
    options["AUTHENTICATE"] = by_header
    async with raw_client(port, [("X-API-Key", key)]) as client:
        assert (await present_as(client))["user"] == user


@pytest.mark.parametrize(
    ("key", "end"), [("wrong", (3507, "permission denied")), ("blocked", (4501, "blocked"))]
)
async def test_a_function_ends_the_connection(
    port: int, options: dict[str, Any], key: str, end: tuple[int, str]
) -> None:
    options["AUTHENTICATE"] = by_header
    async with raw_client(port, [("X-API-Key", key)]) as client:
        await client.send(connect={})
        assert await client.closed() == end


async def test_a_function_answers_with_an_error(port: int, options: dict[str, Any]) -> None:
    options["AUTHENTICATE"] = by_header
    async with raw_client(port, [("X-API-Key", "late")]) as client:
        reply = await client.ask(connect={})
        assert reply["error"] == {"code": 1000, "message": "come back later", "temporary": True}


@pytest.mark.parametrize("wrong", ["nowhere.at_all", 7])
async def test_a_function_that_is_none_is_an_error_and_no_way_in(
    port: int, options: dict[str, Any], wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options["AUTHENTICATE"] = wrong
    async with raw_client(port) as client:
        assert (await client.ask(connect={}))["error"]["code"] == 100
    assert "CHANNELS_TOPICS['AUTHENTICATE']" in caplog.text
    assert ImproperlyConfigured.__name__ in caplog.text


async def test_others_see_of_a_user_what_the_project_says(port: int, options: dict[str, Any]) -> None:
    options |= {"AUTHENTICATE": by_header, "USER_INFO": lambda user: {"name": user.name}}
    async with raw_client(port, [("X-API-Key", "right")]) as client:
        assert (await present_as(client))["conn_info"] == {"name": "Eve"}
    async with raw_client(port, [("X-API-Key", "none")]) as client:
        assert "conn_info" not in await present_as(client)


async def test_a_token_may_name_somebody_who_is_not_in_the_database(
    port: int, options: dict[str, Any]
) -> None:
    async def token_user(token: ConnectionToken) -> Any:
        return EVE if token.user == "eve" else None

    options["TOKEN_USER"] = token_user
    async with raw_client(port) as client:
        result = await client.connect(token=signed({"sub": "eve"}))
        assert list(result["subs"]) == ["user:eve"]
    async with raw_client(port) as client:
        await client.send(connect={"token": signed({"sub": "adam"})})
        assert await client.closed() == (3507, "permission denied")
