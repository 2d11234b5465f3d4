"""Consumers behind AuthMiddleware, whose users lose the right to their sockets."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.urls import path
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from channels.auth import AuthMiddlewareStack, login, logout
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.mailbox import AuthChanged
from channels.routing import URLRouter
from channels.server.in_thread import ServerThread
from channels.typing import ASGIApp
from tests.access.sessions import cookie_of, session_for

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT = 5.0
#: Seconds within which a socket has to have been closed.
SOON = 2.0


class Plain(AsyncConsumer):
    async def websocket_connect(self, event: Any) -> None:
        await self.send({"type": "websocket.accept"})

    async def websocket_receive(self, event: Any) -> None:
        await self.send({"type": "websocket.send", "text": "still here"})


class PlainSync(SyncConsumer):
    def websocket_connect(self, event: Any) -> None:
        self.send({"type": "websocket.accept"})

    def websocket_receive(self, event: Any) -> None:
        self.send({"type": "websocket.send", "text": "still here"})


class Generic(AsyncWebsocketConsumer):
    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "logout":
            await logout(self.scope)
        elif text_data == "login":
            eve = await get_user_model().objects.aget(username="eve")
            await login(self.scope, eve)
            await database_sync_to_async(self.scope["session"].save)()
        await self.send(text_data="still here")


class GenericSync(WebsocketConsumer):
    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        self.send(text_data="still here")


class Own(AsyncWebsocketConsumer):
    """Tells what it hears, and stays."""

    async def auth_changed(self, event: Any) -> None:
        assert isinstance(event, AuthChanged)
        user = self.scope["user"]
        await self.send(text_data=f"{event['reason']} {user.is_anonymous or user.is_staff}")

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.send(text_data="still here")


class OwnSync(WebsocketConsumer):
    def auth_changed(self, event: Any) -> None:
        self.send(text_data=event["reason"])
        self.close(code=4000)


def wrapped(application: ASGIApp) -> ASGIApp:
    """A middleware behind which the server cannot push."""

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        async def own_receive() -> Any:
            return await receive()

        await application(scope, own_receive, send)

    return inside


CONSUMERS: dict[str, Any] = {
    "plain": Plain.as_asgi(),
    "plain-sync": PlainSync.as_asgi(),
    "generic": Generic.as_asgi(),
    "generic-sync": GenericSync.as_asgi(),
    "wrapped": wrapped(Generic.as_asgi()),
    "own": Own.as_asgi(),
    "own-sync": OwnSync.as_asgi(),
}
CLOSED_BY_DEFAULT = ["plain", "plain-sync", "generic", "generic-sync", "wrapped"]


@pytest.fixture(autouse=True)
def for_life(settings: Any) -> None:
    settings.CHANNELS_ACCESS_FOR_LIFE = True


@pytest.fixture
def port() -> Iterator[int]:
    routes = [path(f"{name}/", consumer) for name, consumer in CONSUMERS.items()]
    with ServerThread(AuthMiddlewareStack(URLRouter(routes))) as server:
        yield server.port


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada", is_staff=True)


@pytest.fixture
def session(ada: Any) -> Any:
    return session_for(ada)


def socket(port: int, name: str, session: Any = None) -> Any:
    headers = [] if session is None else cookie_of(session)
    return connect(f"ws://127.0.0.1:{port}/{name}/", additional_headers=headers)


async def answer(websocket: Any, text: str = "?") -> Any:
    await websocket.send(text)
    return await heard(websocket)


async def heard(websocket: Any) -> Any:
    async with asyncio.timeout(TIMEOUT):
        return await websocket.recv()


async def close_code(websocket: Any) -> int:
    with pytest.raises(ConnectionClosed):
        await heard(websocket)
    return int(websocket.close_code)


def deactivate(ada: Any, session: Any) -> None:
    ada.is_active = False
    ada.save()


def change_password(ada: Any, session: Any) -> None:
    ada.set_password("another")
    ada.save()


def flush(ada: Any, session: Any) -> None:
    session.flush()


@pytest.mark.parametrize("name", CLOSED_BY_DEFAULT)
async def test_a_socket_is_closed_unless_the_consumer_says_otherwise(
    port: int, name: str, ada: Any, session: Any
) -> None:
    async with socket(port, name, session) as websocket, socket(port, name) as nobody:
        assert await answer(websocket) == "still here"
        begun = time.monotonic()
        await sync_to_async(deactivate)(ada, session)
        assert await close_code(websocket) == 4401
        assert time.monotonic() - begun < SOON
        assert await answer(nobody) == "still here"


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (deactivate, "deactivated True"),
        (change_password, "password_changed True"),
        (flush, "logged_out True"),
    ],
)
async def test_a_handler_hears_why_and_may_stay(
    port: int, act: Any, said: str, ada: Any, session: Any
) -> None:
    async with socket(port, "own", session) as websocket:
        await answer(websocket)
        await sync_to_async(act)(ada, session)
        assert await heard(websocket) == said
        assert await answer(websocket) == "still here"


async def test_a_handler_of_a_sync_consumer_hears_too(port: int, ada: Any, session: Any) -> None:
    async with socket(port, "own-sync", session) as websocket:
        await sync_to_async(deactivate)(ada, session)
        assert await heard(websocket) == "deactivated"
        assert await close_code(websocket) == 4000


async def test_fewer_privileges_are_told_and_other_fields_are_not(port: int, ada: Any, session: Any) -> None:
    async with socket(port, "own", session) as websocket:
        await answer(websocket)
        ada.first_name = "Ada"
        await ada.asave()
        assert await answer(websocket) == "still here"
        ada.is_staff = False
        await ada.asave()
        assert await heard(websocket) == "permissions_changed False"


async def test_what_the_consumer_does_itself_does_not_end_it(port: int, ada: Any, session: Any) -> None:
    await get_user_model().objects.acreate(username="eve")
    for word in ("logout", "login"):
        mine = await sync_to_async(session_for)(ada)
        async with socket(port, "generic", mine) as websocket:
            assert await answer(websocket, word) == "still here"
            await asyncio.sleep(SOON)
            assert await answer(websocket) == "still here"


@pytest.mark.parametrize("name", ["generic", "own"])
async def test_without_the_setting_all_is_as_it_was(
    port: int, name: str, settings: Any, ada: Any, session: Any
) -> None:
    settings.CHANNELS_ACCESS_FOR_LIFE = False
    async with socket(port, name, session) as websocket:
        assert await answer(websocket) == "still here"
        await sync_to_async(deactivate)(ada, session)
        await sync_to_async(flush)(ada, session)
        await asyncio.sleep(SOON)
        assert await answer(websocket) == "still here"


def test_a_message_of_a_layer_with_this_type_is_none_of_ours() -> None:
    assert not isinstance({"type": "auth.changed"}, AuthChanged)
    assert AuthChanged("logged_out") == {"type": "auth.changed", "reason": "logged_out"}
