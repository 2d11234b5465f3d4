"""The WebSocket communicator."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from channels.testing import WebsocketCommunicator
from channels.typing import Message, Receive, Scope, Send

PATIENCE = 30


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "b", "headers": ((b"a", b"b"),)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"text": None, "bytes": None, **message, "type": "websocket.send"})
    assert message["code"] == 3000


def answering(*messages: Message) -> Any:
    """Make an application that takes the connect and sends these."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        for message in messages:
            await send(message)
        await receive()

    return app


async def connected(application: Any = echo) -> WebsocketCommunicator:
    communicator = WebsocketCommunicator(application, "/")
    accepted, _ = await communicator.connect(PATIENCE)
    assert accepted
    return communicator


ACCEPT: Message = {"type": "websocket.accept"}


class TestScope:
    def test_by_default(self) -> None:
        communicator = WebsocketCommunicator(echo, "/t%C3%A9st/?x=1")
        assert communicator.scope == {
            "type": "websocket",
            "path": "/tést/",
            "query_string": b"x=1",
            "headers": [],
            "subprotocols": [],
        }
        assert communicator.response_headers is None

    def test_with_everything(self) -> None:
        scope = WebsocketCommunicator(echo, "/", [(b"origin", b"x")], ["a", "b"], spec_version="2.4").scope
        assert scope["headers"] == [(b"origin", b"x")]
        assert scope["subprotocols"] == ["a", "b"]
        assert scope["spec_version"] == "2.4"


class TestConnect:
    async def test_accepted(self) -> None:
        communicator = WebsocketCommunicator(echo, "/")
        assert await communicator.connect(PATIENCE) == (True, "b")
        assert communicator.response_headers == [(b"a", b"b")]
        await communicator.disconnect(code=3000, timeout=PATIENCE)

    async def test_accepted_without_more(self) -> None:
        communicator = WebsocketCommunicator(answering(ACCEPT), "/")
        assert await communicator.connect(PATIENCE) == (True, None)
        assert communicator.response_headers == []
        await communicator.disconnect(timeout=PATIENCE)

    @pytest.mark.parametrize(
        ("answer", "result"),
        [
            ({"type": "websocket.close"}, (False, 1000)),
            ({"type": "websocket.close", "code": 4001}, (False, 4001)),
            ({"type": "websocket.http.response.start", "status": 404, "headers": []}, (False, 404)),
        ],
    )
    async def test_refused(self, answer: Message, result: tuple[bool, int]) -> None:
        communicator = WebsocketCommunicator(answering(answer), "/")
        assert await communicator.connect(PATIENCE) == result
        communicator.stop()

    async def test_something_else_is_named(self) -> None:
        with pytest.raises(AssertionError, match=r"websocket.accept.*but was .*websocket.bogus"):
            await WebsocketCommunicator(answering({"type": "websocket.bogus"}), "/").connect(PATIENCE)

    async def test_no_answer_in_time(self) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await WebsocketCommunicator(answering(), "/").connect(timeout=0.01)


class TestFrames:
    async def test_text_bytes_and_json(self) -> None:
        communicator = await connected()
        await communicator.send_to(text_data="hi")
        assert await communicator.receive_from(PATIENCE) == "hi"
        await communicator.send_to(text_data="")
        assert await communicator.receive_from(PATIENCE) == ""
        await communicator.send_to(bytes_data=b"\x00")
        assert await communicator.receive_from(PATIENCE) == b"\x00"
        await communicator.send_json_to({"a": [1]})
        assert await communicator.receive_json_from(PATIENCE) == {"a": [1]}
        assert await communicator.receive_nothing(timeout=0.01)
        await communicator.disconnect(code=3000, timeout=PATIENCE)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({}, "exactly one of text_data or bytes_data"),
            ({"text_data": "a", "bytes_data": b"b"}, "exactly one of text_data or bytes_data"),
            ({"text_data": b"a"}, "text_data argument must be a str.*'bytes'"),
            ({"bytes_data": "a"}, "bytes_data argument must be bytes.*'str'"),
        ],
    )
    async def test_misuse_is_named(self, arguments: dict[str, Any], complaint: str) -> None:
        with pytest.raises(AssertionError, match=complaint):
            await WebsocketCommunicator(echo, "/").send_to(**arguments)

    @pytest.mark.parametrize(
        ("message", "complaint"),
        [
            ({"type": "websocket.close"}, "Expected .*'websocket.send', but was .*websocket.close"),
            ({"type": "websocket.send"}, "exactly one of 'text' or 'bytes'"),
            ({"type": "websocket.send", "text": "a", "bytes": b"b"}, "exactly one of 'text' or 'bytes'"),
            ({"type": "websocket.send", "text": 3}, "Text frame payload is not str.*'int'"),
            ({"type": "websocket.send", "bytes": "x"}, "Binary frame payload is not bytes.*'str'"),
        ],
    )
    async def test_what_is_no_frame_is_named(self, message: Message, complaint: str) -> None:
        communicator = await connected(answering(ACCEPT, message))
        with pytest.raises(AssertionError, match=complaint):
            await communicator.receive_from(PATIENCE)
        await communicator.disconnect(timeout=PATIENCE)

    async def test_json_comes_in_text_frames(self) -> None:
        frames = ({"type": "websocket.send", "bytes": b"{}"}, {"type": "websocket.send", "text": "{"})
        communicator = await connected(answering(ACCEPT, *frames))
        with pytest.raises(AssertionError, match=r"not a text frame.*<class 'bytes'>"):
            await communicator.receive_json_from(PATIENCE)
        with pytest.raises(json.JSONDecodeError):
            await communicator.receive_json_from(PATIENCE)
        await communicator.disconnect(timeout=PATIENCE)


async def test_disconnect_raises_what_the_application_raised() -> None:
    communicator = await connected()
    with pytest.raises(AssertionError):
        await communicator.disconnect(code=3001, timeout=PATIENCE)


async def test_disconnect_cancels_what_does_not_end() -> None:
    async def stays(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(ACCEPT)(scope, receive, send)
        await asyncio.Event().wait()

    communicator = await connected(stays)
    await communicator.disconnect(timeout=0.01)
    assert communicator.future.cancelled()
