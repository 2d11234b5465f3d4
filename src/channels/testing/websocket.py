"""The communicator for one WebSocket connection."""

# ruff: noqa: ASYNC109  (the parameter `timeout` is part of the public interface)

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from channels.testing.application import ApplicationCommunicator, expect, split_path
from channels.typing import ASGIApp, Headers

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

_T = TypeVar("_T")


class WebsocketCommunicator(ApplicationCommunicator):
    """Holds one WebSocket connection with an application.

    ``connect()`` comes first; once it was accepted, send and receive, and end with
    ``disconnect()``.

    Args:
        application: the ASGI application under test.
        path: the path, may be percent-encoded and carry a query.
        headers: pairs of bytes, handed on as they are.
        subprotocols: what the client offers, in order.
        spec_version: the version of the ASGI WebSocket specification to put into the scope;
            left out by default.

    Attributes:
        response_headers: the headers the application accepted (or refused) with; None before.
    """

    response_headers: Headers | None

    def __init__(
        self,
        application: ASGIApp,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
        subprotocols: Iterable[str] | None = None,
        spec_version: str | None = None,
    ) -> None:
        text, query = split_path(path)
        scope: dict[str, Any] = {
            "type": "websocket",
            "path": text,
            "query_string": query,
            "headers": list(headers or ()),
            "subprotocols": list(subprotocols or ()),
        }
        if spec_version:
            scope["spec_version"] = spec_version
        super().__init__(application, scope)
        self.response_headers = None

    async def connect(self, timeout: float | None = 1) -> tuple[bool, str | int | None]:
        """Open the connection.

        Args:
            timeout: seconds to wait for the answer; None waits without end.

        Returns:
            ``(True, subprotocol or None)`` when accepted; ``(False, close code)`` when refused,
            1000 if the application named no code. An application that refuses with a response
            of its own (the extension ``websocket.http.response``) gives ``(False, status)``.

        Raises:
            TimeoutError: no answer in time; the application has been cancelled.
        """
        await self.send_input({"type": "websocket.connect"})
        answer = await expect(
            self, ("websocket.accept", "websocket.close", "websocket.http.response.start"), timeout
        )
        if answer["type"] == "websocket.close":
            return False, answer.get("code", 1000)
        self.response_headers = list(answer.get("headers") or ())
        if answer["type"] == "websocket.accept":
            return True, answer.get("subprotocol")
        return False, answer["status"]

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send one frame to the application.

        Raises:
            AssertionError: not exactly one of the two was given, or of the wrong type.
        """
        if (text_data is None) == (bytes_data is None):
            raise AssertionError("You must supply exactly one of text_data or bytes_data")
        if text_data is not None:
            _insist(text_data, str, "The text_data argument must be a str")
            await self.send_input({"type": "websocket.receive", "text": text_data})
        else:
            _insist(bytes_data, bytes, "The bytes_data argument must be bytes")
            await self.send_input({"type": "websocket.receive", "bytes": bytes_data})

    async def send_json_to(self, data: Any) -> None:
        """Send ``data`` as a text frame of JSON."""
        await self.send_to(text_data=json.dumps(data))

    async def receive_from(self, timeout: float | None = 1) -> str | bytes:
        """Return the data of the next frame: str for text, bytes for binary.

        Args:
            timeout: seconds to wait; None waits without end.

        Raises:
            TimeoutError: no frame in time; the application has been cancelled.
            AssertionError: the application sent something else, as a close.
        """
        frame = await expect(self, ("websocket.send",), timeout)
        text, data = frame.get("text"), frame.get("bytes")
        if (text is None) == (data is None):
            raise AssertionError(f"The response needs exactly one of 'text' or 'bytes', got {dict(frame)!r}.")
        if text is not None:
            return _insist(text, str, "Text frame payload is not str")
        return _insist(data, bytes, "Binary frame payload is not bytes")

    async def receive_json_from(self, timeout: float | None = 1) -> Any:
        """Return the JSON value of the next frame.

        Args:
            timeout: seconds to wait; None waits without end.

        Raises:
            TimeoutError: no frame in time; the application has been cancelled.
            AssertionError: the frame was binary, or the application sent something else.
            json.JSONDecodeError: the text is not JSON.
        """
        payload = await self.receive_from(timeout)
        return json.loads(_insist(payload, str, "JSON data is not a text frame"))

    async def disconnect(self, code: int = 1000, timeout: float | None = 1) -> None:
        """Close from the client's side and wait for the application to end.

        Args:
            code: the close code the application is told.
            timeout: seconds after which it is cancelled, which is no error; None waits without end.
        """
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)


def _insist(value: object, kind: type[_T], sentence: str) -> _T:
    """Return ``value`` if it is of ``kind``; else raise the AssertionError that names its type."""
    if not isinstance(value, kind):
        raise AssertionError(f"{sentence}, it is {type(value)}: {value!r}")
    return value
