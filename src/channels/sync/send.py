"""ASGI's ``send`` for handlers that run in threads."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import SyncToAsync, async_to_sync

from channels.sync.call import current_call
from channels.typing import PUSH_EXTENSION, Message, Scope, Send


class SyncSend:
    """Sends from a thread: ``send(message)`` instead of ``await send(message)``.

    It returns when the message was sent, and raises what sending raised. Sending a frame on an open
    WebSocket of our own server cannot fail, except that the peer has gone, which is no error: the
    caller does not wait for it, unless many frames are queued already.

    Args:
        send: the ASGI ``send``, of the loop that runs at the moment.
        scope: of the connection; says whether ``send`` is our own server's.
    """

    __slots__ = ("_loop", "_open", "_own", "_send")

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._own = is_servers_own(send, scope)
        self._open = False

    def __call__(self, message: Message) -> None:
        """Send ``message``; from any thread but the loop's.

        Raises:
            RuntimeError: it is the loop's thread, which must not wait for itself.
        """
        call = current_call()
        if call is not None and call.bridge.loop is self._loop:
            call.send(self._send, message, wait=not (self._open and is_frame(message)))
            if self._own:
                kind = message.get("type")
                self._open = kind == "websocket.accept" or (self._open and kind == "websocket.send")
        elif _belongs_to_a_loop() or self._loop.is_closed():
            async_to_sync(self._send)(message)
        else:
            asyncio.run_coroutine_threadsafe(_awaited(self._send, message), self._loop).result()


def is_frame(message: Message) -> bool:
    """Whether ``message`` is a frame that no server objects to."""
    if message.get("type") != "websocket.send":
        return False
    text, data = message.get("text"), message.get("bytes")
    return type(text) is str if data is None else type(data) is bytes and text is None


def is_servers_own(send: Any, scope: Scope) -> bool:
    """Whether ``send`` is that of our own server, perhaps behind a session, which lets frames pass."""
    source = scope.get("extensions", {}).get(PUSH_EXTENSION)
    own = getattr(source, "send", None)
    while own is not None and send != own:
        holder = getattr(send, "__self__", None)
        if "websocket.send" in getattr(holder, "save_message_types", ("websocket.send",)):
            return False
        send = getattr(holder, "real_send", None)
    return own is not None


def _belongs_to_a_loop() -> bool:
    """Whether ``async_to_sync`` knows what to do here: the loop's thread, or one that works for a loop."""
    if getattr(SyncToAsync.threadlocal, "main_event_loop", None) is not None:
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _awaited(send: Send, message: Message) -> None:
    await send(message)
