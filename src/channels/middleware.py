"""The base of ASGI middleware that adds something to the scope."""

from __future__ import annotations

from typing import Any

from channels.typing import ASGIApp, Receive, Scope, Send


class BaseMiddleware:
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Run the application inside on a copy of ``scope`` and return what it returns."""
        return await self.inner(dict(scope), receive, send)
