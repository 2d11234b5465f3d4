"""Consumers for WebSockets: sync and async, with text, bytes or JSON.

The sync and the async classes are shells over :mod:`channels.generic.messages`; what
differs is only who waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgiref.sync import async_to_sync

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.core.lazy import get_if_loaded
from channels.db import aclose_old_connections, connections_due
from channels.diagnostics.advice import call_plain, tell_coroutine, tell_refused, tell_unanswered
from channels.exceptions import AcceptConnection, DenyConnection, StopConsumer
from channels.exceptions import InvalidChannelLayerError as InvalidChannelLayerError  # noqa: PLC0414
from channels.generic import codec, messages
from channels.mailbox import fastlane
from channels.typing import Message

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class WebsocketConsumer(SyncConsumer):
    """A WebSocket whose handlers are plain functions, run in threads.

    Attributes:
        groups: groups of the channel layer the consumer belongs to while it is connected.
    """

    groups: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        messages.own_groups(self)

    def websocket_connect(self, message: Message) -> None:
        """Join the groups, then let ``connect`` decide."""
        messages.require_groups(self)
        for group in self.groups or ():
            async_to_sync(self.channel_layer.group_add)(group, self.channel_name)
        try:
            call_plain(self, self.connect)
        except AcceptConnection:
            self.accept()
        except DenyConnection:
            self.close()
        tell_unanswered(self)

    def connect(self) -> None:
        """Accept the connection; override to decide (accept, close, AcceptConnection, DenyConnection)."""
        self.accept()

    def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Accept the connection; the subprotocol is one of ``scope["subprotocols"]``."""
        super().send(messages.accept(subprotocol, headers))

    def websocket_receive(self, message: Message) -> None:
        """Hand a frame to ``receive``."""
        receive: Any = self.receive  # what call_plain() does, without a call for each frame
        text = message.get("text")
        returned = receive(text_data=text) if text is not None else receive(bytes_data=message["bytes"])
        if returned is not None:
            tell_coroutine(self, receive, returned)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle a frame; override it. Only one of the two is given."""

    def send(  # type: ignore[override]  # speaks of frames where its base speaks of messages
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool | int = False
    ) -> None:
        """Send a text or a binary frame; then close, with a code if ``close`` is a number.

        Raises:
            ValueError: there is nothing to send.
        """
        if text_data is not None:
            super().send({"type": "websocket.send", "text": text_data})
        else:
            super().send(messages.binary_frame(bytes_data))
        if close:
            self.close(close)

    def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close the connection, or refuse it if it was not accepted yet (a 403)."""
        tell_refused(self, get_if_loaded)
        super().send(messages.close(code, reason))

    @fastlane
    def websocket_send(self, message: Message) -> None:
        """Pass a group's message on to the socket as it is: ``{"type": "websocket.send", "text": ...}``.

        Where it is not overridden, the layer writes to the sockets of idle consumers directly.
        """
        super().send(message)

    def websocket_disconnect(self, message: Message) -> None:
        """Leave the groups, tell ``disconnect``, end the consumer."""
        messages.require_groups(self)
        for group in self.groups or ():
            async_to_sync(self.channel_layer.group_discard)(group, self.channel_name)
        call_plain(self, self.disconnect, message["code"])
        raise StopConsumer

    def disconnect(self, code: int) -> None:
        """Do what is left to do when the connection has ended; override it."""


class JsonWebsocketConsumer(WebsocketConsumer):
    """A WebsocketConsumer whose frames hold JSON."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Decode a frame for ``receive_json``; raises ValueError for one without text."""
        call_plain(self, self.receive_json, self.decode_json(messages.json_text(text_data)), **kwargs)

    def receive_json(self, content: Any, *args: Any, **kwargs: Any) -> None:
        """Handle decoded content; override it."""

    def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send ``content`` as JSON; raises TypeError that names what cannot be JSON."""
        super().send(text_data=self.encode_json(content), close=close)

    @classmethod
    def decode_json(cls, text_data: str) -> Any:
        """Return what the text means; raises ValueError if it is no JSON."""
        return codec.decode(text_data)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Return ``content`` as JSON text."""
        return codec.encode(content)


class AsyncWebsocketConsumer(AsyncConsumer):
    """A WebSocket whose handlers are coroutine functions.

    Attributes:
        groups: groups of the channel layer the consumer belongs to while it is connected.
    """

    groups: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        messages.own_groups(self)

    async def websocket_connect(self, message: Message) -> None:
        """Join the groups, then let ``connect`` decide."""
        messages.require_groups(self)
        for group in self.groups or ():
            await self.channel_layer.group_add(group, self.channel_name)
        try:
            await self.connect()
        except AcceptConnection:
            await self.accept()
        except DenyConnection:
            await self.close()
        tell_unanswered(self)

    async def connect(self) -> None:
        """Accept the connection; override to decide (accept, close, AcceptConnection, DenyConnection)."""
        await self.accept()

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Accept the connection; the subprotocol is one of ``scope["subprotocols"]``."""
        await super().send(messages.accept(subprotocol, headers))

    async def websocket_receive(self, message: Message) -> None:
        """Hand a frame to ``receive``."""
        text = message.get("text")
        if text is not None:
            await self.receive(text_data=text)
        else:
            await self.receive(bytes_data=message["bytes"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle a frame; override it. Only one of the two is given."""

    async def send(  # type: ignore[override]  # speaks of frames where its base speaks of messages
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool | int = False
    ) -> None:
        """Send a text or a binary frame; then close, with a code if ``close`` is a number.

        Raises:
            ValueError: there is nothing to send.
        """
        if text_data is not None:
            await super().send({"type": "websocket.send", "text": text_data})
        else:
            await super().send(messages.binary_frame(bytes_data))
        if close:
            await self.close(close)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close the connection, or refuse it if it was not accepted yet (a 403)."""
        tell_refused(self, get_if_loaded)
        await super().send(messages.close(code, reason))

    @fastlane
    async def websocket_send(self, message: Message) -> None:
        """Pass a group's message on to the socket as it is: ``{"type": "websocket.send", "text": ...}``.

        Where it is not overridden, the layer writes to the sockets of idle consumers directly.
        """
        await super().send(message)

    async def websocket_disconnect(self, message: Message) -> None:
        """Leave the groups, tell ``disconnect``, end the consumer."""
        messages.require_groups(self)
        for group in self.groups or ():
            await self.channel_layer.group_discard(group, self.channel_name)
        await self.disconnect(message["code"])
        if connections_due():
            await aclose_old_connections()
        raise StopConsumer

    async def disconnect(self, code: int) -> None:
        """Do what is left to do when the connection has ended; override it."""


class AsyncJsonWebsocketConsumer(AsyncWebsocketConsumer):
    """An AsyncWebsocketConsumer whose frames hold JSON."""

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Decode a frame for ``receive_json``; raises ValueError for one without text."""
        await self.receive_json(await self.decode_json(messages.json_text(text_data)), **kwargs)

    async def receive_json(self, content: Any, *args: Any, **kwargs: Any) -> None:
        """Handle decoded content; override it."""

    async def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send ``content`` as JSON; raises TypeError that names what cannot be JSON."""
        await super().send(text_data=await self.encode_json(content), close=close)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """Return what the text means; raises ValueError if it is no JSON."""
        return codec.decode(text_data)

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """Return ``content`` as JSON text."""
        return codec.encode(content)
