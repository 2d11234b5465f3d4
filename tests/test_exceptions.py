from __future__ import annotations

import pytest

from channels import exceptions
from channels.exceptions import ChannelsError, ConsumerSignal, RouteNotFound


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
