"""Consumers for HTTP requests whose answer may take its time: long polls, event streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.core.private import PrivateField
from channels.db import aclose_old_connections
from channels.exceptions import StopConsumer
from channels.generic import messages
from channels.typing import Message

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

Headers = Mapping[Any, Any] | Iterable[Any] | None
#: Whether the last part of the answer has been sent.
_answered: PrivateField[bool] = PrivateField("answered", False)


class AsyncHttpConsumer(AsyncConsumer):
    """One HTTP request: override :meth:`handle` and answer in it.

    If ``handle`` returns before the answer is complete (its last ``send_body`` said
    ``more_body=True``) the consumer stays, handles messages of the channel layer, and ends
    with the answer or with the client.

    Attributes:
        body: the parts of the request's body that have arrived.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.body: list[bytes] = []

    async def send_headers(self, *, status: int = 200, headers: Headers = None) -> None:
        """Send status and headers; they leave with the first ``send_body``."""
        await self.send(messages.response_start(status, headers))

    async def send_body(self, body: bytes, *, more_body: bool = False) -> None:
        """Send a part of the body, the last one unless ``more_body``; raises AssertionError for text."""
        await self.send(messages.response_body(body, more_body))
        _answered.set(self, not more_body)

    async def send_response(self, status: int, body: bytes, **kwargs: Any) -> None:
        """Send a whole answer; further arguments go to ``send_headers``."""
        await self.send_headers(status=status, **kwargs)
        await self.send_body(body)

    async def handle(self, body: bytes) -> None:
        """Answer the request, whose whole body is given; override it."""
        raise NotImplementedError(messages.no_handle("AsyncHttpConsumer", type(self), "async def"))

    async def disconnect(self) -> None:
        """Do what is left to do when the request is over; override it."""

    async def http_request(self, message: Message) -> None:
        """Collect the body, call ``handle`` when it is complete."""
        self.body.append(message.get("body", b""))
        if message.get("more_body"):
            return
        try:
            await self.handle(b"".join(self.body))
        except BaseException:
            await self.disconnect()
            raise
        if _answered.get(self) or self.channel_layer is None:
            await self.disconnect()
            raise StopConsumer

    async def http_disconnect(self, message: Message) -> None:
        """Tell ``disconnect``, end the consumer."""
        await self.disconnect()
        await aclose_old_connections()
        raise StopConsumer


class HttpConsumer(SyncConsumer):
    """The sync form of :class:`AsyncHttpConsumer`: the same methods, run in a thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.body: list[bytes] = []

    def send_headers(self, *, status: int = 200, headers: Headers = None) -> None:
        """Send status and headers; they leave with the first ``send_body``."""
        self.send(messages.response_start(status, headers))

    def send_body(self, body: bytes, *, more_body: bool = False) -> None:
        """Send a part of the body, the last one unless ``more_body``; raises AssertionError for text."""
        self.send(messages.response_body(body, more_body))
        _answered.set(self, not more_body)

    def send_response(self, status: int, body: bytes, **kwargs: Any) -> None:
        """Send a whole answer; further arguments go to ``send_headers``."""
        self.send_headers(status=status, **kwargs)
        self.send_body(body)

    def handle(self, body: bytes) -> None:
        """Answer the request, whose whole body is given; override it."""
        raise NotImplementedError(messages.no_handle("HttpConsumer", type(self), "def"))

    def disconnect(self) -> None:
        """Do what is left to do when the request is over; override it."""

    def http_request(self, message: Message) -> None:
        """Collect the body, call ``handle`` when it is complete."""
        self.body.append(message.get("body", b""))
        if message.get("more_body"):
            return
        try:
            self.handle(b"".join(self.body))
        except BaseException:
            self.disconnect()
            raise
        if _answered.get(self) or self.channel_layer is None:
            self.disconnect()
            raise StopConsumer

    def http_disconnect(self, message: Message) -> None:
        """Tell ``disconnect``, end the consumer."""
        self.disconnect()
        raise StopConsumer
