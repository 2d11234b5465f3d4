"""Consumers: classes whose methods handle the messages of one connection."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, cast

from asgiref.sync import iscoroutinefunction
from django.utils.functional import empty

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.advice import remedy_for
from channels.broadcast import BROADCAST_TYPE
from channels.db import DatabaseSyncToAsync, aclose_old_connections, connections_due
from channels.dispatch import (
    Mailbox,
    Pump,
    direct_write,
    get_handler_name,
    pausing,
    pushes,
    pushing_receive,
)
from channels.exceptions import StopConsumer
from channels.layers.manager import get_channel_layer
from channels.lazy import peek
from channels.middleware import Maker
from channels.threads.lanes import begin, end
from channels.threads.sending import SyncSend
from channels.typing import ConsumerApp, Message, Receive, Scope, Send

__all__ = ["AsyncConsumer", "SyncConsumer", "get_handler_name"]

_BROADCAST_HANDLER = get_handler_name({"type": BROADCAST_TYPE})


class AsyncConsumer:
    """Calls the method named after each message's type: ``chat.message`` goes to ``chat_message``.

    There is one instance per connection (per scope). Messages come from the server and, if a
    channel layer is configured, from the consumer's own channel; they are handled one at a
    time and in order.

    Attributes:
        scope: what the connection is about, see the ASGI specification.
        channel_layer: the layer of ``channel_layer_alias``, or None.
        channel_name: the consumer's own channel in that layer.
        base_send: the ``send`` the application was called with.
    """

    _sync: ClassVar[bool] = False
    channel_layer_alias: str = DEFAULT_CHANNEL_LAYER

    scope: Scope
    channel_layer: Any
    channel_name: str
    base_send: Any
    _mailbox: Mailbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, from its first message to StopConsumer."""
        self.scope = scope
        self.channel_layer = get_channel_layer(self.channel_layer_alias)
        connection = begin(scope)
        mailbox = self._mailbox = Mailbox()
        try:
            own_send = self._listen_to_server(mailbox, receive, send)
            self.base_send = SyncSend(own_send, scope) if self._sync else own_send
            await self._listen_to_layer(mailbox)
            await mailbox.deliver(self._dispatch())
        except StopConsumer:
            return
        except Exception as error:
            if mailbox.failed is not None:
                error.add_note(self._describe(mailbox.failed))
                if remedy := remedy_for(error, self):
                    error.add_note(remedy)
            raise
        finally:
            pumps = mailbox.close()
            end(connection)
            self._leave_layer()
            for pump in pumps:
                await pump.aclose()

    @functools.cached_property
    def channel_receive(self) -> Callable[[], Awaitable[Message]]:
        """The coroutine function that waits for a message of the consumer's channel."""
        return functools.partial(self.channel_layer.receive, self.channel_name)

    def _listen_to_server(self, mailbox: Mailbox, receive: Receive, send: Send) -> Send:
        """Read from the server; returns the ``send`` that goes with how it is read."""
        source = pushing_receive(self.scope, receive)
        if source is not None:
            mailbox.add(source)
            mailbox.direct = direct_write(source, send)
            return send
        pump = Pump(receive)
        mailbox.add(pump)
        return pausing(pump, send)

    async def _listen_to_layer(self, mailbox: Mailbox) -> None:
        if self.channel_layer is None:
            return
        self.channel_name = await self.channel_layer.new_channel()
        if pushes(self.channel_layer):
            wants_notice = hasattr(self, "channel_layer_reconnected")
            source = self.channel_layer.attach(self.channel_name, reconnect_notice=wants_notice)
            if mailbox.direct is not None and self._passes_broadcasts_on():
                source.direct = mailbox.write_idle
            mailbox.add(source)
        else:
            mailbox.add(Pump(self.channel_receive))

    def _passes_broadcasts_on(self) -> bool:
        """Whether nobody here wants to see the messages that a group sends to its sockets."""
        handler = getattr(self, _BROADCAST_HANDLER, None)
        if getattr(handler, "passes_on", None) is not True:
            return False
        if self._dispatches_itself():
            return True
        for cls in type(self).__mro__:
            if "dispatch" in cls.__dict__:
                return cls in (AsyncConsumer, SyncConsumer)
        return False

    def _leave_layer(self) -> None:
        """End the channel, so that nothing of this connection is left in the layer."""
        layer = self.channel_layer
        detach = getattr(layer, "detach", None)
        if "channel_name" not in self.__dict__ or detach is None:
            return
        # A test's AsyncMock of a layer has anything, as a coroutine function that nobody would await.
        if hasattr(type(layer), "detach") or not iscoroutinefunction(detach):
            detach(self.channel_name)

    def _describe(self, message: Message) -> str:
        """Say where an error happened, for whoever logs it: consumer, handler, path and user."""
        cls = type(self)
        path = self.scope.get("path", self.scope.get("channel"))
        return (
            f"In consumer {cls.__module__}.{cls.__qualname__}, handling {message.get('type')!r}, "
            f"path {path!r}, user {describe_user(self.scope.get('user'))}."
        )

    def _dispatch(self) -> Callable[[Message], Awaitable[None]]:
        """Return what handles each message: ``dispatch``, without a coroutine for it if it is ours."""
        return self._call_handler if self._dispatches_itself() else self.dispatch

    def _dispatches_itself(self) -> bool:
        return getattr(self.dispatch, "__func__", None) is AsyncConsumer.dispatch

    def _call_handler(self, message: Message) -> Awaitable[None]:
        if connections_due():
            return self.dispatch(message)
        handled: Awaitable[None] = find_handler(self, message)(message)
        return handled

    async def dispatch(self, message: Message) -> None:
        """Call the handler of ``message``.

        Raises:
            ValueError: there is no method for its type.
        """
        handler = find_handler(self, message)
        if connections_due():
            await aclose_old_connections()
        await handler(message)

    async def send(self, message: Message) -> None:
        """Send an ASGI message to the server.

        If the peer has gone meanwhile nothing is sent: that is counted (telemetry
        ``consumer.late_send``) and no error, whatever the server makes of it.
        """
        try:
            await self.base_send(message)
        except Exception as error:
            if not is_late(self, error):
                raise
            # Who sends in a loop and waits for nothing else must not hold up everybody.
            await asyncio.sleep(0)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ConsumerApp:
        """Return an ASGI application that makes a new instance, ``cls(**initkwargs)``, per scope."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            consumer = cls(**initkwargs)
            await consumer(scope, receive, send)

        application = cast("ConsumerApp", functools.update_wrapper(app, cls, updated=()))
        application.consumer_class = cls
        application.consumer_initkwargs = initkwargs
        application.maker = Maker(app, functools.partial(cls, **initkwargs))
        return application


class _Dispatch(DatabaseSyncToAsync[..., None]):
    """A handler that is a visit to a thread as a whole."""

    whole = True

    def describe(self, *args: Any, **kwargs: Any) -> str:
        consumer, message = args
        return str(consumer._describe(message))


class SyncConsumer(AsyncConsumer):
    """An AsyncConsumer whose handlers are plain functions, run in a thread.

    Handlers of one connection run one at a time and in order, each in one thread; of many
    connections at most as many at once as setting ``CHANNELS_THREADS`` says. One that holds
    its thread longer than ``CHANNELS_SLOW_HANDLER`` seconds is logged, with its stack.

    ``send`` raises what sending raised; it may return before a frame of an open WebSocket
    has left.
    """

    _sync = True

    @_Dispatch
    def dispatch(self, message: Message) -> None:
        """Call the handler of ``message`` in a thread; raises ValueError if there is none."""
        find_handler(self, message)(message)

    def send(self, message: Message) -> None:  # type: ignore[override]  # the sync face of the same
        """Send an ASGI message to the server; counted and no error if the peer has gone."""
        try:
            self.base_send(message)
        except Exception as error:
            if not is_late(self, error):
                raise


def find_handler(consumer: AsyncConsumer, message: Message) -> Callable[[Message], Any]:
    """Return the consumer's method for ``message``, or raise ValueError."""
    handler_name = get_handler_name(message)
    handler: Callable[[Message], Any] | None = getattr(consumer, handler_name, None)
    if handler is None:
        raise ValueError(
            f"No handler for message type {message['type']}: "
            f"define {type(consumer).__name__}.{handler_name}(self, event)."
        )
    return handler


def is_late(consumer: AsyncConsumer, error: Exception) -> bool:
    """Whether ``send`` failed because nobody is there any more; then it is counted.

    Servers say so with an OSError (ASGI 2.4), or with whatever they raise once the
    consumer has been told of the disconnect.
    """
    mailbox = consumer._mailbox
    late = isinstance(error, OSError) or (mailbox is not None and mailbox.peer_gone)
    if late:
        telemetry.count("consumer.late_send", consumer=type(consumer).__qualname__)
    return late


def describe_user(user: Any) -> str:
    """Name the user of a scope without looking anything up."""
    known = peek(user)
    if known is empty:
        return "not looked up"
    if not hasattr(known, "get_username"):
        return "unknown"
    return repr(known.get_username()) if known.get_username() else "anonymous"
