"""Packages that others wrote for Channels, run on ours as their users run them.

scripts/environment.sh installs them without their dependencies: pip would bring the originals back.
docs/reference/third-party.md lists what else was tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import django.db.models.signals
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.dispatch import Signal
from django.test import override_settings

from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TIMEOUT = 20

pytestmark = pytest.mark.django_db(transaction=True)


def package(name: str) -> ModuleType:
    """Import a package of somebody else's; where it is missing the test is skipped, with CI=true it fails."""
    try:
        return __import__(name)
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed: sh scripts/environment.sh dev .venv"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


async def exchange(socket: WebsocketCommunicator, content: Any) -> Any:
    await socket.send_json_to(content)
    return await socket.receive_json_from(timeout=TIMEOUT)


# --- channelsmultiplexer: several consumers behind one socket -----------------------------------------


class Doubles(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.send_json({"ready": "double"})

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json({"doubled": content["number"] * 2})


class Shouts(JsonWebsocketConsumer):
    groups = ["shouts"]

    def connect(self) -> None:
        self.accept()
        self.send_json({"ready": "shout"})

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json({"shout": content["text"].upper()})

    def told(self, event: Any) -> None:
        self.send_json({"told": event["text"]})


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_channelsmultiplexer() -> None:
    package("channelsmultiplexer")
    from channelsmultiplexer import AsyncJsonWebsocketDemultiplexer

    class Demultiplexer(AsyncJsonWebsocketDemultiplexer):
        applications = {"double": Doubles.as_asgi(), "shout": Shouts.as_asgi()}

    socket = WebsocketCommunicator(Demultiplexer.as_asgi(), "/")
    assert (await socket.connect(timeout=TIMEOUT))[0]
    ready = [(await socket.receive_json_from(timeout=TIMEOUT))["payload"]["ready"] for _ in range(2)]
    assert sorted(ready) == ["double", "shout"]
    assert await exchange(socket, {"stream": "shout", "payload": {"text": "hey"}}) == {
        "stream": "shout",
        "payload": {"shout": "HEY"},
    }
    assert await exchange(socket, {"stream": "double", "payload": {"number": 4}}) == {
        "stream": "double",
        "payload": {"doubled": 8},
    }
    await get_channel_layer().group_send("shouts", {"type": "told", "text": "all"})
    assert await socket.receive_json_from(timeout=TIMEOUT) == {"stream": "shout", "payload": {"told": "all"}}
    await socket.disconnect(timeout=TIMEOUT)
    assert not get_channel_layer().groups


# --- channels_auth_token_middlewares: AuthMiddleware with tokens ---------------------------------------


class Greets(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.send_json({"user": str(self.scope["user"])})


async def greeted(application: Any, headers: Any = (), path: str = "/") -> Any:
    socket = WebsocketCommunicator(application, path, headers=list(headers))
    assert (await socket.connect(timeout=TIMEOUT))[0]
    greeting = await socket.receive_json_from(timeout=TIMEOUT)
    await socket.disconnect(timeout=TIMEOUT)
    return greeting["user"]


async def test_channels_auth_token_middlewares() -> None:
    package("channels_auth_token_middlewares")
    from channels_auth_token_middlewares.middleware import (
        CookieAuthTokenMiddleware,
        HeaderAuthTokenMiddleware,
        QueryStringAuthTokenMiddleware,
    )

    from channels.sessions import CookieMiddleware

    class ByName:
        """Takes the name of a user for their token."""

        async def get_user_instance(self, token_key: str) -> Any:
            return await get_user_model().objects.filter(username=token_key).afirst()

    class ByHeader(ByName, HeaderAuthTokenMiddleware):
        header_name = "Authorization"
        keyword = "Token"

    class ByQuery(ByName, QueryStringAuthTokenMiddleware):
        query_param = "token"

    class ByCookie(ByName, CookieAuthTokenMiddleware):
        cookie_name = "token"

    await sync_to_async(get_user_model().objects.create_user)("ada")
    header = [(b"authorization", b"Token ada")]
    assert await greeted(ByHeader(Greets.as_asgi()), header) == "ada"
    assert await greeted(ByHeader(Greets.as_asgi())) == "AnonymousUser"
    assert await greeted(ByQuery(Greets.as_asgi()), path="/?token=ada") == "ada"
    cookie = [(b"cookie", b"token=ada")]
    assert await greeted(CookieMiddleware(ByCookie(Greets.as_asgi())), cookie) == "ada"


# --- djangochannelsrestframework: models over a socket, observed ---------------------------------------


@pytest.fixture
def signals_kept() -> Iterator[None]:
    """What observes models during the test observes no other test's."""
    signals = [signal for signal in vars(django.db.models.signals).values() if isinstance(signal, Signal)]
    receivers = [list(signal.receivers) for signal in signals]
    yield
    for signal, before in zip(signals, receivers, strict=True):
        signal.receivers = before
        signal.sender_receivers_cache.clear()


def users_consumer() -> Any:
    """The model of users over a socket, as that package's documentation writes it."""
    package("djangochannelsrestframework")
    package("rest_framework")
    from djangochannelsrestframework.decorators import action
    from djangochannelsrestframework.generics import GenericAsyncAPIConsumer
    from djangochannelsrestframework.mixins import CreateModelMixin, ListModelMixin
    from djangochannelsrestframework.observer.generics import ObserverModelInstanceMixin
    from rest_framework.serializers import ModelSerializer

    class UserSerializer(ModelSerializer):
        class Meta:
            model = get_user_model()
            fields = ["id", "username"]

    class Users(ListModelMixin, CreateModelMixin, ObserverModelInstanceMixin, GenericAsyncAPIConsumer):
        queryset = get_user_model().objects.order_by("id")
        serializer_class = UserSerializer
        permission_classes = ()

        @action()
        def shout(self, text: str, **kwargs: Any) -> Any:
            return {"shout": text.upper()}, 200

    return Users


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
@pytest.mark.usefixtures("signals_kept")
async def test_djangochannelsrestframework() -> None:
    socket = WebsocketCommunicator(users_consumer().as_asgi(), "/")
    assert (await socket.connect(timeout=TIMEOUT))[0]
    answer = await exchange(socket, {"action": "create", "request_id": 1, "data": {"username": "ada"}})
    assert (answer["response_status"], answer["data"]["username"]) == (201, "ada")
    key = answer["data"]["id"]
    answer = await exchange(socket, {"action": "list", "request_id": 2})
    assert answer["data"] == [{"id": key, "username": "ada"}]
    assert (await exchange(socket, {"action": "shout", "request_id": 3, "text": "hi"}))["data"] == {
        "shout": "HI"
    }
    answer = await exchange(socket, {"action": "subscribe_instance", "request_id": 4, "pk": key})
    assert answer["response_status"] == 201
    user = await get_user_model().objects.aget(pk=key)
    user.username = "ben"
    await user.asave()
    answer = await socket.receive_json_from(timeout=TIMEOUT)
    assert (answer["action"], answer["data"]) == ("update", {"id": key, "username": "ben"})
    assert (await exchange(socket, {"action": "unknown", "request_id": 5}))["response_status"] == 405
    await socket.disconnect(timeout=TIMEOUT)
    assert not get_channel_layer().groups
