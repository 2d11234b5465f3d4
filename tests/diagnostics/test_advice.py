"""The sentences that help with a newcomer's mistakes in a consumer."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import SimpleLazyObject

from channels.auth import AuthMiddlewareStack
from channels.consumer import AsyncConsumer
from channels.core.lazy import get_if_loaded
from channels.diagnostics.advice import remedy_for, tell_refused
from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer, JsonWebsocketConsumer, WebsocketConsumer
from channels.typing import PUSH_EXTENSION
from tests.server.helpers import UPGRADE, Client, frame, serve


class NoUser(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.scope["user"]


class NoSession(WebsocketConsumer):
    def connect(self) -> None:
        self.scope["session"]


class NoRoute(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.scope["url_route"]["kwargs"]


class NoLayer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add("room", self.channel_name)


class PlainMethod(AsyncWebsocketConsumer):
    def connect(self) -> None:  # type: ignore[override]
        pass


class OwnMistake(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        {}["user"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("consumer", "remedy"),
    [
        (NoUser, "The scope has no 'user': put the application of NoUser inside AuthMiddlewareStack"),
        (NoSession, "The scope has no 'session': put the application of NoSession inside Session"),
        (NoRoute, "The scope has no 'url_route': put the application of NoRoute inside URLRouter"),
        (
            NoLayer,
            "self.channel_layer is None: the setting CHANNEL_LAYERS has no 'default'. Write one into the ",
        ),
        (NoLayer, """CHANNEL_LAYERS = {'default': {"BACKEND": "channels.layers.host.HostChannelLayer"}}."""),
        (PlainMethod, "PlainMethod is an async consumer: write its methods with `async def`."),
    ],
)
async def test_the_remedy_stands_below_the_traceback(
    consumer: type[Any], remedy: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(consumer.as_asgi()) as running:
        await refused(await running.connect(), 500)
    (record,) = [record for record in caplog.records if record.exc_info]
    error = record.exc_info[1]  # type: ignore[index]
    assert remedy in "\n".join(error.__notes__)


@pytest.mark.parametrize(
    "error", [KeyError("user"), KeyError(["user"]), KeyError(), TypeError("x"), OSError()]
)
def test_other_errors_get_no_remedy(error: Exception) -> None:
    consumer = AsyncConsumer()
    consumer.scope = {"type": "websocket", "user": "somebody"}  # type: ignore[assignment]
    consumer.channel_layer = None  # type: ignore[assignment]
    assert remedy_for(error, consumer) == ""


async def test_a_key_that_the_scope_has_is_not_advised(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(AuthMiddlewareStack(OwnMistake.as_asgi())) as running:
        await refused(await running.connect(), 500)
    assert "put the application" not in caplog.text


async def refused(client: Client, status: int) -> None:
    await client.send(UPGRADE)
    assert (await client.response())[0] == status


class Closes(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.close()


class ClosesSync(WebsocketConsumer):
    def connect(self) -> None:
        raise DenyConnection


class Asks(WebsocketConsumer):
    def connect(self) -> None:
        if not self.scope["user"].is_authenticated:
            self.close()


@pytest.mark.parametrize(
    ("application", "said"),
    [
        (Closes.as_asgi(), "Closes closed it before it accepted it. Its scope has no user: if that is what"),
        (ClosesSync.as_asgi(), "ClosesSync closed it before it accepted it. Its scope has no user: if"),
        (AuthMiddlewareStack(Asks.as_asgi()), "The user is not logged in, and no cookie came: log in first,"),
    ],
)
async def test_a_refusal_is_told_once_with_what_is_known_of_the_user(
    application: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(application) as running:
        await refused(await running.connect(), 403)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert said in told[0]


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({"user": AnonymousUser(), "headers": [(b"cookie", b"sessionid=x")]}, "the cookies that came name"),
        ({"user": User(pk=1)}, "The user is logged in: look at the conditions of connect()."),
        ({"user": SimpleLazyObject(User)}, "connect() has not asked who the user is: look at its other"),
    ],
)
def test_what_is_known_of_the_user(
    scope: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = SimpleNamespace(unanswered=True, refusal_logged=lambda: None)
    consumer = SimpleNamespace(scope={"path": "/x/", "extensions": {PUSH_EXTENSION: source}, **scope})
    tell_refused(consumer, get_if_loaded)
    assert said in caplog.messages[0]


def test_the_end_of_an_open_socket_is_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    for scope in (
        {},
        {"extensions": {}},
        {"extensions": {PUSH_EXTENSION: SimpleNamespace(unanswered=False)}},
    ):
        tell_refused(SimpleNamespace(scope=scope), get_if_loaded)
    tell_refused(object(), get_if_loaded)
    assert not caplog.messages


class Silent(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        pass


class SilentSync(WebsocketConsumer):
    def connect(self) -> None:
        pass


class ForgottenAwait(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.accept()  # type: ignore[unused-coroutine]


class AsyncInSync(WebsocketConsumer):
    async def connect(self) -> None:  # type: ignore[override]
        await self.accept()  # type: ignore[misc]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("consumer", "said"),
    [
        (Silent, "Silent returned without accept() or close(),"),
        (SilentSync, "SilentSync returned without accept() or close(),"),
        (ForgottenAwait, "ForgottenAwait returned without accept() or close(),"),
        (
            AsyncInSync,
            "connect() of tests.diagnostics.test_advice.AsyncInSync is `async def`, but the class is a sync",
        ),
    ],
)
async def test_a_handshake_without_an_answer_is_told_at_once(
    consumer: type[Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(consumer.as_asgi(), websocket_connect_timeout=0.3) as running:
        for _ in range(2):  # told once a minute
            await refused(await running.connect(), 503)
    told = [record.getMessage() for record in caplog.records if record.name == "channels.consumer"]
    assert said in told[0]
    assert len(told) == len(set(told))
    first = next(record for record in caplog.records if record.levelno >= logging.WARNING)
    assert first.name == "channels.consumer"  # before the time limit has passed


class AsyncReceive(JsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self.send_json(content)


async def test_an_async_receive_of_a_sync_consumer_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(AsyncReceive.as_asgi()) as running:
        client = await running.connect()
        await client.upgrade()
        await client.send(frame(b"1") + frame(b"2"))
        await client.close()
    assert "receive_json() of tests.diagnostics.test_advice.AsyncReceive is `async def`" in caplog.text


class Accepting(AsyncWebsocketConsumer):
    pass


class Refusing(WebsocketConsumer):
    def connect(self) -> None:
        self.close()


async def test_a_handshake_with_an_answer_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(Accepting.as_asgi()) as running:
        client = await running.connect()
        await client.upgrade()
        await client.close()
    async with serve(Refusing.as_asgi()) as running:
        await refused(await running.connect(), 403)
    assert "without accept()" not in caplog.text
