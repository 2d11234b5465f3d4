"""Topics and tasks: a span where something is sent, and one where it is delivered or run, in one trace."""

from __future__ import annotations

from typing import Any, Final

from channels.observability.metrics.counting.patterns import pattern_of_topic
from channels.observability.tracing.api import (
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    begin,
    context,
    end,
    trace,
)
from channels.observability.tracing.messages import is_own, messaging
from channels.observability.tracing.propagation import context_of, headers_of, links_to, span_of
from channels.observability.tracing.routes import current
from channels.tasks.definition.encoding import beside_of as task_beside
from channels.topics.stores.records import CarriedPublication, beside_of

#: Ends of an attempt that are none of its making.
_FAILED: Final = frozenset({"FAILED", "RETRIED"})
#: Links that a span of several messages has at most, as the SDK has it.
_MOST_LINKS: Final = 128


class FactTracing:
    """Opens and ends spans by facts.

    Args:
        tracer: makes them.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._attempts: dict[str, Span] = {}

    def create_context(self, operation: str, kind: str, destination: str, message_id: str) -> dict[str, str]:
        """Return what travels beside something, after a span that says it is sent.

        See :data:`channels.telemetry.create_context`.
        """
        if is_own(destination):
            return {}
        template = pattern_of_topic(destination) if kind == "topic" else destination
        attributes = messaging(operation, template)
        if message_id:
            attributes["messaging.message.id"] = message_id
        span = begin(self._tracer, f"{operation} {template}", kind=SpanKind.PRODUCER, attributes=attributes)
        end(span)
        return headers_of(span)

    def hear(self, event: str, facts: dict[str, Any]) -> None:
        """Take a fact; see :func:`channels.telemetry.attach`."""
        action = _ACTIONS.get(event)
        if action is not None:
            action(self, facts)

    def _routed(self, facts: dict[str, Any]) -> None:
        if (served := current()) is not None:
            served.routed(facts["path"], facts["patterns"])

    def _published(self, facts: dict[str, Any]) -> None:
        """Note that what was created in a transaction is sent, now that it is committed."""
        if facts["beside"]:
            self._sent([(facts["topic"], span_of(context_of(facts["beside"])))], None)

    def _relayed(self, facts: dict[str, Any]) -> None:
        """Note that a relay sends what transactions have created: one span for all of them."""
        carried = [(each.topic, beside) for each in facts["numbered"] if (beside := beside_of(each.record))]
        created = [(topic, span_of(context_of(beside))) for topic, beside in carried]
        sampled = [(topic, span) for topic, span in created if span.trace_flags.sampled]
        if sampled:
            self._sent(sampled, context.Context())

    def _sent(self, created: list[tuple[str, SpanContext]], parent: context.Context | None) -> None:
        patterns = {pattern_of_topic(topic) for topic, _ in created}
        attributes = messaging("send", patterns.pop() if len(patterns) == 1 else "")
        if len(created) > 1:
            attributes["messaging.batch.message_count"] = len(created)
        name = f"send {attributes.get('messaging.destination.template', '')}".rstrip()
        links = links_to(*(span for _, span in created[:_MOST_LINKS]))
        end(
            begin(
                self._tracer,
                name,
                context=parent,
                kind=SpanKind.CLIENT,
                attributes=attributes,
                links=links,
            )
        )

    def _delivered(self, facts: dict[str, Any]) -> None:
        for event in facts["events"]:
            if isinstance(event, CarriedPublication) and event.beside:
                pattern = pattern_of_topic(facts["topic"])
                attributes = messaging("process", pattern) | {"channels.subscribers": facts["subscribers"]}
                if event.offset:
                    attributes["messaging.message.id"] = f"{event.epoch}:{event.offset}"
                end(self._process(pattern, event.beside, attributes))

    def _process(self, template: str, beside: Any, attributes: dict[str, Any]) -> Span:
        """Return a span for what was sent elsewhere: in its trace, so that its sampler has decided."""
        parent = context_of(beside)
        return begin(
            self._tracer,
            f"process {template}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=links_to(span_of(parent)),
        )

    def _begun(self, facts: dict[str, Any]) -> None:
        attributes = messaging("process", facts["queue"]) | {
            "messaging.message.id": facts["id"],
            "code.function.name": facts["path"],
        }
        beside = task_beside(facts["arguments"])
        span = self._attempts[facts["id"]] = self._process(facts["queue"], beside, attributes)
        context.attach(trace.set_span_in_context(span))  # an attempt has a context of its own

    def _ended(self, facts: dict[str, Any]) -> None:
        span = self._attempts.pop(facts["id"], None)
        if span is None:
            return
        if facts["status"] in _FAILED:
            span.set_attribute("error.type", facts["error"] or facts["status"])
            span.set_status(Status(StatusCode.ERROR))
        end(span)


_ACTIONS: Final = {
    "routing.routed": FactTracing._routed,
    "topics.published": FactTracing._published,
    "topics.delivered": FactTracing._delivered,
    "journal.relayed": FactTracing._relayed,
    "tasks.attempt_started": FactTracing._begun,
    "tasks.attempt_ended": FactTracing._ended,
}
