"""Requests and handshakes: a span of the server for each, which goes on with the trace of its client."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, get_args

from channels import telemetry
from channels.mailbox import may_be_left_out
from channels.observability.tracing.api import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    begin,
    context,
    end,
    fail,
    propagate,
    trace,
)
from channels.observability.tracing.propagation import LONGEST_STATE, links_to, span_of
from channels.observability.tracing.routes import Served
from channels.typing import ASGIApp, Message, Receive, Scope, Send

#: What becomes of a trace that a request names.
Incoming: TypeAlias = Literal["parent", "link", "ignore"]

_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


#: Characters of a header that propagators of the project's choice get, as W3C has it for ``baggage``.
_LONGEST_HEADER: Final = 8192
#: Characters of a method that nobody knows.
_LONGEST_METHOD: Final = 32


class TracedApplication:
    """An application whose requests and handshakes have spans.

    A WebSocket's span ends when it is accepted or refused: what it says afterwards has spans of its own.

    Args:
        app: the application.
        tracer: makes the spans.
        incoming: see :func:`~channels.observability.tracing.setup.traced`.

    Raises:
        ValueError: ``incoming`` is none of these.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer, incoming: Incoming = "parent") -> None:
        if incoming not in get_args(Incoming):
            raise ValueError(f"incoming is {incoming!r}; it is one of {', '.join(get_args(Incoming))}.")
        self._app, self._tracer, self._incoming = app, tracer, incoming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        method = _method(scope) if scope["type"] == "http" else "GET"
        theirs = context.Context() if self._incoming == "ignore" else _named_by(scope)
        parent = theirs if self._incoming == "parent" else context.Context()
        span = begin(
            self._tracer,
            method,
            context=parent,
            kind=SpanKind.SERVER,
            attributes=_attributes(scope),
            links=links_to(span_of(theirs)) if self._incoming == "link" else None,
        )
        token = context.attach(Served(span, method).within(trace.set_span_in_context(span, parent)))
        answer = _Answer(span, send)
        try:
            await self._app(scope, receive, answer.send)
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            end(span)
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
                end(self._span)

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


def _named_by(scope: Scope) -> context.Context:
    """Return the context that a request names, by the propagators of the project; an empty one if none."""
    found = _headers(scope)
    if len(found.get("traceparent", ())) > 1:
        return context.Context()
    # Propagators log what is too long, whole: each client could fill the log.
    found = {name: texts for name, texts in found.items() if sum(map(len, texts)) <= _longest(name)}
    try:
        return propagate.extract(found, context.Context())
    except Exception:  # of a propagator of the project's own: what is sent is not the server's fault
        telemetry.count("tracing.failed", error="propagator")
        return context.Context()


def _longest(name: str) -> int:
    return LONGEST_STATE if name in ("traceparent", "tracestate") else _LONGEST_HEADER


def _headers(scope: Scope) -> dict[str, list[str]]:
    """Return the headers that carry a trace."""
    wanted = {name.lower().encode() for name in propagate.get_global_textmap().fields}
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        if name.lower() in wanted:
            found.setdefault(name.lower().decode(), []).append(value.decode("latin-1"))
    return found


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
    if method not in _METHODS:
        found["http.request.method_original"] = method[:_LONGEST_METHOD]
    if scope.get("client"):
        found["client.address"] = scope["client"][0]
    if scope.get("server"):
        found["server.address"], found["server.port"] = scope["server"][0], scope["server"][1] or 0
    return found
