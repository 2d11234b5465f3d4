"""Routers: ASGI applications that pick another one by protocol, path or channel name."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from asgiref.compatibility import guarantee_single_callable
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_script_prefix
from django.urls import reverse as django_reverse
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern as RoutePattern  # noqa: PLC0414

from channels import telemetry
from channels.consumer import AsyncConsumer
from channels.core.denial import means_busy, refuse, refuse_busy
from channels.core.private import PrivateField
from channels.core.routes import beginning, flatten, insides, is_final, open_ended
from channels.exceptions import RouteNotFound, ThreadPoolExhausted
from channels.http import get_asgi_application
from channels.middleware import PREPARES, ConnectionContext, ScopeMiddleware, enters, run_pipeline
from channels.process import serving
from channels.sync.context import enter_context
from channels.typing import ASGIApp, Receive, Scope, Send

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

logger = logging.getLogger("channels.routing")

#: What is left of a path, args and kwargs.
Match: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]


def get_default_application() -> Any:
    """Return the application that the ``ASGI_APPLICATION`` setting names.

    Raises:
        ImproperlyConfigured: the setting is missing or names nothing importable.
    """
    dotted = getattr(settings, "ASGI_APPLICATION", None)
    if not dotted or "." not in str(dotted):
        raise ImproperlyConfigured(
            "Cannot find ASGI_APPLICATION setting. Set it to module.attribute, for example "
            f"'myproject.asgi.application'; it is {dotted!r}."
        )
    path, _, name = str(dotted).rpartition(".")
    try:
        module = importlib.import_module(path)
    except (ImportError, ValueError) as error:
        raise ImproperlyConfigured(
            f"Cannot import ASGI_APPLICATION module {path!r} of {dotted!r}: {error}"
        ) from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImproperlyConfigured(f"Cannot find {name!r} in ASGI_APPLICATION module {path}") from None


class ProtocolTypeRouter:
    """Picks an application by ``scope["type"]``; without one for "http", Django serves it.

    Where a server is at the other end, a path that no URLRouter knows is answered with 404
    and one line in the log. A scope that no server made (it has no ``asgi`` key) gets the
    RouteNotFound itself.

    Args:
        application_mapping: ASGI applications by protocol: "http", "websocket", "channel" ...

    Raises:
        ImproperlyConfigured: one of them is a consumer class without ``as_asgi()``.
    """

    def __init__(self, application_mapping: Mapping[str, Any]) -> None:
        self.application_mapping = application_mapping
        for protocol, application in application_mapping.items():
            refuse_uncalled(application, f"Protocol {protocol!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application for the scope's type; raises ValueError if there is none."""
        kind = scope["type"]
        known = self.application_mapping.get(kind) or (_django_of(self) if kind == "http" else None)
        application = known or application_for(self, kind)
        if not serving.announced and "asgi" in scope:  # a server's, and not ours; a test's says no "asgi"
            serving.announce()
        connection = enter_context(scope)
        try:
            # is_scope_middleware(), written out: a call less for each connection, row "connects".
            if type(application).__call__ is PREPARES:
                application, scope, receive, send = await run_pipeline(application, scope, receive, send)
            return await application(scope, receive, send)
        except RouteNotFound as error:
            if "asgi" not in scope:
                raise
            logger.warning("%s answered with 404. %s", scope["type"], error)
            return await refuse(scope, receive, send, 404, "Not Found")
        except (ThreadPoolExhausted, ExceptionGroup) as error:
            if scope["type"] != "http" or not means_busy(error):
                raise
            return await refuse_busy(scope, receive, send, error)
        finally:
            if connection is not None:
                connection.end()


#: Django's handler, for a router that was not told who serves HTTP.
_django: PrivateField[Any] = PrivateField("django", None)
_django_of = _django.reader(ProtocolTypeRouter)


def application_for(router: ProtocolTypeRouter, protocol: str) -> Any:
    """Return the application for scopes of one type, or raise ValueError."""
    if protocol in router.application_mapping:
        return router.application_mapping[protocol]
    if protocol != "http":
        raise ValueError(f"No application configured for scope type {protocol!r}")
    application = _django_of(router)
    if application is None:
        application = get_asgi_application()
        _django.set(router, application)
    return application


class URLRouter(ScopeMiddleware):
    """Picks an application by the path of an HTTP or WebSocket scope, as Django's URLconf does.

    The chosen application finds ``{"args": ..., "kwargs": ...}`` in ``scope["url_route"]``
    and what is left of the path in ``scope["path_remaining"]``.

    Args:
        routes: from ``path()``, ``re_path()`` and ``include()``; an application may be another
            URLRouter, behind middleware too.

    Raises:
        ImproperlyConfigured: a route's application is a consumer class without ``as_asgi()``.

    Calling it raises RouteNotFound (a ValueError) if no route fits. A router inside another raises
    Resolver404, as an application may do; then the next route that fits is tried.
    """

    #: Marks a router for others: a route that leads to one matches the beginning of a path.
    _path_routing = True

    def __init__(self, routes: Sequence[URLPattern | URLResolver]) -> None:
        self.routes = list(routes)
        table_of(self)

    def describe(self) -> list[str]:
        """Return the routes as they were written, those of routers inside in full."""
        return table_of(self).describe()

    def reverse(
        self, name: str, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None
    ) -> str:
        """Return the path of a named route, from the root; "namespace:name" for included ones.

        Raises:
            NoReverseMatch: no route has the name and takes these arguments.
        """
        return table_of(self).reverse(name, args, kwargs)


class _Table:
    """What the routes of a router were compiled to.

    Args:
        routes: of the router.
    """

    def __init__(self, routes: Sequence[URLPattern | URLResolver]) -> None:
        self.routes = list(routes)
        self._lines = [_Route(route) for route in flatten(routes)]

    def fitting(self, path: str) -> list[tuple[_Route, Match]]:
        """Return the routes that fit a path, in order."""
        begins = path.startswith  # of most routes the first letters say that they do not fit
        return [
            (route, match)
            for route in self._lines
            if begins(route.begins) and (match := route.match(path)) is not None
        ]

    def describe(self) -> list[str]:
        """Return the routes as they were written, those of routers inside in full."""
        return [line for route in self._lines for line in route.describe()]

    def reverse(self, name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> str:
        """See :meth:`URLRouter.reverse`."""
        prefix = get_script_prefix().rstrip("/")
        path = django_reverse(name, urlconf=self.urlconf, args=args, kwargs=kwargs)  # type: ignore[arg-type]
        return path.removeprefix(prefix) if prefix else path

    @functools.cached_property
    def urlconf(self) -> tuple[URLPattern | URLResolver, ...]:
        """The routes as Django's ``reverse`` understands them."""
        return tuple(reversible(route) for route in self.routes)


_table: PrivateField[_Table | None] = PrivateField("routes", None)
_table_so_far = _table.reader(URLRouter)


def table_of(router: URLRouter) -> _Table:
    """Return what the router's routes were compiled to; again if they have changed since."""
    table = _table_so_far(router)
    if table is None or table.routes != list(router.routes):
        table = _Table(router.routes)
        _table.set(router, table)
    return table


@enters(URLRouter)
async def _enter_by_path(router: URLRouter, context: ConnectionContext) -> ASGIApp:
    path = routed_path(context.scope)
    fitting = table_of(router).fitting(path)
    if not fitting:
        raise not_found(router, context.scope, path)
    route, match = fitting[0]
    if not route.final or len(fitting) > 1:
        # The application may raise Resolver404, and then the next one is tried: this frame has to stay.
        return functools.partial(try_each, router)
    context.own_scope().update(_found(context.scope, route, match))
    return route.application


async def try_each(router: URLRouter, scope: Scope, receive: Receive, send: Send) -> Any:
    """Call the applications whose routes fit, until one does not raise Resolver404."""
    path = routed_path(scope)
    for route, match in table_of(router).fitting(path):
        try:
            return await route.application({**scope, **_found(scope, route, match)}, receive, send)
        except Resolver404:
            continue
    raise not_found(router, scope, path)


def not_found(router: URLRouter, scope: Scope, path: str) -> Exception:
    """Return what says that no route fits: to the router outside, or to everybody."""
    if "path_remaining" in scope:
        return Resolver404(f"No route found for path {path!r}.")
    return RouteNotFound(path, table_of(router).describe())


class _Route:
    """One line of a router's table: the patterns from the outside in, and where they lead."""

    __slots__ = ("application", "begins", "default_args", "final", "patterns", "router")

    def __init__(self, chain: tuple[Any, ...]) -> None:
        *outer, last = chain
        self.router = find_router(last.callback)
        refuse_uncalled(last.callback, f"Route {last.pattern}")
        #: A consumer routes no further, so no router inside will say that there is no route.
        self.final = is_final(last.callback)
        ends = last.pattern if self.router is None else open_ended(last.pattern)
        self.patterns = [*(part.pattern for part in outer), ends]
        #: What every path that fits begins with.
        self.begins = beginning(self.patterns[0])
        self.default_args: dict[str, Any] = {}
        for given in (*(part.default_kwargs for part in outer), last.default_args):
            self.default_args.update(given)
        self.application: ASGIApp = guarantee_single_callable(last.callback)  # type: ignore[no-untyped-call]

    def match(self, path: str) -> Match | None:
        """Return what is left of the path, args and kwargs; None if it does not fit."""
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return None
            path, more_args, more_kwargs = match
            args += more_args
            kwargs.update(more_kwargs)
        kwargs.update(self.default_args)
        return path, args, kwargs

    def describe(self) -> list[str]:
        """Return the route as it was written, or those of the router it leads to."""
        prefix = "".join(str(pattern) for pattern in self.patterns)
        if self.router is None:
            return [prefix]
        return [prefix + route for route in table_of(self.router).describe()]


def refuse_uncalled(application: Any, route: str) -> None:
    """Refuse a consumer class, and an ``as_asgi`` that was not called, also behind middleware.

    Args:
        application: what a route or a mapping leads to.
        route: how the error names it.

    Raises:
        ImproperlyConfigured: it cannot serve a connection; the text says what to write.
    """
    for inside in insides(application):
        named = getattr(inside, "__name__", None) == "as_asgi"
        consumer = getattr(inside, "__self__", None) if named else inside
        if inspect.isclass(consumer) and issubclass(consumer, AsyncConsumer):
            what = f"as_asgi of {consumer.__name__} without a call" if named else f"class {consumer.__name__}"
            raise ImproperlyConfigured(f"{route} leads to the {what}; write {consumer.__name__}.as_asgi().")


def find_router(application: Any) -> URLRouter | None:
    """Return the URLRouter that ``application`` is or that middleware around it wrap."""
    return next((inside for inside in insides(application) if isinstance(inside, URLRouter)), None)


def reversible(route: URLPattern | URLResolver) -> URLPattern | URLResolver:
    """Return the route as Django's ``reverse`` understands it: a router inside is an include."""
    router = None if isinstance(route, URLResolver) else find_router(route.callback)
    if router is None:
        return route
    return URLResolver(open_ended(route.pattern), table_of(router).urlconf, route.default_args)  # type: ignore[union-attr]


def routed_path(scope: Scope) -> str:
    """Return the part of the scope's path that a router has to look at, without leading slash."""
    if "path_remaining" in scope:
        # A route of the outer router may end before the slash: path("in", URLRouter([path("x/", ...)])).
        return str(scope["path_remaining"]).lstrip("/")
    if (path := scope.get("path")) is None:
        raise ValueError("No 'path' key in connection scope, cannot route URLs")
    if scope.get("root_path"):
        root_path = str(scope["root_path"]).rstrip("/")
        if root_path and (path == root_path or path.startswith(root_path + "/")):
            path = path[len(root_path) :]
    return str(path).lstrip("/")


def _found(scope: Scope, route: _Route, match: Match) -> dict[str, Any]:
    """Return what a route adds to the scope; ``url_route`` goes on from what outer routers found."""
    if telemetry.listeners:
        telemetry.emit("routing.routed", path=routed_path(scope), patterns=route.patterns)
    remaining, args, kwargs = match
    outer = scope.get("url_route", {})
    found = {"args": (*outer.get("args", ()), *args), "kwargs": {**outer.get("kwargs", {}), **kwargs}}
    return {"path_remaining": remaining, "url_route": found}


def reverse(
    name: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    protocol: str = "websocket",
) -> str:
    """Return the path of a named route of the ``ASGI_APPLICATION``.

    Args:
        name: of the route; "namespace:name" for included ones.
        args: positional arguments of the route.
        kwargs: its named arguments.
        protocol: which entry of the ProtocolTypeRouter to look in.

    Raises:
        NoReverseMatch: no route has the name and takes these arguments.
        ImproperlyConfigured: the application has no URLRouter for the protocol.
    """
    application = get_default_application()
    mapping = getattr(application, "application_mapping", {})
    router = find_router(mapping.get(protocol, application))
    if router is None:
        raise ImproperlyConfigured(
            f"ASGI_APPLICATION has no URLRouter for {protocol!r} to reverse {name!r} in."
        )
    return table_of(router).reverse(name, args, kwargs)


class ChannelNameRouter:
    """Picks an application by channel name, for messages from ``runworker``.

    Args:
        application_mapping: ASGI applications by channel name.

    Raises:
        ImproperlyConfigured: one of them is a consumer class without ``as_asgi()``.
    """

    def __init__(self, application_mapping: Mapping[str, Any]) -> None:
        self.application_mapping = application_mapping
        for channel, application in application_mapping.items():
            refuse_uncalled(application, f"Channel {channel!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application for the scope's channel; raises ValueError if there is none."""
        if "channel" not in scope:
            raise ValueError(
                "ChannelNameRouter got a scope without a 'channel' key. "
                "Did you make sure it's only being used for 'channel' type messages?"
            )
        application = self.application_mapping.get(scope["channel"])
        if application is None:
            raise ValueError(f"No application configured for channel name {scope['channel']!r}")
        return await application(scope, receive, send)
