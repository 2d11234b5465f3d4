"""BaseMiddleware: a shallow copy of the scope goes inside, the result comes out."""

from typing import Any

from channels.middleware import BaseMiddleware
from channels.typing import Receive, Scope, Send


async def _receive() -> dict[str, Any]:
    return {}


async def _send(message: Any) -> None:
    """Take it."""


async def test_the_scope_inside_is_a_copy() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["added"] = True
        seen.extend((scope, receive, send))

    outside: dict[str, Any] = {"type": "x", "nested": []}
    await BaseMiddleware(app)(outside, _receive, _send)
    assert outside == {"type": "x", "nested": []}
    assert seen[0] == {"type": "x", "nested": [], "added": True}
    assert seen[0]["nested"] is outside["nested"]
    assert seen[1:] == [_receive, _send]


async def test_a_subclass_adds_to_the_scope_and_gets_the_result() -> None:
    class Adding(BaseMiddleware):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
            return await super().__call__({**scope, "user": "ada"}, receive, send)

    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        return scope["user"]

    middleware = Adding(app)
    assert middleware.inner is app
    assert await middleware({"type": "x"}, _receive, _send) == "ada"
