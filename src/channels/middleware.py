"""The base of ASGI middleware that adds something to the scope.

An application that awaits the application inside stays in memory for as long as the
connection lives: its frame, and the scope it was given. For a WebSocket that says nothing
for hours these are most of its cost. So ours only prepare a connection (:class:`ScopeMiddleware`),
and the outermost one walks the whole row and awaits what lies behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeGuard, TypeVar

from channels.typing import ASGIApp, Receive, Scope, Send

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class ConnectionContext:
    """A connection on its way inside: what the next application will be called with.

    Attributes:
        scope: the scope; to be read. To write, ask for :meth:`own_scope`.
        receive: where its events come from.
        send: where its events go.
    """

    __slots__ = ("_owned", "receive", "scope", "send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self._owned = False

    def own_scope(self) -> Scope:
        """Return the scope to write into: a shallow copy, made once, that nobody outside sees."""
        if not self._owned:
            self.take_scope(dict(self.scope))
        return self.scope

    def take_scope(self, scope: Scope) -> None:
        """Go on with a scope that was made for this way."""
        self.scope = scope
        self._owned = True


class ScopeMiddleware:
    """An application that prepares a connection and hands it to another one.

    What it does is a function that is registered with :func:`enters`. A subclass may override
    ``__call__`` as that of any ASGI application; then it is called, and ``super().__call__()`` goes
    on from there.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Run the application inside and return what it returns."""
        application, scope, receive, send = await run_pipeline(self, scope, receive, send)
        return await application(scope, receive, send)


_CALL = ScopeMiddleware.__call__


#: Where a class keeps what its passages do: no name that a subclass could give to something else.
_ENTER: Final = "channels: enter"
Enter = TypeVar("Enter", bound=Callable[[Any, "ConnectionContext"], Awaitable[ASGIApp]])


def enters(kind: type[ScopeMiddleware]) -> Callable[[Enter], Enter]:
    """Make a function that which prepares a connection for ``kind`` and its subclasses.

    It is called with the middleware and the :class:`ConnectionContext`, and returns the application that goes
    on. It is no method, because subclasses may call theirs whatever they like.
    """

    def register(function: Enter) -> Enter:
        setattr(kind, _ENTER, function)
        return function

    return register


@enters(ScopeMiddleware)
async def _enter_nowhere(passage: ScopeMiddleware, way: ConnectionContext) -> ASGIApp:
    raise NotImplementedError(
        f"{type(passage).__name__} has to say who goes on: "
        "register a function for it with channels.middleware.enters()."
    )


class InstanceFactory:
    """Makes the application of one connection, for a function that would only make and call it.

    Args:
        function: the function. What somebody has wrapped around it may carry its attributes, and is not it.
        make: returns a new application.
    """

    __slots__ = ("function", "make")

    def __init__(self, function: Any, make: Callable[[], ASGIApp]) -> None:
        self.function = function
        self.make = make


def is_passage(application: Any) -> TypeGuard[ScopeMiddleware]:
    """Tell whether an application only prepares: it is one of ours, and nobody has overridden it."""
    return isinstance(application, ScopeMiddleware) and type(application).__call__ is _CALL


def instantiate(application: ASGIApp) -> ASGIApp:
    """Return what ``application`` would make for a connection; itself if it makes nothing."""
    maker: InstanceFactory | None = getattr(application, "maker", None)
    return maker.make() if maker is not None and maker.function is application else application


async def run_pipeline(
    passage: ScopeMiddleware, scope: Scope, receive: Receive, send: Send
) -> tuple[ASGIApp, Scope, Receive, Send]:
    """Go through ``passage`` and those behind it; returns what waits at the end, and what to call it with."""
    way = ConnectionContext(scope, receive, send)
    application = await getattr(type(passage), _ENTER)(passage, way)
    while is_passage(application):
        application = await getattr(type(application), _ENTER)(application, way)
    return instantiate(application), way.scope, way.receive, way.send


class BaseMiddleware(ScopeMiddleware):
    """Hands a copy of the scope to the application inside.

    Subclasses override ``__call__``, add to the scope and end with
    ``return await super().__call__(scope, receive, send)``. The copy is shallow: what
    a middleware puts into the scope stays unseen by whatever is outside of it.

    Args:
        inner: the ASGI application (ASGI 3, one coroutine function of three arguments) inside.
    """

    inner: ASGIApp

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner


@enters(BaseMiddleware)
async def _enter_with_a_copy(middleware: BaseMiddleware, way: ConnectionContext) -> ASGIApp:
    way.own_scope()
    return middleware.inner
