"""The few types that everything else speaks: ASGI's, and ours for events that are pushed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]
Wakeup: TypeAlias = Callable[[], None]


class ConsumerApp(Protocol):
    """What ``as_asgi()`` returns: an ASGI application that knows what it makes.

    The call is typed as returning anything, because ``django.urls.path()``, where such an
    application goes, is typed for views.

    Attributes:
        consumer_class: the class of which every scope gets an instance.
        consumer_initkwargs: what the instances are made with.
        maker: makes an instance without calling it, for :mod:`channels.middleware`.
    """

    consumer_class: Any
    consumer_initkwargs: dict[str, Any]
    maker: Any

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one connection."""


#: Key in ``scope["extensions"]`` under which a server that can push puts its :class:`PushReceive`.
PUSH_EXTENSION = "channels.push"

#: Attribute of an event loop of our servers: a list of one number, how many tasks it has created.
TASKS_CREATED = "channels_tasks_created"


class EventSource(Protocol):
    """Where the messages of one consumer wait until it takes them.

    A source belongs to one event loop and is used from that loop's thread only.
    It keeps its own bound: what is not taken stays in the source, so that a server
    stops reading and a layer counts what is over capacity.
    """

    def receive_nowait(self) -> Message | None:
        """Take the oldest message, or None if there is none.

        Raises whatever ended the source (a backend's error) once nothing is left.
        """

    def set_wakeup(self, wakeup: Wakeup | None) -> None:
        """Call ``wakeup()`` after each message that arrives from now on; None to stop.

        What is waiting already is not announced: look with ``receive_nowait`` first.
        """


class PushReceive(EventSource, Protocol):
    """A source that also is the ``receive`` of an ASGI application.

    A consumer may skip ``await receive()`` and take messages directly, but only where
    the ``receive`` it was given equals ``source.receive``: a middleware that wraps
    ``receive`` wants to see every message.

    The source of a WebSocket may have a method ``refusal_logged()``: whoever is about to refuse the
    handshake, and has logged why, calls it, so that the server logs nothing beside it. It may have an
    attribute ``unanswered``, which is True while the handshake was neither accepted nor refused. That of a
    TCP connection may have a method ``write_nowait(data)``, which sends bytes without an event, or returns
    False; it may be used in place of a ``send`` that equals ``source.send``.
    """

    async def receive(self) -> Message:
        """The ASGI ``receive`` this source stands for."""
        ...
