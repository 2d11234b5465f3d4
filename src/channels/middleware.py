"""The base of ASGI middleware that adds something to the scope.

An application that awaits the application inside stays in memory for as long as the
connection lives: its frame, and the scope it was given. These are most of the cost of a WebSocket
that is idle for hours. So our middleware only prepares a connection (:class:`ScopeMiddleware`), and
the outermost one runs the whole pipeline and awaits the application behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeGuard, TypeVar

from channels.typing import ASGIApp, Receive, Scope, Send

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class ConnectionContext:
    """What the next application of a pipeline will be called with.

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
        """Return the scope to write into: a shallow copy, made once, unseen by applications outside."""
        if not self._owned:
            self.scope = dict(self.scope)
            self._owned = True
        return self.scope

    def take_scope(self, scope: Scope) -> None:
        """Go on with a scope that was made for this context."""
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


#: The ``__call__`` of an application that only prepares: of a ScopeMiddleware that does not override it.
PREPARES: Final = ScopeMiddleware.__call__


#: Where a class keeps its registered function: no name that a subclass could give to something else.
_ENTER: Final = "channels: enter"
Enter = TypeVar("Enter", bound=Callable[[Any, "ConnectionContext"], Awaitable[ASGIApp]])


def enters(kind: type[ScopeMiddleware]) -> Callable[[Enter], Enter]:
    """Register a function that prepares a connection for ``kind`` and its subclasses.

    It is called with the middleware and the :class:`ConnectionContext`, and returns the next
    application. It is no method, because subclasses may call theirs whatever they like.
    """

    def register(function: Enter) -> Enter:
        setattr(kind, _ENTER, function)
        return function

    return register


@enters(ScopeMiddleware)
async def _enter_unregistered(middleware: ScopeMiddleware, context: ConnectionContext) -> ASGIApp:
    raise NotImplementedError(
        f"{type(middleware).__name__} has nothing that returns the next application: "
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


def instantiate(application: ASGIApp) -> ASGIApp:
    """Return what ``application`` makes for a connection; itself if it is no factory."""
    maker: InstanceFactory | None = getattr(application, "maker", None)
    return maker.make() if maker is not None and maker.function is application else application


def is_scope_middleware(application: Any) -> TypeGuard[ScopeMiddleware]:
    """Tell whether an application only prepares: a ScopeMiddleware whose ``__call__`` is not overridden."""
    return type(application).__call__ is PREPARES


async def run_pipeline(
    middleware: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> tuple[ASGIApp, Scope, Receive, Send]:
    """Run ``middleware`` and those behind it; returns the application at the end and its arguments.

    Args:
        middleware: whose class has :data:`PREPARES` as its ``__call__``.
        scope: of the connection.
        receive: ASGI's.
        send: ASGI's.
    """
    context = ConnectionContext(scope, receive, send)
    application = await getattr(type(middleware), _ENTER)(middleware, context)
    # is_scope_middleware(), written out: a call less for each middleware, row "connects".
    while type(application).__call__ is PREPARES:
        application = await getattr(type(application), _ENTER)(application, context)
    return instantiate(application), context.scope, context.receive, context.send


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
async def _enter_with_a_copy(middleware: BaseMiddleware, context: ConnectionContext) -> ASGIApp:
    context.own_scope()
    return middleware.inner
