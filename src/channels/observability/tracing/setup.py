"""Turning traces on."""

from __future__ import annotations

from collections.abc import Callable

from channels import telemetry
from channels.observability.tracing.api import trace, tracer_of
from channels.observability.tracing.asgi import Incoming, TracedApplication
from channels.observability.tracing.facts import FactTracing
from channels.observability.tracing.messages import MessageTracing
from channels.observability.tracing.routes import watch_django
from channels.typing import ASGIApp

_undo: list[Callable[[], None]] = []


def instrument(provider: trace.TracerProvider | None = None) -> None:
    """Open spans for messages, publications and tasks of this process from now on.

    Said twice, the first one holds. Requests and handshakes need :func:`traced` as well.

    Args:
        provider: of the SDK; None for the one that is set for the process.
    """
    if _undo:
        return
    tracer = tracer_of(provider)
    messages, facts = MessageTracing(tracer), FactTracing(tracer)
    telemetry.carry, telemetry.create_context = messages.carry, facts.create_context
    _undo.extend((telemetry.wrap_handlers(messages.wrap), telemetry.attach(facts.hear), watch_django()))


def uninstrument() -> None:
    """Open no spans any more; connections that are open keep theirs."""
    telemetry.carry = telemetry.create_context = None
    while _undo:
        _undo.pop()()


def traced(
    app: ASGIApp, provider: trace.TracerProvider | None = None, *, incoming: Incoming = "parent"
) -> ASGIApp:
    """Return an application with spans for its requests and handshakes, and call :func:`instrument`.

    Args:
        app: the application.
        provider: see :func:`instrument`.
        incoming: what becomes of a trace that a request names in its headers, which anybody can write:
            "parent": it goes on, and its flag decides for samplers that ask for the parent; "link": a new
            trace begins, with a link to it; "ignore": as if there was none.

    Raises:
        ValueError: ``incoming`` is something else.
    """
    instrument(provider)
    return TracedApplication(app, tracer_of(provider), incoming)
