"""The routes of requests and handshakes, as Django and URLRouter have them; whose trace they go on with."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
from django.core.asgi import get_asgi_application
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path
from django.urls.exceptions import Resolver404

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.observability.tracing.setup import instrument, traced, uninstrument
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import HttpCommunicator, WebsocketCommunicator
from tests.observability.tracing.spans import TRACEPARENT, UNSAMPLED, Spans, ids, linked, parent


def view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("ok")


async def aview(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("ok")


more = [path("<int:number>/", view), path("async/<slug:name>/", aview)]
urlpatterns = [path("items/", include(more)), re_path(r"^old/(?P<name>\w+)/$", view)]


async def asked(app: Any, url: str, *headers: tuple[bytes, bytes]) -> None:
    client = HttpCommunicator(app, "GET", url, headers=list(headers))
    await client.get_response()
    await client.wait()


class Echo(AsyncWebsocketConsumer):
    pass


async def elsewhere(scope: Any, receive: Any, send: Any) -> Any:
    raise Resolver404


inner: Any = URLRouter([path("one/<int:number>/", Echo.as_asgi()), re_path(r"two/(\d+)/$", Echo.as_asgi())])
nowhere: Any = URLRouter([re_path("one", cast(Any, elsewhere))])
#: The first route of /ws/ leads nowhere, and the next one is tried.
sockets = URLRouter(
    [
        path("ws/", nowhere),
        path("ws/", inner),
        path("<path:any>", Echo.as_asgi()),
    ]
)


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("/items/7/", "items/<int:number>/"),
        ("/items/async/name/", "items/async/<slug:name>/"),
        ("/old/name/", r"^old/(?P<name>\w+)/$"),
        ("/nowhere/", None),
    ],
)
async def test_the_route_of_a_view(spans: Spans, url: str, route: str | None) -> None:
    app = traced(ProtocolTypeRouter({"http": get_asgi_application()}), spans.provider)
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        await asked(app, url)
    span = spans.one("GET" if route is None else f"GET {route}")
    assert span.attributes is not None
    assert span.attributes.get("http.route") == route
    assert span.attributes["http.response.status_code"] == (404 if route is None else 200)


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("/ws/one/7/", "ws/one/<int:number>/"),
        ("/ws/two/7/", r"ws/two/(\d+)/$"),
        ("/other/", "<path:any>"),
    ],
)
async def test_the_route_of_a_handshake(spans: Spans, url: str, route: str) -> None:
    client = WebsocketCommunicator(traced(sockets, spans.provider), url)
    assert (await client.connect())[0]
    span = spans.one(f"GET {route}")
    assert span.attributes is not None
    assert span.attributes["http.route"] == route
    await client.disconnect()


def test_django_is_as_it_was_when_nothing_is_traced_any_more(spans: Spans) -> None:
    before = BaseHandler.resolve_request
    instrument(spans.provider)
    assert BaseHandler.resolve_request is not before
    uninstrument()
    assert BaseHandler.resolve_request is before


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize(
    ("incoming", "goes_on", "links"), [("parent", True, 0), ("link", False, 1), ("ignore", False, 0)]
)
async def test_what_becomes_of_the_trace_of_a_client(
    spans: Spans, incoming: Any, goes_on: bool, links: int
) -> None:
    await asked(traced(app, spans.provider, incoming=incoming), "/", (b"traceparent", TRACEPARENT.encode()))
    span = spans.one("GET")
    assert (ids(span)[0] == TRACEPARENT[3:35]) is goes_on
    assert (parent(span), len(linked(span))) == (TRACEPARENT[36:52] if goes_on else "", links)


@pytest.mark.parametrize(("incoming", "recorded"), [("parent", []), ("link", ["GET"]), ("ignore", ["GET"])])
async def test_only_a_trace_that_goes_on_may_keep_a_request_from_being_recorded(
    spans: Spans, incoming: Any, recorded: list[str]
) -> None:
    await asked(traced(app, spans.provider, incoming=incoming), "/", (b"traceparent", UNSAMPLED.encode()))
    assert spans.names() == recorded


def test_another_word_is_refused(spans: Spans) -> None:
    with pytest.raises(ValueError, match="'trust'; it is one of parent, link, ignore"):
        traced(app, spans.provider, incoming="trust")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"traceparent", b"nonsense")],
        [(b"traceparent", b"\xff" * 5_000)],
        [(b"baggage", b"a=" + b"x" * 9_000)],
        [(b"traceparent", TRACEPARENT.encode()), (b"traceparent", UNSAMPLED.encode())],
    ],
)
async def test_hostile_headers_begin_a_trace_of_its_own_and_fill_no_log(
    spans: Spans, headers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await asked(traced(app, spans.provider), "/", *headers)
    assert caplog.records == []
    assert (parent(spans.one("GET")), linked(spans.one("GET"))) == ("", set())


async def test_a_long_state_stays_outside(spans: Spans) -> None:
    states = [(b"tracestate", b"vendor%d=%s" % (number, b"x" * 200)) for number in range(3)]
    await asked(traced(app, spans.provider), "/", (b"traceparent", TRACEPARENT.encode()), *states)
    span = spans.one("GET")
    assert (parent(span), bool(span.context and span.context.trace_state)) == (TRACEPARENT[36:52], False)


async def test_spans_end_once(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK warns of a span that is ended twice, for each WebSocket."""
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        client = WebsocketCommunicator(traced(Echo.as_asgi(), spans.provider), "/")
        await client.connect()
        await client.disconnect()
    assert caplog.records == []
