"""The HTTP communicator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.testing import HttpCommunicator
from channels.typing import Receive, Scope, Send


class Page:
    """Answers in two pieces and keeps what it got."""

    scope: Scope
    request: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.request = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"z", b"1"), (b"a", b"2")]})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})


async def test_a_request_and_its_response() -> None:
    page = Page()
    communicator = HttpCommunicator(page, "post", "/t%C3%A9st/?foo=b%20r", body=b"w", headers=[(b"Q", b"1")])
    assert await communicator.get_response(30) == {
        "status": 200,
        "headers": [(b"z", b"1"), (b"a", b"2")],
        "body": b"xy",
    }
    assert page.request == {"type": "http.request", "body": b"w"}
    assert page.scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/tést/",
        "query_string": b"foo=b%20r",
        "headers": [(b"Q", b"1")],
    }


async def test_the_least_of_a_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["headers"] == []
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    assert await HttpCommunicator(app, "GET", "/").get_response(30) == {
        "status": 204,
        "headers": [],
        "body": b"",
    }


async def test_the_request_is_sent_once() -> None:
    received: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        for status in (200, 201):
            await send({"type": "http.response.start", "status": status})
            await send({"type": "http.response.body"})
        received.append(await receive())

    communicator = HttpCommunicator(app, "GET", "/")
    assert (await communicator.get_response(30))["status"] == 200
    assert (await communicator.get_response(30))["status"] == 201
    communicator.stop()
    assert len(received) == 1


async def test_something_else_than_a_response_is_named() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    with pytest.raises(AssertionError, match=r"Expected type .*start', but was .*websocket.accept"):
        await HttpCommunicator(app, "GET", "/").get_response(30)


async def test_no_response_in_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    with pytest.raises(asyncio.TimeoutError):
        await HttpCommunicator(app, "GET", "/").get_response(timeout=0.01)


def test_the_body_is_bytes() -> None:
    with pytest.raises(AssertionError, match="must be bytes, got str"):
        HttpCommunicator(Page(), "GET", "/", body="text")  # type: ignore[arg-type]
