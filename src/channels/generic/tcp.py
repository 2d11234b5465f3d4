"""Consumers for TCP connections: sync and async, with messages told apart by a framing.

The events are those of docs/reference/asgi-tcp.md. What the twins share is in
:mod:`channels.generic.tcp_messages`; what differs is only who waits.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from asgiref.sync import async_to_sync

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import aclose_old_connections, connections_due
from channels.diagnostics.advice import call_plain
from channels.exceptions import StopConsumer
from channels.generic import messages, tcp_messages
from channels.mailbox import BATCH
from channels.typing import Message

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class TcpConsumer(SyncConsumer):
    """A TCP connection whose handlers are plain functions, run in threads.

    Attributes:
        groups: groups of the channel layer the consumer belongs to while it is connected.
        framing: how messages are told apart: ``"lines"``, ``"length-prefix"``, ``"fixed"``,
            ``"netstring"``, ``"raw"`` (not at all), or a class with ``feed(bytes) -> messages`` and
            ``pack(message) -> bytes`` (see :class:`channels.protocols.framing.interfaces.Framing`).
        framing_options: the keyword arguments of the framing, such as ``{"max_size": 1024}``.
        idle_timeout: seconds for which neither side may say anything; None for no limit, a negative number
            for the server's own (``--tcp-idle-timeout``).
    """

    groups: Any = None
    framing: Any = "lines"
    framing_options: ClassVar[dict[str, Any]] = {}
    idle_timeout: float | None = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        messages.own_groups(self)

    def tcp_connect(self, message: Message) -> None:
        """Accept, join the groups, tell ``connected``."""
        messages.require_groups(self)
        accept = tcp_messages.begin(self)
        for group in self.groups or ():
            async_to_sync(self.channel_layer.group_add)(group, self.channel_name)
        super().send(accept)
        call_plain(self, self.connected)

    def connected(self) -> None:
        """Greet the peer, or look who it is and close; override it."""

    def tcp_receive(self, message: Message) -> None:
        """Hand each message to ``received``."""
        for each in tcp_messages.received(self, message["data"]):
            call_plain(self, self.received, each)
        if tcp_messages.incoming.get(self).must_close:
            self.close()

    def received(self, message: bytes) -> None:
        """Handle a message; override it."""

    def tcp_send(self, message: Message) -> None:
        """Send what a group says, ``{"type": "tcp.send", "data": b"..."}``, as one message."""
        TcpConsumer.send(self, message["data"])

    def send(self, message: bytes) -> None:  # type: ignore[override]  # speaks of messages of the framing
        """Send one message.

        Raises:
            ValueError: the framing cannot pack it.
            TypeError: it is no bytes.
        """
        super().send(tcp_messages.send(self, message))

    def close(self) -> None:
        """Close the connection, after what was sent; nothing more is received."""
        tcp_messages.incoming.get(self).stopped = True
        super().send({"type": "tcp.close"})

    def tcp_eof(self, message: Message) -> None:
        """Tell ``half_closed``: the peer sends nothing more."""
        tcp_messages.end(self)
        call_plain(self, self.half_closed)

    def half_closed(self) -> None:
        """The peer sends nothing more, and may still read; closes. Override it to go on sending."""
        self.close()

    def tcp_drain(self, message: Message) -> None:
        """Tell ``draining``: the server stops."""
        call_plain(self, self.draining, message["seconds"])

    def draining(self, seconds: float) -> None:
        """The server stops, and closes in ``seconds``: say goodbye and close; closes at once."""
        self.close()

    def tcp_disconnect(self, message: Message) -> None:
        """Leave the groups, tell ``disconnected``, end the consumer."""
        messages.require_groups(self)
        tcp_messages.end(self)
        for group in self.groups or ():
            async_to_sync(self.channel_layer.group_discard)(group, self.channel_name)
        call_plain(self, self.disconnected, message["reason"])
        raise StopConsumer

    def disconnected(self, reason: str) -> None:
        """Do what is left to do when the connection has ended; override it.

        Args:
            reason: why, such as ``closed``, ``lost``, ``eof``, ``idle``, ``silent`` or ``drain``.
        """


class AsyncTcpConsumer(AsyncConsumer):
    """A TCP connection whose handlers are coroutine functions.

    Attributes:
        groups: groups of the channel layer the consumer belongs to while it is connected.
        framing: how messages are told apart, see :class:`TcpConsumer`.
        framing_options: the keyword arguments of the framing.
        idle_timeout: seconds for which neither side may say anything, see :class:`TcpConsumer`.
    """

    groups: Any = None
    framing: Any = "lines"
    framing_options: ClassVar[dict[str, Any]] = {}
    idle_timeout: float | None = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        messages.own_groups(self)

    async def tcp_connect(self, message: Message) -> None:
        """Accept, join the groups, tell ``connected``."""
        messages.require_groups(self)
        accept = tcp_messages.begin(self)
        for group in self.groups or ():
            await self.channel_layer.group_add(group, self.channel_name)
        await super().send(accept)
        await self.connected()

    async def connected(self) -> None:
        """Greet the peer, or look who it is and close; override it."""

    async def tcp_receive(self, message: Message) -> None:
        """Hand each message to ``received``; others have their turn in between."""
        left = BATCH
        for each in tcp_messages.received(self, message["data"]):
            await self.received(each)
            if (left := left - 1) <= 0:
                left = BATCH
                await asyncio.sleep(0)
        if tcp_messages.incoming.get(self).must_close:
            await self.close()

    async def received(self, message: bytes) -> None:
        """Handle a message; override it."""

    async def tcp_send(self, message: Message) -> None:
        """Send what a group says, ``{"type": "tcp.send", "data": b"..."}``, as one message."""
        await AsyncTcpConsumer.send(self, message["data"])

    async def send(self, message: bytes) -> None:  # type: ignore[override]  # see TcpConsumer
        """Send one message; waits while the peer does not read.

        Raises:
            ValueError: the framing cannot pack it.
            TypeError: it is no bytes.
        """
        await super().send(tcp_messages.send(self, message))

    async def close(self) -> None:
        """Close the connection, after what was sent; nothing more is received."""
        tcp_messages.incoming.get(self).stopped = True
        await super().send({"type": "tcp.close"})

    async def tcp_eof(self, message: Message) -> None:
        """Tell ``half_closed``: the peer sends nothing more."""
        tcp_messages.end(self)
        await self.half_closed()

    async def half_closed(self) -> None:
        """The peer sends nothing more, and may still read; closes. Override it to go on sending."""
        await self.close()

    async def tcp_drain(self, message: Message) -> None:
        """Tell ``draining``: the server stops."""
        await self.draining(message["seconds"])

    async def draining(self, seconds: float) -> None:
        """The server stops, and closes in ``seconds``: say goodbye and close; closes at once."""
        await self.close()

    async def tcp_disconnect(self, message: Message) -> None:
        """Leave the groups, tell ``disconnected``, end the consumer."""
        messages.require_groups(self)
        tcp_messages.end(self)
        for group in self.groups or ():
            await self.channel_layer.group_discard(group, self.channel_name)
        await self.disconnected(message["reason"])
        if connections_due():
            await aclose_old_connections()
        raise StopConsumer

    async def disconnected(self, reason: str) -> None:
        """Do what is left to do when the connection has ended; override it.

        Args:
            reason: why, see :meth:`TcpConsumer.disconnected`.
        """
