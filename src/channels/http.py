"""Django's pages over ASGI, at the price they have under WSGI.

Django's own handler takes a sync view to a thread and back several times for each request,
and to the same thread for all requests. Here a request whose view is sync is handled whole in
one call in a thread, as under WSGI: its middleware, its view, its signals, its database
connection. A request whose view is async runs in the event loop, as in Django's handler.
"""

from __future__ import annotations

import asyncio
import copy
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Final

import django
from asgiref.sync import SyncToAsync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler as DjangoHandler
from django.core.handlers.asgi import get_script_prefix
from django.http import FileResponse
from django.urls import URLPattern, URLResolver, get_resolver, set_script_prefix
from django.utils.module_loading import import_string

from channels.core.absent import explain_absent
from channels.core.denial import means_busy, refuse_busy
from channels.core.private import PrivateField
from channels.core.responses import has_own_close, headers_of, path_to_send
from channels.diagnostics.loggers import escaped
from channels.exceptions import ThreadPoolExhausted
from channels.sync.call import ThreadCall, in_thread
from channels.sync.context import bridge, current_strand, enter_context, leave_thread, saturation
from channels.typing import Message, Receive, Scope, Send

__all__ = ["ASGIHandler", "get_asgi_application"]

#: Bytes of a streamed response that are made in one call in the thread, if they come at once.
SLICE: Final = 2**18
#: Seconds for which the thread of a page waits at most until the server has taken the body.
SENDING: Final = 0.05


def get_asgi_application() -> ASGIHandler:
    """Set Django up and return its ASGI application: a drop-in for ``django.core.asgi``'s.

    Sync views and their middleware run in one of ``CHANNELS_THREADS`` threads, one call per
    request; async views in the event loop.
    """
    django.setup(set_prefix=False)
    return ASGIHandler()


class ASGIHandler(DjangoHandler):
    """Django's handler for ASGI requests, which runs sync pages as WSGI does.

    A request is handled in a thread if its view is sync and no middleware insists on being
    async. What can be overridden in Django's handler can be overridden here as well. The
    middleware is instantiated once, and a second time when the first async view is called.
    """

    def __init__(self) -> None:
        _sync_capable.set(
            self, all(getattr(import_string(path), "sync_capable", True) for path in settings.MIDDLEWARE)
        )
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain of middleware: a sync one if possible, as most pages need that."""
        _is_async.set(self, is_async and not _sync_capable.get(self))
        super().load_middleware(is_async=_is_async.get(self))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one HTTP request; raises ValueError for a scope of another type."""
        connection = enter_context(scope)
        try:
            if scope["type"] == "http" and SyncToAsync.thread_sensitive_context.get(None) is not None:
                # Sync code has its context; Django's handler would look for one around this.
                await self.handle(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)
        except (ThreadPoolExhausted, ExceptionGroup) as error:
            if not means_busy(error):
                raise
            await refuse_busy(scope, receive, send, error)
        finally:
            if connection is not None:
                connection.end()

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request in the event loop or in a thread, as its view demands."""
        routes = _routes_of(self)
        if routes is None or routes.resolver is not get_resolver(None):
            routes = _Routes(get_resolver(None))
            _routes.set(self, routes)
        # A wrong guess costs time, no more: either chain of middleware runs views of both kinds.
        if _is_async_of(self) or (routes.some_are_async and routes.is_async(scope)):
            await super().handle(scope, receive, send)
            return
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        threaded = _ThreadedRequest(self, scope, body_file, send)
        try:
            if await threaded.run(threaded.make, saturation.admit()):
                await stream(self, threaded, receive)
        finally:
            body_file.close()
            leave_thread()

    async def send_response(self, response: Any, send: Any) -> None:
        """Send a response; one that breaks off is closed, and ``request_finished`` told, as any other."""
        try:
            await super().send_response(response, send)
        except Exception:
            await sync_to_async(response.close)()
            raise

    def create_request(self, scope: Any, body_file: Any) -> Any:
        """Return Django's request, or its refusal; a body that came without a length has one by now."""
        if scope["method"] not in ("GET", "HEAD"):
            scope = with_length(scope, body_file)
        return super().create_request(scope, body_file)

    async def get_response_async(self, request: Any) -> Any:
        """Return the response to a request whose view runs in the event loop."""
        if _is_async.get(self):
            return await super().get_response_async(request)
        return await async_twin(self).get_response_async(request)

    async def read_body(self, receive: Any) -> Any:
        """Read the whole body, so that no thread waits for a slow client.

        What is larger than ``FILE_UPLOAD_MAX_MEMORY_SIZE`` goes to a file on disk.

        Raises:
            RequestAborted: the client left meanwhile.
        """
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            return io.BytesIO(message.get("body", b""))
        return await super().read_body(_again(message, receive))


def with_length(scope: Scope, body_file: Any) -> Scope:
    """Return ``scope`` with the length of a body that came in chunks: Django parses no upload without it.

    Args:
        scope: of the request.
        body_file: its whole body, to be read from the beginning.
    """
    if any(name == b"content-length" for name, _ in scope["headers"]):
        return scope
    size = body_file.seek(0, os.SEEK_END) or body_file.tell()  # a spooled file's seek() returns None
    body_file.seek(0)
    return {**scope, "headers": [*scope["headers"], (b"content-length", b"%d" % size)]} if size else scope


#: Whether the chain of middleware is the async one, and whether it can be the sync one.
_is_async: PrivateField[bool] = PrivateField("async", False)
_is_async_of = _is_async.reader(ASGIHandler)
_sync_capable: PrivateField[bool] = PrivateField("sync capable", True)
_twin: PrivateField[ASGIHandler | None] = PrivateField("twin", None)


async def stream(handler: ASGIHandler, threaded: _ThreadedRequest, receive: Receive) -> None:
    """Send a response whose content is an iterator, until its end or the client's."""
    listener = asyncio.ensure_future(handler.listen_for_disconnect(receive))
    sender = asyncio.ensure_future(threaded.stream())
    try:
        await asyncio.wait((listener, sender), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, listener):
            task.cancel()
        await asyncio.wait((listener, sender))
        # The response is closed even if this task is cancelled.
        await asyncio.shield(threaded.run(threaded.close))
    if not sender.cancelled():
        sender.result()


def async_twin(handler: ASGIHandler) -> ASGIHandler:
    """Return this handler with the async chain of middleware."""
    twin = _twin.get(handler)
    if twin is None:
        twin = copy.copy(handler)
        _sync_capable.set(twin, False)
        twin.load_middleware(is_async=True)
        _twin.set(handler, twin)
    return twin


class _Routes:
    """What is known of a URLconf: whether any of its views is async, and which, as far as a path tells."""

    def __init__(self, resolver: URLResolver) -> None:
        self.resolver = resolver
        self.some_are_async = any(iscoroutinefunction(view) for view in _views(resolver))

    def is_async(self, scope: Scope) -> bool:
        path = scope["path"]
        prefix = get_script_prefix(scope)
        try:
            match = self.resolver.resolve(path.removeprefix(prefix) if prefix else path)
        except Exception:  # Resolver404, or whatever a converter of paths does in the wrong place
            return False
        return iscoroutinefunction(match.func)


_routes: PrivateField[_Routes | None] = PrivateField("routes", None)
_routes_of = _routes.reader(ASGIHandler)


def _views(resolver: URLResolver) -> Iterator[Any]:
    for route in resolver.url_patterns:
        if isinstance(route, URLPattern):
            yield route.callback
        else:
            yield from _views(route)


class _ThreadedRequest:
    """One request that is handled in a thread, and its response.

    Args:
        handler: has the sync chain of middleware.
        scope: of the request.
        body_file: its body, complete.
        send: ASGI's.
    """

    __slots__ = (
        "_body_file",
        "_bridge",
        "_handler",
        "_parts",
        "_response",
        "_scope",
        "_send",
        "_strand",
    )

    def __init__(self, handler: ASGIHandler, scope: Scope, body_file: Any, send: Send) -> None:
        self._handler = handler
        self._scope = scope
        self._body_file = body_file
        self._send = send
        self._bridge = bridge()
        self._strand = current_strand()
        self._parts: Iterator[Any] | None = None
        self._response: Any = None

    async def run(self, call: Callable[[], Any], queued_at: float = 0.0) -> Any:
        """Have ``call`` made in the thread of this request; returns what it does.

        Raises:
            ThreadPoolExhausted: no thread was free for too long since ``queued_at``, in ``time.monotonic()``.
        """
        thread_call = ThreadCall(self._bridge, call, self._describe)
        thread_call.queued_at = queued_at
        return await thread_call.run(self._strand)

    def _describe(self) -> str:
        return f"In the page {self._scope['method']} {escaped(self._scope['path'])}."

    # In the thread

    def make(self) -> bool:
        """Handle the request and send the response; returns True if what it streams is not sent yet."""
        response = self._response = self._respond()
        try:
            start = {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": headers_of(response),
            }
            if response.streaming:
                self._send_from_thread(start)
            else:
                # Waiting costs a sync page 10 to 40 % (row "page"); only a close() of its own can tell.
                send = self._send_awaited if has_own_close(response) else self._send_from_thread
                send(start, {"type": "http.response.body", "body": response.content})
        except BaseException:
            response.close()
            raise
        if not response.streaming:
            response.close()
            if self._strand is not None:
                self._strand.finish()
        return bool(response.streaming)

    def _respond(self) -> Any:
        handler, scope = self._handler, self._scope
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=handler.__class__, scope=scope)
        request, refusal = handler.create_request(scope, self._body_file)
        response: Any = refusal
        if request is not None:
            response = handler.get_response(request)
            response._handler_class = handler.__class__
        if isinstance(response, FileResponse):
            response.block_size = handler.chunk_size
        return response

    def _send_from_thread(self, *messages: Message) -> None:
        in_thread.call.send(self._send_ignoring_disconnect, messages, wait=False)

    def _send_awaited(self, *messages: Message) -> None:
        """Send, and wait until the server has taken the messages.

        The wait ends after :data:`SENDING` seconds: a client that reads slowly must hold no thread.
        """
        sent = threading.Lock()
        sent.acquire()

        async def send(messages: Iterable[Message]) -> None:
            try:
                await self._send_ignoring_disconnect(messages)
            finally:
                sent.release()

        in_thread.call.send(send, messages, wait=False)
        sent.acquire(timeout=SENDING)

    async def _send_ignoring_disconnect(self, messages: Iterable[Message]) -> None:
        """Send one message after the other; that the client has gone is no error."""
        try:
            for message in messages:
                await self._send(message)
        except OSError:
            return

    def _slice(self) -> bool:
        """Send what the response's iterator has, up to :data:`SLICE` bytes; False when it has ended.

        It does not wait for a client that reads slowly: that is done without a thread.
        """
        if self._parts is None:
            self._parts = iter(self._response)
        size = 0
        for part in self._parts:
            self._send_from_thread({"type": "http.response.body", "body": part, "more_body": True})
            size += len(part)
            if size >= SLICE or in_thread.call.is_behind:
                return True
        return False

    def close(self) -> None:
        """Close the response, which sends ``request_finished``; called in the thread."""
        self._response.close()

    # In the loop

    async def stream(self) -> None:
        """Send the parts of the response, or the name of its file to a server that reads files itself."""
        path = path_to_send(self._response, self._scope)
        if path is not None:
            await self._send_ignoring_disconnect([{"type": "http.response.pathsend", "path": path}])
            return
        if self._response.is_async:
            async with aclosing(aiter(self._response)) as parts:
                async for part in parts:
                    await self._send_ignoring_disconnect(
                        [{"type": "http.response.body", "body": part, "more_body": True}]
                    )
        else:
            while await self.run(self._slice):
                pass
        await self._send_ignoring_disconnect([{"type": "http.response.body"}])


def _again(message: Message, receive: Receive) -> Receive:
    """Return ``receive`` as it was before ``message`` was taken from it."""
    waiting = [message]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


#: What a module of this name had in Channels 2 and 3; code of today asks for them to find out the version. In
#: Channels 4 the module is missing, and that is what feature tests catch.
_FORMER_NAME = "since Channels 4 there is django.core.asgi.get_asgi_application()."
explain_absent(__name__, dict.fromkeys(("AsgiHandler", "AsgiRequest"), _FORMER_NAME), ModuleNotFoundError)
