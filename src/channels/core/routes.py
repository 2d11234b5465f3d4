"""What routers ask of routes, of their patterns, and of the applications behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

_Class = TypeVar("_Class")
#: Attributes under which middleware keep the application they wrap.
INNER_ATTRIBUTES = ("inner", "application", "app")


def flatten(routes: Sequence[URLPattern | URLResolver], outer: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the chain of routes to each application, ``include()``s unfolded, in order."""
    chains: list[tuple[Any, ...]] = []
    for route in routes:
        chain = (*outer, route)
        chains += flatten(route.url_patterns, chain) if isinstance(route, URLResolver) else [chain]
    return chains


def open_ended(pattern: Any) -> Any:
    """Return the pattern so that it fits the beginning of a path."""
    if isinstance(pattern, RoutePattern):
        return RoutePattern(pattern._route, name=pattern.name, is_endpoint=False)  # type: ignore[attr-defined]
    return pattern


def beginning(pattern: Any) -> str:
    """Return the text that a path must begin with to fit a pattern of ``path()``; "" for any other."""
    route = getattr(pattern, "_route", "") if type(pattern) is RoutePattern else ""
    return route.partition("<")[0] if isinstance(route, str) else ""  # one to be translated is no str yet


def insides(application: Any) -> Iterator[Any]:
    """Yield ``application`` and, one by one, what the middleware around it wrap."""
    while application is not None:
        yield application
        inner = (vars(application).get(name) for name in INNER_ATTRIBUTES if hasattr(application, "__dict__"))
        application = next((candidate for candidate in inner if candidate is not None), None)


#: Classes of applications that are no consumers and route no further; classes derived of them are not meant.
_final: Final[set[type]] = set()


def routes_no_further(cls: type[_Class]) -> type[_Class]:
    """Say of a class of applications that none raises Resolver404: a route that leads to one is the last."""
    _final.add(cls)
    return cls


def is_final(application: Any) -> bool:
    """Whether an application, or what is inside it, routes no further: a consumer, or one that says so."""
    return any(hasattr(each, "consumer_class") or type(each) in _final for each in insides(application))
