"""Consumers: classes whose methods handle the messages of one connection."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Any, ClassVar, Final, cast

from asgiref.sync import async_to_sync as async_to_sync  # noqa: PLC0414
from asgiref.sync import iscoroutinefunction
from django.utils.functional import empty

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.core.broadcast import BROADCAST_TYPE
from channels.core.database import opened
from channels.core.lazy import get_if_loaded
from channels.core.private import PrivateField
from channels.core.scope import ConnectionScope
from channels.db import (
    DatabaseSyncToAsync,
    aclose_old_connections,
    connections_due,
    strand_for,
    thread_call,
)
from channels.db import database_sync_to_async as database_sync_to_async  # noqa: PLC0414
from channels.diagnostics.advice import remedy_for
from channels.exceptions import StopConsumer
from channels.layers.base import BaseChannelLayer
from channels.layers.engine import engine_of, pushing_engine
from channels.layers.manager import get_channel_layer as get_channel_layer  # noqa: PLC0414
from channels.mailbox import (
    ACCESS_SOURCE,
    AuthChanged,
    Mailbox,
    ReceiveTask,
    close_without_pending_receive,
    direct_write,
    handler_names,
    is_fastlane,
    pushing_receive,
)
from channels.mailbox import get_handler_name as get_handler_name  # noqa: PLC0414
from channels.middleware import InstanceFactory
from channels.sync.context import enter_context
from channels.sync.send import SyncSend
from channels.typing import ConsumerApp, Message, Receive, Scope, Send
from channels.utils import await_many_dispatch as await_many_dispatch  # noqa: PLC0414

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

# The names that are imported "as" themselves are imported from here by many, used here or not.

_OWN_HANDLER_NAME = get_handler_name
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

    scope: ConnectionScope
    channel_layer: BaseChannelLayer
    channel_name: str
    base_send: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, from its first message to StopConsumer."""
        self.scope = scope  # type: ignore[assignment]  # cast() is a call, for each connection
        self.channel_layer = get_channel_layer(self.channel_layer_alias)
        connection = enter_context(scope)
        mailbox, engine, calls_handlers = Mailbox(), None, has_own_dispatch(self)
        _mailbox.set(self, mailbox)
        try:
            own_send = listen_to_server(mailbox, scope, receive, send)
            self.base_send = SyncSend(own_send, scope) if self._sync else own_send
            if ACCESS_SOURCE in scope:
                listen_to_access(mailbox, scope)
            if self.channel_layer is not None:  # a coroutine less for each connection, row "connects"
                engine = await listen_to_layer(self, mailbox, calls_handlers)
            # No coroutine of dispatch() for each message if it is ours, rows "echo" and "chat". A bound
            # method is called faster than a partial.
            handle: Callable[[Any], Any] = MethodType(call_handler, self) if calls_handlers else self.dispatch
            for wrap in telemetry.handler_wrappers:
                handle = wrap(self, handle)
            await mailbox.deliver(handle)
        except StopConsumer:
            return
        except Exception as error:
            if mailbox.failed is not None:
                error.add_note(describe_failure(self, mailbox.failed))
                if remedy := remedy_for(error, self):
                    error.add_note(remedy)
            raise
        finally:
            receive_tasks = mailbox.close()
            if connection is not None:
                connection.end()
            leave_layer(self, engine)
            for receive_task in receive_tasks:
                await receive_task.aclose()

    @functools.cached_property
    def channel_receive(self) -> Callable[[], Awaitable[Message]]:
        """The coroutine function that waits for a message of the consumer's channel."""
        return functools.partial(self.channel_layer.receive, self.channel_name)

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
        base_send = self.base_send  # looked up as a method of the class it would take longer (row "echo")
        try:
            await base_send(message)
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
        application.maker = InstanceFactory(app, functools.partial(cls, **initkwargs))
        return application


class _Dispatch(DatabaseSyncToAsync[["SyncConsumer", Message], None]):
    """``dispatch`` of a sync consumer: the whole handler is one call in a thread."""

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Make the call; the thread is free for other connections after it."""
        strand = strand_for(self)
        if strand is None:
            await super().__call__(*args, **kwargs)
        else:
            await thread_call(self.func, describe_failure, *args, **kwargs).run(strand, whole=True)


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


#: The code with which a WebSocket is closed unless its consumer has a handler ``auth_changed``.
AUTH_CHANGED: Final = 4401
#: Under this name and no other a consumer is asked whether it wants to hear of the layer's reconnects.
_RECONNECTED = "channel_layer_reconnected"
_mailbox: PrivateField[Mailbox | None] = PrivateField("mailbox", None)


def listen_to_server(mailbox: Mailbox, scope: Scope, receive: Receive, send: Send) -> Send:
    """Read from the server; returns the ``send`` that goes with how it is read."""
    source = pushing_receive(scope, receive)
    if source is not None:
        mailbox.add(source, direct_write(source, send))
        return send
    receive_task = ReceiveTask(receive)
    mailbox.add(receive_task)
    return close_without_pending_receive(receive_task, send)


def listen_to_access(mailbox: Mailbox, scope: Scope) -> None:
    """Have the mailbox told when the user loses the right to the connection."""
    source = scope[ACCESS_SOURCE]
    source.scope = scope
    mailbox.add(source)


async def listen_to_layer(consumer: AsyncConsumer, mailbox: Mailbox, calls_handlers: bool) -> Any:
    """Give the consumer a channel, and read it.

    Args:
        consumer: the consumer.
        mailbox: where it waits.
        calls_handlers: see :func:`has_own_dispatch`.

    Returns:
        The engine that pushes the channel's messages; None if a task asks for them.
    """
    layer: Any = consumer.channel_layer
    name = consumer.channel_name = await layer.new_channel()
    engine = pushing_engine(layer)
    if engine is not None:
        wants_notice = callable(getattr(consumer, _RECONNECTED, None))
        source = engine.attach(name, reconnect_notice=wants_notice)
        set_direct = getattr(source, "set_direct", None)  # those of others need none
        if set_direct and mailbox.direct is not None and passes_broadcasts_on(consumer, calls_handlers):
            set_direct(mailbox.write_idle)
        mailbox.add(source)
    else:
        mailbox.add(ReceiveTask(functools.partial(layer.receive, name)))
    return engine


def leave_layer(consumer: AsyncConsumer, engine: Any) -> None:
    """End the channel, so that nothing of this connection is left in the layer.

    Args:
        consumer: the consumer.
        engine: what :func:`listen_to_layer` returned; None if it did not come so far.
    """
    if engine is not None:
        engine.detach(consumer.channel_name)
        return
    layer: Any = consumer.channel_layer
    if layer is None or "channel_name" not in consumer.__dict__:
        return
    engine = engine_of(layer) or layer
    detach = getattr(engine, "detach", None)
    if detach is None:
        return
    # An AsyncMock of a layer has every attribute, as a coroutine function; this one would never be awaited.
    if hasattr(type(engine), "detach") or not iscoroutinefunction(detach):
        detach(consumer.channel_name)


def passes_broadcasts_on(consumer: AsyncConsumer, calls_handlers: bool) -> bool:
    """Whether the consumer hands messages of type ``websocket.send`` to the server unseen."""
    if not is_fastlane(getattr(consumer, _BROADCAST_HANDLER, None)):
        return False
    if calls_handlers:
        return True
    for cls in type(consumer).__mro__:
        if "dispatch" in cls.__dict__:
            return cls in (AsyncConsumer, SyncConsumer)
    return False


def has_own_dispatch(consumer: AsyncConsumer) -> bool:
    """Whether ``dispatch`` is that of AsyncConsumer, not overridden, and what it calls is ours."""
    is_own = getattr(consumer.dispatch, "__func__", None) is AsyncConsumer.dispatch
    return is_own and get_handler_name is _OWN_HANDLER_NAME


def call_handler(consumer: AsyncConsumer, message: Message) -> Awaitable[None]:
    """Do as ``AsyncConsumer.dispatch`` does, with fewer calls; returns what is to be awaited."""
    if opened and connections_due():
        return consumer.dispatch(message)
    try:
        handler = getattr(consumer, handler_names[message["type"]])
    except (AttributeError, KeyError):
        handler = find_handler(consumer, message)  # raises: there is none
    handled: Awaitable[None] = handler(message)
    return handled


def find_handler(consumer: AsyncConsumer, message: Message) -> Callable[[Message], Any]:
    """Return the consumer's method for ``message``, or raise ValueError."""
    handler_name = get_handler_name(message)
    handler: Callable[[Message], Any] | None = getattr(consumer, handler_name, None)
    if handler is None and isinstance(message, AuthChanged):
        kind = SyncConsumer if consumer._sync else AsyncConsumer
        return lambda message: kind.send(consumer, {"type": "websocket.close", "code": AUTH_CHANGED})
    if handler is None:
        raise ValueError(
            f"No handler for message type {message['type']}: "
            f"define {type(consumer).__name__}.{handler_name}(self, event)."
        )
    return handler


def describe_failure(consumer: AsyncConsumer, message: Message) -> str:
    """Say where an error happened, for the log: consumer, handler, path and user."""
    cls = type(consumer)
    path = consumer.scope.get("path", consumer.scope.get("channel"))
    return (
        f"In consumer {cls.__module__}.{cls.__qualname__}, handling {message.get('type')!r}, "
        f"path {path!r}, user {describe_user(consumer.scope.get('user'))}."
    )


def is_late(consumer: AsyncConsumer, error: Exception) -> bool:
    """Whether ``send`` failed because the peer has gone; then it is counted.

    Servers say so with an OSError (ASGI 2.4), or with whatever they raise once the
    consumer has been told of the disconnect.
    """
    mailbox = _mailbox.get(consumer)
    late = isinstance(error, OSError) or (mailbox is not None and mailbox.peer_gone)
    if late:
        telemetry.count("consumer.late_send", consumer=type(consumer).__qualname__)
    return late


def describe_user(user: Any) -> str:
    """Name the user of a scope without looking anything up."""
    known = get_if_loaded(user)
    if known is empty:
        return "not looked up"
    if not hasattr(known, "get_username"):
        return "unknown"
    return repr(known.get_username()) if known.get_username() else "anonymous"
