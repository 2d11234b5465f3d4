"""What users override, set and replace: all of it is honoured.

These tests pass with the originals as well, unless they say otherwise.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import override_settings
from django.urls import path

from channels.auth import AuthMiddleware, AuthMiddlewareStack
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import AcceptConnection, StopConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from channels.layers import get_channel_layer
from channels.middleware import BaseMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware, InstanceSessionWrapper, SessionMiddleware
from channels.testing import HttpCommunicator, WebsocketCommunicator
from tests.compat.echoes import IN_MEMORY, TIMEOUT, Echo, SyncEcho, connected, said

pytestmark = pytest.mark.django_db(transaction=True)


# --- consumers -------------------------------------------------------------------------------------------


async def test_dispatch_sees_every_message() -> None:
    class Watched(Echo):
        async def dispatch(self, message: Any) -> None:
            seen.append(message["type"])
            await super().dispatch(message)

    class SyncWatched(SyncEcho):
        @database_sync_to_async
        def dispatch(self, message: Any) -> None:
            seen.append(message["type"])
            getattr(self, message["type"].replace(".", "_"))(message)

    for consumer in (Watched, SyncWatched):
        seen: list[str] = []
        assert await said(consumer.as_asgi()) == "x"
        assert seen == ["websocket.connect", "websocket.receive", "websocket.disconnect"]


async def test_an_async_dispatch_around_a_sync_consumer() -> None:
    class Timed(SyncEcho):
        async def dispatch(self, message: Any) -> None:
            seen.append(message["type"])
            await super().dispatch(message)

    seen: list[str] = []
    assert await said(Timed.as_asgi()) == "x"
    assert len(seen) == 3


async def test_send_can_be_wrapped() -> None:
    class Shouts(Echo):
        async def send(self, text_data: Any = None, bytes_data: Any = None, close: Any = False) -> None:
            await super().send(text_data=text_data.upper(), close=close)

    class SyncShouts(SyncEcho):
        def send(self, text_data: Any = None, bytes_data: Any = None, close: Any = False) -> None:  # type: ignore[override]
            super().send(text_data=text_data.upper(), close=close)

    class RawShouts(AsyncConsumer):
        async def websocket_connect(self, message: Any) -> None:
            await self.send({"type": "websocket.accept"})

        async def websocket_receive(self, message: Any) -> None:
            await self.send({"type": "websocket.send", "text": message["text"]})

        async def websocket_disconnect(self, message: Any) -> None:
            raise StopConsumer

        async def send(self, message: Any) -> None:
            if "text" in message:
                message["text"] = message["text"].upper()
            await super().send(message)

    for consumer in (Shouts, SyncShouts, RawShouts):
        assert await said(consumer.as_asgi(), "quiet") == "QUIET"


async def test_base_send_can_be_replaced() -> None:
    class Recorded(Echo):
        async def connect(self) -> None:
            inner = self.base_send

            async def recording(message: Any) -> None:
                sent.append(message["type"])
                await inner(message)

            self.base_send = recording
            await self.accept()

    sent: list[str] = []
    assert await said(Recorded.as_asgi()) == "x"
    assert sent == ["websocket.accept", "websocket.send"]


async def test_the_asgi_handlers_can_be_extended() -> None:
    class Extended(Echo):
        async def websocket_connect(self, message: Any) -> None:
            order.append("before")
            await super().websocket_connect(message)
            order.append("after")

        async def connect(self) -> None:
            order.append("connect")
            await super().connect()

        async def websocket_receive(self, message: Any) -> None:
            await super().websocket_receive({**message, "text": message["text"] * 2})

        async def websocket_disconnect(self, message: Any) -> None:
            try:
                await super().websocket_disconnect(message)
            finally:
                order.append("gone")

    order: list[str] = []
    assert await said(Extended.as_asgi()) == "xx"
    assert order == ["before", "connect", "after", "gone"]


async def test_call_can_be_extended() -> None:
    class Prepared(Echo):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.scope = dict(scope, prepared=True)  # type: ignore[assignment]

            async def marked(message: Any) -> None:
                if message["type"] == "websocket.send":
                    message = {**message, "text": f"marked {message['text']}"}
                await send(message)

            async def doubled() -> Any:
                message = await receive()
                return {**message, "text": message["text"] * 2} if message.get("text") else message

            await super().__call__(dict(self.scope), doubled, marked)

    assert await said(Prepared.as_asgi()) == "marked xx"


async def test_as_asgi_can_be_overridden() -> None:
    class Named(Echo):
        @classmethod
        def as_asgi(cls, **initkwargs: Any) -> Any:
            application = super().as_asgi(**initkwargs)
            application.label = "mine"  # type: ignore[attr-defined]
            return application

    application = Named.as_asgi()
    assert (application.label, application.consumer_class) == ("mine", Named)
    assert await said(application) == "x"


async def test_an_instance_is_an_application_too() -> None:
    assert await said(Echo()) == "x"


@override_settings(CHANNEL_LAYERS={**IN_MEMORY, "other": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
async def test_the_alias_of_the_layer() -> None:
    class Other(Echo):
        channel_layer_alias = "other"
        groups = ["g"]

        async def told(self, event: Any) -> None:
            await self.send(text_data=event["text"])

    socket = await connected(Other.as_asgi())
    assert "g" in get_channel_layer("other").groups
    assert "g" not in get_channel_layer().groups
    await get_channel_layer("other").group_send("g", {"type": "told", "text": "by other"})
    assert await socket.receive_from(timeout=TIMEOUT) == "by other"
    await socket.disconnect(timeout=TIMEOUT)


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
@pytest.mark.parametrize("base", [AsyncWebsocketConsumer, WebsocketConsumer])
async def test_groups_as_a_property_and_set_on_the_instance(base: Any) -> None:
    # A property that needs the scope fails with the originals: they look before there is one.
    def by_path(self: Any) -> list[str]:
        return ["room-" + self.scope["path"].strip("/")]

    def with_argument(self: Any, room: str) -> None:
        base.__init__(self)
        self.groups = [f"room-{room}"]

    by_property: Any = type("ByProperty", (base,), {"groups": property(by_path)})
    by_instance: Any = type("ByInstance", (base,), {"__init__": with_argument})
    for application in (by_property.as_asgi(), by_instance.as_asgi(room="seven")):
        socket = await connected(application, "/seven/")
        assert list(get_channel_layer().groups) == ["room-seven"]
        await socket.disconnect(timeout=TIMEOUT)
        assert not get_channel_layer().groups


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_groups_of_an_instance_are_its_own() -> None:
    first, second = Echo(), Echo()
    assert first.groups == []
    first.groups.append("only mine")
    assert second.groups == []
    assert Echo.groups is None


@override_settings(CHANNEL_LAYERS=IN_MEMORY)
async def test_channel_receive_is_there() -> None:
    class Pulls(Echo):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            assert isinstance(self.channel_receive, functools.partial)
            await self.channel_layer.send(self.channel_name, {"type": "told", "text": "told"})

        async def told(self, event: Any) -> None:
            await self.send(text_data=event["text"])

    assert await said(Pulls.as_asgi()) == "told"


async def test_what_calls_send_close_and_accept() -> None:
    class Json(AsyncJsonWebsocketConsumer):
        async def connect(self) -> None:
            raise AcceptConnection

        async def accept(self, *args: Any, **kwargs: Any) -> None:
            calls.append("accept")
            await super().accept(*args, **kwargs)

        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            await self.send_json(content)
            await self.send(text_data="[]", close=4001)

        async def send(self, *args: Any, **kwargs: Any) -> None:
            calls.append("send")
            await super().send(*args, **kwargs)

        async def close(self, code: Any = None, reason: Any = None) -> None:
            calls.append(f"close {code}")
            await super().close(code=code, reason=reason)

    calls: list[str] = []
    assert await said(Json.as_asgi(), "[1]") == "[1]"
    assert calls == ["accept", "send", "close 4001"]


async def test_what_an_http_consumer_calls() -> None:
    class Counts(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_response(200, b"")

        async def send_headers(self, **kwargs: Any) -> None:
            calls.append("headers")
            await super().send_headers(**kwargs)

        async def send_body(self, body: bytes, **kwargs: Any) -> None:
            calls.append("body")
            await super().send_body(body, **kwargs)

        async def send(self, message: Any) -> None:
            calls.append(message["type"])
            await super().send(message)

        async def disconnect(self) -> None:
            calls.append("disconnect")

    calls: list[str] = []
    http = HttpCommunicator(Counts.as_asgi(), "GET", "/")
    assert (await http.get_response(timeout=TIMEOUT))["status"] == 200
    await http.wait(timeout=TIMEOUT)
    assert calls == ["headers", "http.response.start", "body", "http.response.body", "disconnect"]


async def test_attributes_and_mixins_stay() -> None:
    class Mixin:
        prefix = "from the mixin"

        async def answer(self, text: Any) -> None:
            await self.send(text_data=f"{self.prefix} {self.scope['path']} {text}")  # type: ignore[attr-defined]

    class Mixed(Mixin, Echo):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.answer(text_data)

    assert await said(Mixed.as_asgi()) == "from the mixin / x"


async def test_receive_with_fewer_arguments() -> None:
    class TextOnly(AsyncWebsocketConsumer):
        async def receive(self, text_data: str) -> None:  # type: ignore[override]
            await self.send(text_data)

    class Json(AsyncJsonWebsocketConsumer):
        async def receive_json(self, content: Any) -> None:
            await self.send_json(content)

    assert await said(TextOnly.as_asgi()) == "x"
    assert json.loads(await said(Json.as_asgi(), '{"a":1}')) == {"a": 1}


async def test_a_handler_that_is_an_attribute() -> None:
    class Bound(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.custom_event = self.handle_custom

        async def handle_custom(self, message: Any) -> None:
            await self.send(text_data=message["text"])

    socket = await connected(Bound.as_asgi())
    await socket.send_input({"type": "custom.event", "text": "by attribute"})
    assert await socket.receive_from(timeout=TIMEOUT) == "by attribute"
    await socket.disconnect(timeout=TIMEOUT)


async def test_an_http_consumer_with_its_own_request_handler() -> None:
    class Streams(AsyncHttpConsumer):
        async def http_request(self, message: Any) -> None:
            await self.send_headers(status=202, headers=[(b"x", b"y")])
            await self.send_body(message["body"], more_body=False)
            raise StopConsumer

    response = await HttpCommunicator(Streams.as_asgi(), "POST", "/", body=b"now").get_response(
        timeout=TIMEOUT
    )
    assert (response["status"], response["body"]) == (202, b"now")


# --- middleware, routers, validators -----------------------------------------------------------------------


async def test_middleware_wraps_receive_and_send() -> None:
    class Uppers(BaseMiddleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def upper_receive() -> Any:
                message = await receive()
                return {**message, "text": message["text"].upper()} if message.get("text") else message

            return await super().__call__({**scope, "seen": True}, upper_receive, send)

    assert await said(Uppers(Echo.as_asgi()), "quiet") == "QUIET"


async def test_populate_scope_and_resolve_scope() -> None:
    class Everybody(AuthMiddleware):
        def populate_scope(self, scope: Any) -> None:
            scope["user"] = None

        async def resolve_scope(self, scope: Any) -> None:
            scope["user"] = f"user of {scope['path']}"

    class Who(Echo):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data=str(self.scope["user"]))

    assert await said(Everybody(Who.as_asgi()), path="/x") == "user of /x"


async def test_resolve_scope_with_the_lazy_user() -> None:
    class Anonymous(AuthMiddleware):
        async def resolve_scope(self, scope: Any) -> None:
            scope["user"]._wrapped = AnonymousUser()

    class Who(Echo):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data=str(self.scope["user"].is_anonymous))

    assert await said(CookieMiddleware(SessionMiddleware(Anonymous(Who.as_asgi())))) == "True"


@pytest.mark.parametrize("method", ["valid_origin", "validate_origin", "match_allowed_origin"])
async def test_the_methods_of_the_origin_validator(method: str) -> None:
    class Ours(OriginValidator):
        pass

    setattr(Ours, method, lambda self, parsed, pattern=None: parsed.hostname.startswith("good"))
    application = Ours(Echo.as_asgi(), ["whatever.com"])
    for origin, enters in ((b"http://good.org", True), (b"http://bad.org", False)):
        socket = WebsocketCommunicator(application, "/", headers=[(b"origin", origin)])
        assert (await socket.connect(timeout=TIMEOUT))[0] is enters


async def test_allowed_origins_are_read_late() -> None:
    application = OriginValidator(Echo.as_asgi(), ["a.com"])
    headers = [(b"origin", b"http://b.com")]
    assert not (await WebsocketCommunicator(application, "/", headers=headers).connect(timeout=TIMEOUT))[0]
    application.allowed_origins = ["b.com"]
    assert (await WebsocketCommunicator(application, "/", headers=headers).connect(timeout=TIMEOUT))[0]


async def test_routers_can_be_extended_and_changed_later() -> None:
    class Logged(URLRouter):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            paths.append(scope["path"])
            return await super().__call__(scope, receive, send)

    class Both(ProtocolTypeRouter):
        def __init__(self, routes: Any) -> None:
            super().__init__({"websocket": AuthMiddlewareStack(Logged(routes))})

    paths: list[str] = []
    router: Any = Both([path("a/", Echo.as_asgi())])
    assert await said(router, path="/a/") == "x"
    assert paths == ["/a/"]
    router.application_mapping["websocket"] = SyncEcho.as_asgi()
    assert await said(router, path="/other/") == "x"


async def test_routes_added_later() -> None:
    router = URLRouter([path("a/", Echo.as_asgi())])
    router.routes.append(path("b/", Echo.as_asgi()))
    assert await said(router, path="/b/") == "x"


async def test_what_a_session_wrapper_saves_on() -> None:
    class Wrapper(InstanceSessionWrapper):
        save_message_types = [*InstanceSessionWrapper.save_message_types, "websocket.send"]

        async def save_session(self) -> None:
            saves.append(self.scope["path"])
            await database_sync_to_async(self.scope["session"].save)()

    class Writes(Echo):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            self.scope["session"]["x"] = text_data
            await self.send(text_data="written")

    async def application(scope: Any, receive: Any, send: Any) -> Any:
        wrapper = Wrapper(scope, send)
        await wrapper.resolve_session()
        return await Writes.as_asgi()(wrapper.scope, receive, wrapper.send)

    saves: list[str] = []
    assert await said(CookieMiddleware(application), path="/s") == "written"
    assert saves == ["/s"]
