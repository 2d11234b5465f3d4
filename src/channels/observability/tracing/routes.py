"""Which route a request took: what names its span, as its path may be any."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.core.handlers.base import BaseHandler

from channels.observability.tracing.api import Span, context

_KEY: Final = context.create_key("channels-served")


class Served:
    """A request, or a handshake, that is under way.

    Args:
        span: of the server.
        method: with which the span's name begins.
    """

    __slots__ = ("_found", "_method", "_span")

    def __init__(self, span: Span, method: str) -> None:
        self._span, self._method = span, method
        self._found: list[tuple[int, str]] = []

    def within(self, parent: context.Context) -> context.Context:
        """Return a context in which :func:`current` finds this."""
        return context.set_value(_KEY, self, parent)

    def routed(self, path: str, patterns: Iterable[Any]) -> None:
        """Note what a router has found; one inside another, for what that has left of the path.

        Args:
            path: that it has looked at.
            patterns: of its route. What another one has found for this path has led nowhere.
        """
        outer = [each for each in self._found if each[0] > len(path)]
        self._found = [*outer, (len(path), "".join(map(str, patterns)))]
        self.name("".join(route for _, route in self._found))

    def name(self, route: str) -> None:
        """Note the whole route."""
        if route and self._span.is_recording():
            self._span.set_attribute("http.route", route)
            self._span.update_name(f"{self._method} {route}")


def current() -> Served | None:
    """Return the request whose code runs; None where there is none."""
    found = context.get_value(_KEY)
    return found if isinstance(found, Served) else None


def watch_django() -> Callable[[], None]:
    """Note the routes of Django's views from now on; returns what ends that.

    Django tells nobody before the view runs, and a middleware would have to be in the project's settings.
    """
    original = BaseHandler.resolve_request

    @functools.wraps(original)
    def resolve_request(self: BaseHandler, request: Any) -> Any:
        match = original(self, request)
        if (served := current()) is not None:
            served.name(match.route)
        return match

    BaseHandler.resolve_request = resolve_request  # type: ignore[method-assign]

    def undo() -> None:
        if BaseHandler.resolve_request is resolve_request:  # else somebody else has wrapped it since
            BaseHandler.resolve_request = original  # type: ignore[method-assign]

    return undo
