"""What routers ask of routes, patterns and applications."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy

from channels.core.routes import beginning, flatten, insides, is_final, open_ended, routes_no_further


def view(request: Any) -> Any:
    raise AssertionError("it is not called")


@pytest.mark.parametrize(
    ("route", "begins"),
    [
        (path("ws/<str:room>/", view), "ws/"),
        (path("ws/room/", view), "ws/room/"),
        (path("<int:room>/", view), ""),
        (path(gettext_lazy("ws/"), view), ""),
        (re_path("^ws/", view), ""),
    ],
)
def test_what_a_path_begins_with_that_fits(route: Any, begins: str) -> None:
    assert beginning(route.pattern) == begins


def test_includes_are_unfolded_in_order() -> None:
    inner = path("inner/", view)
    routes: list[Any] = [
        path("first/", view),
        path("outer/", include([path("middle/", include([inner]))])),
        inner,
    ]
    chains = [[str(part.pattern) for part in chain] for chain in flatten(routes)]
    assert chains == [["first/"], ["outer/", "middle/", "inner/"], ["inner/"]]


def test_a_pattern_that_fits_the_beginning_of_a_path() -> None:
    closed = path("rooms/<int:room>/", view, name="room").pattern
    assert closed.match("rooms/7/more/") is None
    opened = open_ended(closed)
    assert opened.match("rooms/7/more/") == ("more/", (), {"room": 7})
    assert opened.name == "room"
    expression = re_path("^rooms/", view).pattern
    assert open_ended(expression) is expression


class Wraps:
    def __init__(self, **inner: Any) -> None:
        vars(self).update(inner)


def test_what_middleware_wrap_is_found_from_the_outside_in() -> None:
    inmost = Wraps()
    outer = Wraps(inner=Wraps(application=Wraps(inner=None, app=inmost)))
    assert [*insides(outer)][-1] is inmost
    assert len([*insides(outer)]) == 4
    assert [*insides(None)] == []
    assert [*insides(7)] == [7]


def test_who_routes_no_further_says_so_and_not_for_those_derived_of_it() -> None:
    class Broker:
        pass

    class Derived(Broker):
        pass

    assert not is_final(Broker())
    assert routes_no_further(Broker) is Broker
    assert is_final(Broker())
    assert not is_final(Derived())
