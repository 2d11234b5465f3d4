"""Topics and tasks: spans by the facts that they tell."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from channels.observability.metrics.counting.patterns import pattern_of_topic
from channels.observability.tracing.api import Span, SpanKind, Status, StatusCode, Tracer, context, trace
from channels.observability.tracing.messages import SYSTEM

#: The span of the attempt at a task that runs in this context.
_attempt: Final[ContextVar[Span | None]] = ContextVar("channels attempt at a task", default=None)
#: Ends of an attempt that are none of its making.
_FAILED: Final = frozenset({"FAILED", "RETRIED"})


class FactTracing:
    """Opens and ends spans by facts.

    Args:
        tracer: makes them.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def hear(self, event: str, facts: dict[str, Any]) -> None:
        """Take a fact; see :func:`channels.telemetry.attach`."""
        action = _ACTIONS.get(event)
        if action is not None:
            action(self, facts)

    def _published(self, facts: dict[str, Any]) -> None:
        pattern = pattern_of_topic(facts["topic"])
        attributes = _messaging("send", pattern)
        self._tracer.start_span(f"send {pattern}", kind=SpanKind.PRODUCER, attributes=attributes).end()

    def _enqueued(self, facts: dict[str, Any]) -> None:
        attributes = _messaging("send", facts["queue"]) | {"messaging.message.id": facts["id"]}
        name = f"send {facts['queue']}"
        self._tracer.start_span(name, kind=SpanKind.PRODUCER, attributes=attributes).end()

    def _begun(self, facts: dict[str, Any]) -> None:
        attributes = _messaging("process", facts["queue"]) | {
            "messaging.message.id": facts["id"],
            "code.function.name": facts["path"],
        }
        span = self._tracer.start_span(
            f"process {facts['queue']}",
            context=context.Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
        )
        _attempt.set(span)
        context.attach(trace.set_span_in_context(span))  # an attempt has a context of its own

    def _ended(self, facts: dict[str, Any]) -> None:
        span = _attempt.get()
        if span is None:
            return
        if facts["status"] in _FAILED:
            span.set_attribute("error.type", facts.get("error") or facts["status"])
            span.set_status(Status(StatusCode.ERROR))
        span.end()


_ACTIONS: Final = {
    "topics.published": FactTracing._published,
    "tasks.enqueued": FactTracing._enqueued,
    "tasks.attempt_started": FactTracing._begun,
    "tasks.attempt_ended": FactTracing._ended,
}


def _messaging(operation: str, template: str) -> dict[str, Any]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.template": template,
    }
