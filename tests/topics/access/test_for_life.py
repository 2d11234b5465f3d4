"""Access lasts as long as the right to it, on every server: what clients are told, and how soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import centrifuge
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate, get_user_model, logout
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from channels.access import watch
from channels.access.check import check
from channels.topics import disconnect
from channels.topics.tokens import create_connection_token
from tests.access.sessions import cookie_of, session_for
from tests.topics.access.conftest import Office, view_groups
from tests.topics.raw_client import RawClient, raw_client
from tests.topics.tokens.signing import SECRET

pytestmark = pytest.mark.django_db(transaction=True)
Act = Callable[[Any, Any], object]
#: Seconds within which a client has to have heard.
SOON = 2.0


@pytest.fixture(autouse=True)
def tokens(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": SECRET}}


@pytest.fixture
def only_at_once(settings: Any) -> None:
    """Have nothing found by the regular checks."""
    settings.CHANNELS_ACCESS_INTERVAL = 3600.0


@pytest.fixture
async def session(ada: Any) -> Any:
    return await sync_to_async(session_for)(ada)


@pytest.fixture
async def clients(ports: list[int], session: Any) -> AsyncIterator[list[RawClient]]:
    """Ada, with her session, on each server."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw_client(port, cookie_of(session))) for port in ports]
        for client in clients:
            await client.connect()
            await client.ask(subscribe={"channel": "office:1"})
        yield clients


async def ends(clients: list[RawClient], act: Act, ada: Any, session: Any) -> list[tuple[int, str]]:
    """Do something; returns how each client was closed, which has to be soon."""
    begun = time.monotonic()
    await sync_to_async(act)(ada, session)
    closed = [await client.closed() for client in clients]
    assert time.monotonic() - begun < SOON
    return closed


def log_out(ada: Any, session: Any) -> None:
    """In another tab: a page of the same session."""
    request = HttpRequest()
    request.session, request.user = type(session)(session.session_key), ada
    logout(request)


def change_password(ada: Any, session: Any) -> None:
    ada.set_password("another")
    ada.save()


def deactivate(ada: Any, session: Any) -> None:
    ada.is_active = False
    ada.save(update_fields=["is_active"])


def delete_user(ada: Any, session: Any) -> None:
    ada.delete()


def flush_session(ada: Any, session: Any) -> None:
    session.flush()


def expire_session(ada: Any, session: Any) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def deactivate_behind_django(ada: Any, session: Any) -> None:
    get_user_model().objects.update(is_active=False)


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (log_out, (3005, "connection expired")),
        (change_password, (3005, "connection expired")),
        (deactivate, (3507, "permission denied")),
        (delete_user, (3507, "permission denied")),
    ],
)
@pytest.mark.usefixtures("only_at_once")
async def test_what_django_tells_ends_connections_at_once(
    clients: list[RawClient], act: Act, end: tuple[int, str], ada: Any, session: Any
) -> None:
    assert await ends(clients, act, ada, session) == [end, end]


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (flush_session, (3005, "connection expired")),
        (expire_session, (3005, "connection expired")),
        (deactivate_behind_django, (3507, "permission denied")),
    ],
)
async def test_what_nobody_tells_is_found_by_the_regular_check(
    clients: list[RawClient], act: Act, end: tuple[int, str], ada: Any, session: Any
) -> None:
    assert await ends(clients, act, ada, session) == [end, end]


def take_permission(ada: Any, session: Any) -> None:
    ada.user_permissions.remove(view_groups())


def leave_group(ada: Any, session: Any) -> None:
    group = Group.objects.create(name="staff")
    group.permissions.add(view_groups())
    ada.groups.add(group)
    ada.user_permissions.clear()
    group.user_set.remove(ada)


def take_permission_from_group(ada: Any, session: Any) -> None:
    group = Group.objects.create(name="staff")
    group.permissions.add(view_groups())
    ada.groups.add(group)
    ada.user_permissions.clear()
    group.permissions.clear()


@pytest.mark.parametrize("act", [take_permission, leave_group, take_permission_from_group])
@pytest.mark.usefixtures("only_at_once")
async def test_a_permission_that_is_taken_ends_the_subscription_and_not_the_connection(
    clients: list[RawClient], act: Act, ada: Any, session: Any
) -> None:
    begun = time.monotonic()
    await sync_to_async(act)(ada, session)
    for client in clients:
        ended = {"code": 2000, "reason": "server unsubscribe"}
        assert await client.next() == {"push": {"channel": "office:1", "unsubscribe": ended}}
        assert time.monotonic() - begun < SOON
        assert (await client.ask(subscribe={"channel": "office:1"}))["error"]["code"] == 103


@pytest.mark.usefixtures("only_at_once")
async def test_recheck_asks_about_the_user_as_they_are_now(clients: list[RawClient], ada: Any) -> None:
    await get_user_model().objects.aupdate(is_active=False)
    await Office(floor=1).arecheck()
    for client in clients:
        assert await client.closed() == (3507, "permission denied")


@pytest.mark.usefixtures("only_at_once")
async def test_what_is_rolled_back_ends_nothing(clients: list[RawClient], ada: Any, session: Any) -> None:
    def deactivate_in_vain() -> None:
        with transaction.atomic():
            deactivate(ada, session)
            transaction.set_rollback(True)

    await sync_to_async(deactivate_in_vain)()
    await asyncio.sleep(0.3)
    for client in clients:
        assert "subscribe" in await client.ask(subscribe={"channel": "room:open"})


async def test_who_is_somebody_else_stays(
    ports: list[int], clients: list[RawClient], ada: Any, session: Any
) -> None:
    eve = await sync_to_async(get_user_model().objects.create_user)("eve")
    others = await sync_to_async(session_for)(eve)
    mine = await sync_to_async(session_for)(ada)
    async with (
        raw_client(ports[0], cookie_of(others)) as other,
        raw_client(ports[0], cookie_of(mine)) as second,
        raw_client(ports[0]) as nobody,
    ):
        for client in (other, second, nobody):
            await client.connect()
        await ends(clients, log_out, ada, session)
        await asyncio.sleep(SOON)
        for client in (other, second, nobody):
            assert "subscribe" in await client.ask(subscribe={"channel": "room:open"})


async def test_a_login_ends_nothing(clients: list[RawClient], ada: Any) -> None:
    await sync_to_async(authenticate)(username="ada", password="wrong")
    ada.last_login = timezone.now()
    await ada.asave(update_fields=["last_login"])
    await asyncio.sleep(0.3)
    assert "subscribe" in await clients[0].ask(subscribe={"channel": "room:open"})


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (change_password, (3014, "state invalidated")),
        (deactivate, (3507, "permission denied")),
    ],
)
async def test_connections_by_tokens_end_too(ports: list[int], ada: Any, act: Act, end: Any) -> None:
    async with raw_client(ports[0]) as client:
        await client.connect(token=create_connection_token(ada))
        assert await ends([client], act, ada, None) == [end]


async def test_centrifuge_python_comes_back_as_nobody_after_a_logout(
    ports: list[int], ada: Any, session: Any
) -> None:
    client = centrifuge.Client(
        f"ws://localhost:{ports[0]}/connection/websocket", headers=dict(cookie_of(session))
    )
    room = client.new_subscription("room:open")
    await client.connect()
    await room.subscribe()
    await room.ready(timeout=5)
    users = {each.user for each in (await room.presence()).clients.values()}
    assert users == {str(ada.pk)}
    await sync_to_async(log_out)(ada, session)
    async with asyncio.timeout(5):
        while users != {""}:
            await asyncio.sleep(0.1)
            await room.ready(timeout=5)
            users = {each.user for each in (await room.presence()).clients.values()}
    await client.disconnect()


async def test_centrifuge_python_fetches_another_token_after_a_new_password(
    ports: list[int], ada: Any
) -> None:
    fetched: asyncio.Queue[str] = asyncio.Queue()

    async def get_token(ctx: Any = None) -> str:
        token = create_connection_token(ada)
        await fetched.put(token)
        return token

    client = centrifuge.Client(f"ws://localhost:{ports[0]}/connection/websocket", get_token=get_token)
    await client.connect()
    await client.ready(timeout=5)
    await fetched.get()
    await sync_to_async(change_password)(ada, None)
    async with asyncio.timeout(5):
        await fetched.get()
    await client.ready(timeout=5)
    await client.disconnect()


async def test_clients_are_checked_together(
    ports: list[int], ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []

    def noted(connections: Any) -> Any:
        numbers.append(len(connections))
        return check(connections)

    monkeypatch.setattr(watch, "check", noted)
    async with AsyncExitStack() as stack:
        for number in range(4):
            user = await get_user_model().objects.acreate(username=f"u{number}")
            headers = cookie_of(await sync_to_async(session_for)(user))
            await (await stack.enter_async_context(raw_client(ports[0], headers))).connect()
        async with asyncio.timeout(5):
            while 4 not in numbers:
                await asyncio.sleep(0.05)


PATHS = {
    "event stream": ("GET", "/sse/?topic=room:open", None),
    "sse": ("GET", "/connection/sse?cf_connect=" + quote('{"id":1,"connect":{}}'), None),
    "http_stream": ("POST", "/connection/http_stream", '{"id":1,"connect":{}}'),
}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(("act", "code"), [(log_out, "3005"), (flush_session, "3005"), (deactivate, "3507")])
async def test_streams_end_too(kind: str, act: Act, code: str, pages: str, ada: Any, session: Any) -> None:
    method, path, body = PATHS[kind]
    headers = dict(cookie_of(session))
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, pages + path, data=body, headers=headers) as response,
    ):
        assert response.status == 200
        assert await response.content.readany()
        begun = time.monotonic()
        await sync_to_async(act)(ada, session)
        said = b""
        async with asyncio.timeout(5):
            try:
                while part := await response.content.readany():
                    said += part
            except aiohttp.ClientPayloadError:  # an event stream is cut, so that clients come back
                assert kind == "event stream"
        assert time.monotonic() - begun < SOON
        if kind != "event stream":
            assert code in said.decode()


async def test_disconnect_ends_the_connections_of_a_user(clients: list[RawClient], ada: Any) -> None:
    await sync_to_async(disconnect)(ada)
    for client in clients:
        assert await client.closed() == (3503, "force disconnect")


async def test_may_subscribe_is_asked_again_now_and_then(
    ports: list[int], settings: Any, ada: Any, session: Any
) -> None:
    settings.CHANNELS_TOPICS = {"PING_INTERVAL": 2.0, "PONG_TIMEOUT": 1.0, "RECHECK_INTERVAL": 0.5}
    async with raw_client(ports[0], cookie_of(session)) as client:
        await client.connect()
        await client.ask(subscribe={"channel": "office:1"})
        relation = get_user_model().user_permissions.through  # behind the signals
        await relation.objects.all().adelete()
        assert (await client.next())["push"]["unsubscribe"]["code"] == 2000
