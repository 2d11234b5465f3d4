"""BaseMiddleware: a shallow copy of the scope goes inside, the result comes out; no frame is left."""

import asyncio
import functools
from typing import Any

import pytest

from channels.consumer import AsyncConsumer
from channels.middleware import (
    BaseMiddleware,
    ConnectionContext,
    ScopeMiddleware,
    enters,
    instantiate,
    is_scope_middleware,
)
from channels.typing import ASGIApp, Receive, Scope, Send


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


class Mark(BaseMiddleware):
    """A middleware that leaves a word in the scope."""


@enters(Mark)
async def leave_a_mark(mark: Mark, context: ConnectionContext) -> ASGIApp:
    scope = context.own_scope()
    scope["marks"] = (*scope.get("marks", ()), id(mark))
    return mark.inner


class Outspoken(Mark):
    """One whose ``__call__`` somebody has overridden: it has to be called."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return ("outspoken", await super().__call__(scope, receive, send))


def frames(task: asyncio.Task[Any]) -> list[str]:
    """The coroutines that a task keeps, from the outside in."""
    here: Any = task.get_coro()
    names = []
    while hasattr(here, "cr_await"):
        names.append(here.__qualname__)
        here = here.cr_await
    return names


async def test_a_row_of_passages_is_one_frame_and_one_copy_of_the_scope() -> None:
    scopes: list[Any] = []
    waiting, done = asyncio.Event(), asyncio.Event()

    async def innermost(scope: Scope, receive: Receive, send: Send) -> Any:
        scopes.append(scope)
        waiting.set()
        await done.wait()
        return "served"

    inner = Mark(innermost)
    outer = Mark(BaseMiddleware(inner))
    outside: Scope = {"type": "x"}
    task = asyncio.ensure_future(outer(outside, _receive, _send))
    await waiting.wait()
    assert [name for name in frames(task) if "Event" not in name] == [
        "ScopeMiddleware.__call__",
        f"{innermost.__qualname__}",
    ]
    done.set()
    assert await task == "served"
    assert scopes == [{"type": "x", "marks": (id(outer), id(inner))}]
    assert outside == {"type": "x"}


async def test_an_overridden_call_is_called_wherever_it_stands() -> None:
    async def innermost(scope: Scope, receive: Receive, send: Send) -> Any:
        return len(scope["marks"])

    assert await Outspoken(Mark(innermost))({}, _receive, _send) == ("outspoken", 2)
    assert await Mark(Outspoken(innermost))({}, _receive, _send) == ("outspoken", 2)
    assert not is_scope_middleware(Outspoken(innermost))
    assert not is_scope_middleware(innermost)
    assert is_scope_middleware(Mark(innermost))


async def test_a_scope_middleware_has_to_return_the_next_application() -> None:
    with pytest.raises(NotImplementedError, match="register a function"):
        await ScopeMiddleware()({}, _receive, _send)


async def test_a_function_that_only_makes_is_left_out_but_not_what_wraps_it() -> None:
    calls: list[str] = []

    class Consumer(AsyncConsumer):
        def __init__(self, word: str = "") -> None:
            calls.append(f"made {word}")

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            calls.append("called")

    app = Consumer.as_asgi(word="x")

    @functools.wraps(app)
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append("wrapped")
        await app(scope, receive, send)

    assert isinstance(instantiate(app), Consumer)
    assert instantiate(wrapped) is wrapped
    calls.clear()
    await BaseMiddleware(app)({}, _receive, _send)
    await BaseMiddleware(wrapped)({}, _receive, _send)
    assert calls == ["made x", "called", "wrapped", "made x", "called"]
