from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import NoReverseMatch, Resolver404, include, path, re_path, resolve

from channels.consumer import AsyncConsumer
from channels.exceptions import RouteNotFound
from channels.middleware import BaseMiddleware
from channels.routing import (
    ChannelNameRouter,
    ProtocolTypeRouter,
    URLRouter,
    find_router,
    get_default_application,
    reverse,
)
from channels.sessions import SessionMiddlewareStack

#: In place of receive and send: these applications use neither.
UNUSED: Any = (None, None)


class App:
    """Answers with its name and what the router found."""

    def __init__(self, name="app"):
        self.name = name

    async def __call__(self, scope, receive, send):
        route = scope.get("url_route", {})
        return self.name, route.get("args"), route.get("kwargs"), scope.get("path_remaining")


async def get(router, path, **scope):
    return await router({"type": "websocket", "path": path, **scope}, *UNUSED)


ROUTER = URLRouter(
    [
        path("", App("root")),
        re_path(r"^positional/(\d+)/(\w+)/$", App()),
        re_path(r"^named/(?P<x>\d+)/(\w+)/$", App()),
        path("default/<int:y>/", App(), {"default": 5}, name="with-default"),
        path(
            "nested/", URLRouter([path("in/<str:z>/", App("inner"), name="inner"), re_path(r"^q/$", App())])
        ),
        re_path(
            r"^both/(?P<w>\d+)/",
            URLRouter([path("in/<int:z>/", App()), re_path(r"^(\d+)$", App())]),
            {"k": 1},
        ),
        re_path(r"^args/(\d+)/", URLRouter([re_path(r"^(\d+)$", App())])),
        path("nested/", URLRouter([path("second/", App("second"))])),
        path("wrapped/", BaseMiddleware(URLRouter([path("z/", App("behind"), name="behind")]))),
        path(
            "inc/",
            include(
                (
                    [
                        path("<slug:s>/", App("included"), name="slug"),
                        path("deep/", include([path("x/", App())])),
                    ],
                    "ns",
                )
            ),
            {"extra": True},
        ),
    ]
)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("/", ("root", (), {}, "")),
        ("", ("root", (), {}, "")),
        ("/positional/1/b/", ("app", ("1", "b"), {}, "")),
        ("/named/1/b/", ("app", (), {"x": "1"}, "")),
        ("/default/7/", ("app", (), {"y": 7, "default": 5}, "")),
        ("/nested/in/é/", ("inner", (), {"z": "é"}, "")),
        ("/nested/second/", ("second", (), {}, "")),
        ("/both/3/in/4/", ("app", (), {"w": "3", "k": 1, "z": 4}, "")),
        ("/both/3/9", ("app", ("9",), {"w": "3", "k": 1}, "")),
        ("/args/1/2", ("app", ("1", "2"), {}, "")),
        ("/wrapped/z/", ("behind", (), {}, "")),
        ("/inc/some-slug/", ("included", (), {"s": "some-slug", "extra": True}, "")),
        ("/inc/deep/x/", ("app", (), {"extra": True}, "")),
    ],
)
async def test_paths_find_their_application(url, found):
    assert await get(ROUTER, url) == found


@pytest.mark.parametrize("url", ["/nope/", "/nested/nope/", "/inc/", "/wrapped/no/", "/both/x/"])
async def test_no_route(url):
    with pytest.raises(ValueError, match="^No route found for path ") as caught:
        await get(ROUTER, url)
    assert isinstance(caught.value, RouteNotFound)
    assert caught.value.path == url.lstrip("/")
    assert "nested/in/<str:z>/" in caught.value.routes
    assert "inc/<slug:s>/" in caught.value.routes


async def test_a_router_inside_raises_what_lets_the_outer_one_go_on():
    with pytest.raises(Resolver404):
        await get(ROUTER, "/x", path_remaining="nope")
    assert (await get(ROUTER, "/x", path_remaining="nested/q/"))[0] == "app"


class Declines(AsyncConsumer):
    """Finds no page for what it was asked."""

    async def __call__(self, scope, receive, send):
        resolve("/nowhere/")


@pytest.mark.parametrize("wrap", [lambda app: app, BaseMiddleware])
async def test_another_route_that_fits_is_tried_after_a_resolver404(wrap):
    routes = [path("x/", wrap(Declines.as_asgi())), re_path("^x", App("second"))]
    assert (await get(URLRouter(routes), "/x/"))[0] == "second"


async def test_without_another_route_a_consumers_own_error_comes_out():
    with pytest.raises(Resolver404, match="nowhere"):
        await get(URLRouter([path("x/", Declines.as_asgi()), path("y/", App())]), "/x/")


async def test_a_router_that_cannot_be_seen_through_a_function_finds_no_route():
    hidden = URLRouter([path("in/", App("hidden"))])

    async def middleware(scope, receive, send):
        return await hidden(scope, receive, send)

    router = URLRouter([re_path("^out/", middleware)])
    assert (await get(router, "/out/in/"))[0] == "hidden"
    with pytest.raises(RouteNotFound):
        await get(router, "/out/nope/")


async def test_a_connection_routed_to_a_consumer_keeps_neither_router_nor_middleware():
    waiting, done = asyncio.Event(), asyncio.Event()

    class Waits(AsyncConsumer):
        async def __call__(self, scope, receive, send):
            waiting.set()
            await done.wait()

    inner = SessionMiddlewareStack(URLRouter([path("x/", Waits.as_asgi()), path("y/", App())]))
    scope = {"type": "websocket", "path": "/x/", "headers": [], "asgi": {}}
    task = asyncio.ensure_future(ProtocolTypeRouter({"websocket": inner})(scope, *UNUSED))
    await waiting.wait()
    names, here = [], task.get_coro()
    while hasattr(here, "cr_await"):
        names.append(here.__qualname__.rpartition("<locals>.")[2])
        here = here.cr_await
    assert names[:-1] == ["ProtocolTypeRouter.__call__", "Waits.__call__"]
    done.set()
    await task


async def test_a_scope_without_a_path():
    with pytest.raises(ValueError, match="No 'path' key in connection scope"):
        await ROUTER({"type": "websocket"}, *UNUSED)


@pytest.mark.parametrize(
    ("url", "root_path"),
    [("/root/nested/q/", "/root"), ("/root/nested/q/", "/root/"), ("/nested/q/", "/root")],
)
async def test_the_root_path_is_stripped_once(url, root_path):
    assert (await get(ROUTER, url, root_path=root_path))[0] == "app"


async def test_a_root_path_is_a_whole_part():
    with pytest.raises(ValueError, match="No route found for path 'rooted/'"):
        await get(URLRouter([path("ed/", App())]), "/rooted/", root_path="/root")
    assert (await get(URLRouter([path("", App())]), "/root", root_path="/root"))[0] == "app"


class Chat(AsyncConsumer):
    pass


@pytest.mark.parametrize(
    "forgotten",
    [Chat, Chat.as_asgi, SessionMiddlewareStack(Chat.as_asgi)],  # type: ignore[arg-type]
    ids=["class", "method", "behind middleware"],
)
@pytest.mark.parametrize(
    ("where", "made"),
    [
        ("Route x/", lambda application: URLRouter([path("x/", application)])),
        ("Protocol 'websocket'", lambda application: ProtocolTypeRouter({"websocket": application})),
        ("Channel 'work'", lambda application: ChannelNameRouter({"work": application})),
    ],
)
def test_a_consumer_without_as_asgi_is_not_an_application(forgotten, where, made):
    with pytest.raises(ImproperlyConfigured, match=rf"{where} leads to .*; write Chat\.as_asgi\(\)"):
        made(forgotten)
    made(Chat.as_asgi())


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "url"),
    [
        ("with-default", [7], None, "/default/7/"),
        ("inner", None, {"z": "room"}, "/nested/in/room/"),
        ("behind", None, None, "/wrapped/z/"),
        ("ns:slug", ["a-b"], None, "/inc/a-b/"),
    ],
)
def test_reverse(name, args, kwargs, url):
    assert ROUTER.reverse(name, args=args, kwargs=kwargs) == url


def test_reverse_of_what_is_not_there():
    with pytest.raises(NoReverseMatch):
        ROUTER.reverse("nothing")


def test_reverse_is_about_paths_below_the_root():
    from django.urls import set_script_prefix

    set_script_prefix("/under/")
    try:
        assert ROUTER.reverse("behind") == "/wrapped/z/"
    finally:
        set_script_prefix("/")


application = ProtocolTypeRouter({"websocket": BaseMiddleware(ROUTER)})
plain = App()


@override_settings(ASGI_APPLICATION=f"{__name__}.application")
def test_reverse_in_the_default_application():
    assert get_default_application() is application
    assert reverse("inner", kwargs={"z": "room"}) == "/nested/in/room/"
    with pytest.raises(ImproperlyConfigured, match="no URLRouter for 'http'"):
        reverse("inner", protocol="http")


@override_settings(ASGI_APPLICATION=f"{__name__}.plain")
def test_reverse_without_a_router():
    with pytest.raises(ImproperlyConfigured, match="no URLRouter"):
        reverse("inner")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Cannot find ASGI_APPLICATION setting"),
        ("nowhere.application", "Cannot import ASGI_APPLICATION module 'nowhere'"),
        ("word", "Cannot find ASGI_APPLICATION setting.*it is 'word'"),
        (f"{__name__}.nothing", f"Cannot find 'nothing' in ASGI_APPLICATION module {__name__}"),
    ],
)
def test_a_default_application_that_is_not_there(value, text):
    with override_settings(ASGI_APPLICATION=value), pytest.raises(ImproperlyConfigured, match=text):
        get_default_application()


def test_find_router_gives_up_where_there_is_none():
    assert find_router(object()) is None
    assert find_router(None) is None
    assert find_router(BaseMiddleware(BaseMiddleware(ROUTER))) is ROUTER


async def test_protocols():
    router = ProtocolTypeRouter({"websocket": App("ws"), "http": App("page")})
    assert (await router({"type": "websocket"}, *UNUSED))[0] == "ws"
    assert (await router({"type": "http"}, *UNUSED))[0] == "page"
    with pytest.raises(ValueError, match="No application configured for scope type 'lifespan'"):
        await router({"type": "lifespan"}, *UNUSED)


class Peer:
    def __init__(self, *messages):
        self.messages = list(messages)
        self.sent = []

    async def receive(self):
        return self.messages.pop(0) if self.messages else await asyncio.Event().wait()

    async def send(self, message):
        self.sent.append(message)


async def test_a_missing_http_application_is_django():
    peer = Peer({"type": "http.request", "body": b"", "more_body": False})
    scope = {"type": "http", "method": "GET", "path": "/missing", "query_string": b"", "headers": []}
    await ProtocolTypeRouter({})(scope, peer.receive, peer.send)
    assert peer.sent[0]["status"] == 404
    assert b"Not Found" in peer.sent[1]["body"]


async def test_on_the_wire_no_route_is_a_404_and_one_line(caplog):
    peer = Peer({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": "/nope/", "asgi": {"version": "3.0"}}
    scope["extensions"] = {"websocket.http.response": {}}
    with caplog.at_level(logging.INFO):
        await application(scope, peer.receive, peer.send)
    assert [message["type"] for message in peer.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert peer.sent[0]["status"] == 404
    (record,) = caplog.records
    assert "'nope/'" in record.getMessage()
    assert "default/<int:y>/" in record.getMessage()


async def test_a_scope_that_no_server_made_gets_the_error():
    with pytest.raises(ValueError, match="No route found"):
        await get(application, "/nope/")


async def test_channel_names():
    router = ChannelNameRouter({"known": App("worker")})
    assert (await router({"type": "channel", "channel": "known"}, *UNUSED))[0] == "worker"
    with pytest.raises(ValueError, match="No application configured for channel name 'unknown'"):
        await router({"type": "channel", "channel": "unknown"}, *UNUSED)
    with pytest.raises(ValueError, match="without a 'channel' key"):
        await router({"type": "channel"}, *UNUSED)


async def test_routes_may_be_changed_later():
    router = URLRouter([])
    with pytest.raises(RouteNotFound):
        await router({"type": "websocket", "path": "/later/"}, *UNUSED)

    async def application(scope, receive, send):
        return scope["path_remaining"]

    router.routes.append(path("later/", application))
    assert await router({"type": "websocket", "path": "/later/"}, *UNUSED) == ""
    assert router.describe() == ["later/"]
