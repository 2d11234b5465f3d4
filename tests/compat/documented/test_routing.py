"""What the documentation of Channels says of routing, sessions, authentication and security.

These tests pass with the originals as well.
"""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import path, re_path

from channels.auth import AuthMiddleware, AuthMiddlewareStack, get_user, login, logout
from channels.db import database_sync_to_async
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.middleware import BaseMiddleware
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter, get_default_application
from channels.security.websocket import AllowedHostsOriginValidator, OriginValidator
from channels.sessions import CookieMiddleware, SessionMiddleware, SessionMiddlewareStack
from channels.testing import HttpCommunicator, WebsocketCommunicator

TIMEOUT = 20

pytestmark = pytest.mark.django_db(transaction=True)

#: django-stubs knows routes that lead to views only.
PAGES: Any = get_asgi_application()


class Tells(AsyncWebsocketConsumer):
    """Sends what ``tell`` finds in the scope."""

    def __init__(self, tell: Any = lambda scope: scope["url_route"]["kwargs"]) -> None:
        super().__init__()
        self.tell = tell

    async def connect(self) -> None:
        await self.accept()
        await self.send(text_data=str(self.tell(self.scope)))


async def told(application: Any, path: str, **options: Any) -> str:
    socket = WebsocketCommunicator(application, path, **options)
    assert (await socket.connect(timeout=TIMEOUT))[0]
    text = await socket.receive_from(timeout=TIMEOUT)
    await socket.disconnect(timeout=TIMEOUT)
    return str(text)


def arguments(scope: Any) -> Any:
    return scope["url_route"]["args"], scope["url_route"]["kwargs"]


class LongPoll(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        await self.send_response(200, b"polled")


async def test_the_routing_of_the_topic_guide() -> None:
    application = ProtocolTypeRouter(
        {
            "http": URLRouter([path("longpoll/", LongPoll.as_asgi()), re_path(r"", PAGES)]),
            "websocket": AuthMiddlewareStack(
                URLRouter(
                    [
                        re_path(r"^front(end)/$", Tells.as_asgi(tell=arguments)),
                        path("stream/<int:number>/", Tells.as_asgi(tell=arguments)),
                    ]
                )
            ),
            "channel": ChannelNameRouter({"thumbnails-generate": Tells.as_asgi()}),
        }
    )
    assert await told(application, "/frontend/") == "(('end',), {})"
    assert await told(application, "/stream/5/") == "((), {'number': 5})"
    response = await HttpCommunicator(application, "GET", "/longpoll/").get_response(timeout=TIMEOUT)
    assert response["body"] == b"polled"
    response = await HttpCommunicator(application, "GET", "/nowhere/").get_response(timeout=TIMEOUT)
    assert response["status"] == 404


async def test_named_groups_hide_unnamed_ones() -> None:
    router = URLRouter([re_path(r"^stream/(?P<kind>\w+)/(\d+)/$", Tells.as_asgi())])
    assert await told(router, "/stream/video/5/") == "{'kind': 'video'}"


async def test_nested_routers() -> None:
    inner = URLRouter([path("<int:room>/", Tells.as_asgi(tell=arguments))])
    router = URLRouter([path("<slug:site>/chat/", inner), path("other/", AuthMiddlewareStack(inner))])
    assert await told(router, "/main/chat/4/") == "((), {'site': 'main', 'room': 4})"
    assert await told(router, "/other/8/") == "((), {'room': 8})"


@pytest.mark.parametrize("outer", ["site", "site/"])
@pytest.mark.parametrize("kind", [path, re_path])
async def test_the_slash_between_two_routers_is_nobodys(kind: Any, outer: str) -> None:
    inner = URLRouter([path("<int:room>/", Tells.as_asgi(tell=arguments))])
    assert await told(URLRouter([kind(outer, inner)]), "/site/4/") == "((), {'room': 4})"


async def test_default_arguments_of_a_route() -> None:
    router = URLRouter([path("room/", Tells.as_asgi(), {"room": "default"})])
    assert await told(router, "/room/") == "{'room': 'default'}"


async def test_a_path_without_a_route() -> None:
    router = URLRouter([path("known/", Tells.as_asgi())])
    with pytest.raises(ValueError, match="No route found for path"):
        await WebsocketCommunicator(router, "/unknown/").connect(timeout=TIMEOUT)


async def test_an_unknown_protocol_and_an_unknown_channel() -> None:
    with pytest.raises(ValueError, match="No application configured for scope type"):
        await WebsocketCommunicator(ProtocolTypeRouter({}), "/").connect(timeout=TIMEOUT)
    for scope in ({"type": "channel", "channel": "other"}, {"type": "channel"}):
        with pytest.raises(ValueError, match="channel"):
            await ChannelNameRouter({"known": Tells.as_asgi()})(scope, None, None)  # type: ignore[arg-type]


def test_the_default_application() -> None:
    with override_settings(ASGI_APPLICATION=f"{__name__}.AN_APPLICATION"):
        assert get_default_application() is AN_APPLICATION
    for missing in (None, "asgi"):
        with (
            override_settings(ASGI_APPLICATION=missing),
            pytest.raises(ImproperlyConfigured, match=r"^Cannot find ASGI_APPLICATION setting\."),
        ):
            get_default_application()
    for wrong in ("no.such.module", f"{__name__}.NOTHING"):
        with override_settings(ASGI_APPLICATION=wrong), pytest.raises(ImproperlyConfigured):
            get_default_application()


AN_APPLICATION = ProtocolTypeRouter({})


class QueryAuthMiddleware:
    """The middleware of the guide on authentication: a plain ASGI class around an application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        scope["user"] = await self.get_user(int(scope["query_string"]))
        return await self.app(scope, receive, send)

    @database_sync_to_async
    def get_user(self, user_id: int) -> Any:
        try:
            return get_user_model().objects.get(id=user_id)
        except get_user_model().DoesNotExist:
            return AnonymousUser()


class TokenMiddleware(BaseMiddleware):
    """The same on BaseMiddleware."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        scope = dict(scope)
        scope["token"] = dict(scope["headers"]).get(b"authorization", b"").decode()
        return await super().__call__(scope, receive, send)


async def make_user(name: str = "ada") -> Any:
    return await database_sync_to_async(get_user_model().objects.create_user)(name, password="pw")


async def test_custom_authentication() -> None:
    user = await make_user()
    application = QueryAuthMiddleware(Tells.as_asgi(tell=lambda scope: scope["user"]))
    assert await told(application, f"/?{user.pk}") == "ada"
    assert await told(application, f"/?{user.pk + 1}") == "AnonymousUser"


async def test_base_middleware() -> None:
    application = TokenMiddleware(Tells.as_asgi(tell=lambda scope: scope["token"]))
    consumer: Any = application.inner
    assert consumer.consumer_class is Tells
    assert await told(application, "/", headers=[(b"authorization", b"Token abc")]) == "Token abc"


def make_session(**content: Any) -> Any:
    session = SessionStore()
    session.update(content)
    session.save()
    return session


def cookies(**values: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", "; ".join(f"{key}={value}" for key, value in values.items()).encode())]


async def test_cookies_and_session_in_the_scope() -> None:
    session = await database_sync_to_async(make_session)(seats=3)

    class Seats(WebsocketConsumer):
        def connect(self) -> None:
            self.accept()
            self.send(text_data=f"{self.scope['session']['seats']} {self.scope['cookies']['theme']}")
            self.scope["session"]["seats"] += 1
            self.scope["session"].save()

    for application in (
        SessionMiddlewareStack(Seats.as_asgi()),
        CookieMiddleware(SessionMiddleware(Seats.as_asgi())),
    ):
        headers = cookies(sessionid=session.session_key, theme="dark")
        assert (await told(application, "/", headers=headers)).endswith(" dark")
    again = await database_sync_to_async(SessionStore(session.session_key).load)()
    assert again["seats"] == 5


async def test_an_http_response_saves_the_session_and_sets_the_cookie() -> None:
    class Writes(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            self.scope["session"]["seen"] = True
            await self.send_response(200, b"done")

    http = HttpCommunicator(SessionMiddlewareStack(Writes.as_asgi()), "GET", "/")
    response = await http.get_response(timeout=TIMEOUT)
    header = dict(response["headers"])[b"Set-Cookie"].decode()
    key = header.split(";")[0].partition("=")[2]
    assert header.startswith(settings.SESSION_COOKIE_NAME)
    assert (await database_sync_to_async(SessionStore(key).load)())["seen"] is True


class Logs(AsyncWebsocketConsumer):
    """The consumer of the guide: log in over the socket."""

    async def connect(self) -> None:
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "in":
            user = await database_sync_to_async(get_user_model().objects.get)(username="ada")
            await login(self.scope, user)
            await database_sync_to_async(self.scope["session"].save)()
        elif text_data == "out":
            await logout(self.scope)
        user = await get_user(self.scope)
        await self.send(text_data=f"{self.scope['user']} {user} {user.is_authenticated}")


async def test_login_and_logout_over_a_websocket() -> None:
    await make_user()
    socket = WebsocketCommunicator(AuthMiddlewareStack(Logs.as_asgi()), "/")
    assert (await socket.connect(timeout=TIMEOUT))[0]
    for command, answer in (
        ("who", "AnonymousUser AnonymousUser False"),
        ("in", "ada ada True"),
        ("out", "AnonymousUser AnonymousUser False"),
    ):
        await socket.send_to(text_data=command)
        assert await socket.receive_from(timeout=TIMEOUT) == answer
    await socket.disconnect(timeout=TIMEOUT)


async def test_login_in_a_sync_consumer() -> None:
    await make_user()

    class SyncLogs(WebsocketConsumer):
        def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            user = get_user_model().objects.get(username="ada")
            async_to_sync(login)(self.scope, user)
            self.scope["session"].save()
            self.send(text_data=str(self.scope["user"]))

    socket = WebsocketCommunicator(AuthMiddlewareStack(SyncLogs.as_asgi()), "/")
    assert (await socket.connect(timeout=TIMEOUT))[0]
    await socket.send_to(text_data="in")
    assert await socket.receive_from(timeout=TIMEOUT) == "ada"
    await socket.disconnect(timeout=TIMEOUT)


async def test_the_user_of_a_session_is_in_the_scope() -> None:
    user = await make_user()
    scope: dict[str, Any] = {"type": "http", "session": SessionStore(), "user": AnonymousUser()}
    await login(scope, user)
    await database_sync_to_async(scope["session"].save)()
    headers = cookies(sessionid=scope["session"].session_key)
    application = AuthMiddlewareStack(Tells.as_asgi(tell=lambda scope: scope["user"]))
    assert await told(application, "/", headers=headers) == "ada"


async def test_auth_middleware_needs_a_session() -> None:
    with pytest.raises(ValueError, match="session"):
        await WebsocketCommunicator(AuthMiddleware(Tells.as_asgi()), "/").connect(timeout=TIMEOUT)


def from_origin(application: Any, origin: str | None) -> Any:
    headers = [(b"origin", origin.encode())] if origin else []
    return WebsocketCommunicator(application, "/", headers=headers).connect(timeout=TIMEOUT)


class Open(AsyncWebsocketConsumer):
    """Lets everybody in."""


@pytest.mark.parametrize(
    ("origin", "enters"),
    [
        ("http://allowed-domain.com", True),
        ("https://allowed-domain.com:8443", True),
        ("http://sub.goodsite.com", True),
        ("http://goodsite.com:80", True),
        ("https://goodsite.com", False),
        ("http://goodsite.com:8080", False),
        ("http://evil.com", False),
        (None, False),
    ],
)
async def test_the_origin_validator(origin: str | None, enters: bool) -> None:
    application = OriginValidator(Open.as_asgi(), ["allowed-domain.com", "http://.goodsite.com:80"])
    assert (await from_origin(application, origin))[0] is enters


async def test_all_origins() -> None:
    application = OriginValidator(Open.as_asgi(), ["*"])
    assert (await from_origin(application, "http://any.where"))[0]
    assert (await from_origin(application, None))[0]


async def test_allowed_hosts_as_origins() -> None:
    with override_settings(ALLOWED_HOSTS=["mysite.com"]):
        application = AllowedHostsOriginValidator(Open.as_asgi())
        assert (await from_origin(application, "https://mysite.com"))[0]
        assert not (await from_origin(application, "https://other.com"))[0]
    with override_settings(ALLOWED_HOSTS=[], DEBUG=True):
        application = AllowedHostsOriginValidator(Open.as_asgi())
        assert (await from_origin(application, "http://localhost:8000"))[0]
        assert not (await from_origin(application, "https://other.com"))[0]


async def test_the_validator_is_for_websockets_only() -> None:
    application = OriginValidator(LongPoll.as_asgi(), ["*"])
    with pytest.raises(ValueError, match="non-WebSocket"):
        await HttpCommunicator(application, "GET", "/").get_response(timeout=TIMEOUT)
