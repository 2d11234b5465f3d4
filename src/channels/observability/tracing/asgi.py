"""Requests and handshakes: a span of the server for each, which goes on with the trace of its client."""

from __future__ import annotations

from typing import Any, Final

from channels.mailbox import may_be_left_out
from channels.observability.tracing.api import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    context,
    fail,
    propagate,
    trace,
)
from channels.typing import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class TracedApplication:
    """An application whose requests and handshakes have spans.

    A WebSocket's span ends when it is accepted or refused: what it says afterwards has spans of its own.

    Args:
        app: the application.
        tracer: makes the spans.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        span = self._tracer.start_span(
            _method(scope) if scope["type"] == "http" else "GET",
            context=propagate.extract(_headers(scope)),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope),
        )
        token = context.attach(trace.set_span_in_context(span))
        answer = _Answer(span, send)
        try:
            await self._app(scope, receive, answer.send)
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            span.end()  # harmless if it has ended
            context.detach(token)


class _Answer:
    """Notes on a span how a request was answered.

    Args:
        span: of the request.
        inner: ASGI's ``send``.
    """

    __slots__ = ("_inner", "_span")

    def __init__(self, span: Span, inner: Send) -> None:
        self._span, self._inner = span, inner

    async def send(self, message: Message) -> None:
        """Hand a message on."""
        status = _STATUS.get(message.get("type", ""))
        await self._inner(message)
        if status is not None:
            _answered(self._span, int(message.get("status", status)))
            if message["type"] == "websocket.accept":
                self._span.end()

    def inner(self, kind: str) -> Send:
        """Return the ``send`` that gets broadcasts as they are."""
        return self._inner


# A broadcast goes past it, straight to the socket.
may_be_left_out(_Answer.send, _Answer.inner)

#: What answers a request, and with which status if it does not say.
_STATUS: Final = {
    "http.response.start": 200,
    "websocket.accept": 101,
    "websocket.http.response.start": 403,
    "websocket.close": 403,
}


def _answered(span: Span, status: int) -> None:
    if not span.is_recording():
        return
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in _METHODS else "HTTP"


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that carry a trace."""
    found = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
    return {
        name: found[name].decode("latin-1") for name in propagate.get_global_textmap().fields if name in found
    }


def _attributes(scope: Scope) -> dict[str, Any]:
    """Return what is known of a request; no query string, which may hold tokens."""
    is_http = scope["type"] == "http"
    method = str(scope["method"]) if is_http else "GET"
    found: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.path": scope["path"],
        "url.scheme": scope.get("scheme", "http" if is_http else "ws"),
        "network.protocol.name": "http" if is_http else "websocket",
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if scope.get("client"):
        found["client.address"] = scope["client"][0]
    if scope.get("server"):
        found["server.address"], found["server.port"] = scope["server"][0], scope["server"][1] or 0
    return found
