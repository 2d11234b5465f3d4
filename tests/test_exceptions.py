from __future__ import annotations

import pytest

from channels import exceptions
from channels.exceptions import ChannelsError, ConsumerSignal, RouteNotFound, nearest_route


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("InvalidChannelLayerError", (ChannelsError, ValueError)),
        ("ChannelFull", (ChannelsError,)),
        ("MessageTooLarge", (ChannelsError,)),
        ("InvalidMessageError", (ChannelsError, TypeError, AssertionError)),
        ("RouteNotFound", (ChannelsError, ValueError)),
        ("ThreadPoolExhausted", (ChannelsError,)),
        ("RequestAborted", (ChannelsError,)),
        ("RequestTimeout", (exceptions.RequestAborted,)),
        ("AcceptConnection", (ConsumerSignal,)),
        ("DenyConnection", (ConsumerSignal,)),
        ("StopConsumer", (ConsumerSignal,)),
    ],
)
def test_the_tree(name, bases):
    assert getattr(exceptions, name).__bases__ == bases
    assert name in exceptions.__doc__


def test_signals_are_no_faults():
    assert not issubclass(ConsumerSignal, ChannelsError)


def test_a_missing_route_names_those_there_are():
    error = RouteNotFound("x/", ["a/", "b/<int:c>/"])
    assert str(error) == "No route found for path 'x/'. Known routes: 'a/', 'b/<int:c>/'."
    assert str(RouteNotFound("x/")) == "No route found for path 'x/'. Known routes: none."


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("ws/chatt/general/", "ws/chat/<slug:room>/"),
        ("ws/chat/general", "ws/chat/<slug:room>/"),
        ("chat/general/", "ws/chat/<slug:room>/"),
        ("live/7", r"^live/(?P<number>\d+)/$"),
        ("connection/websockets", "connection/websocket"),
        ("favicon.ico", None),
        ("zz/9", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_the_route_that_was_probably_meant(path: str, route: str | None) -> None:
    routes = ["connection/websocket", "ws/chat/<slug:room>/", r"^live/(?P<number>\d+)/$", "notifications/"]
    assert nearest_route(path, routes) == route
    said = f"Did you mean {route!r}? Known routes: " in str(RouteNotFound(path, routes))
    assert said is (route is not None)
