"""Messages: a span for each one that is sent through a layer, and one for each that a consumer handles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from channels.exceptions import ConsumerSignal
from channels.layers.local.carried import CarriedMessage
from channels.observability.tracing.api import (
    Link,
    Span,
    SpanKind,
    Tracer,
    begin,
    context,
    end,
    fail,
    trace,
)
from channels.observability.tracing.propagation import context_of, headers_of, links_to, span_of
from channels.typing import Message

#: Topics, and types of messages, of our own traffic: what looks at the others, and what carries topics.
_OWN: Final = ("channels.fleet", "channels.inspector:", "channels.topics/", "topics.event")


def is_own(name: str) -> bool:
    """Whether a topic, or a message of this type, is our own traffic, which has spans elsewhere or none."""
    return name.startswith(_OWN)


def messaging(operation: str, template: str = "") -> dict[str, Any]:
    """Return the attributes of an operation with messages; ``template`` names where to, "" for nothing."""
    attributes: dict[str, Any] = {
        "messaging.system": "channels",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    if template:
        attributes["messaging.destination.template"] = template
    return attributes


class MessageTracing:
    """Opens the spans of messages.

    Args:
        tracer: makes them.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def carry(self, destination: str, message: Any) -> Any:
        """Return a message with its creation context beside it, after a span that says it is sent."""
        kind = _type_of(message)
        if is_own(kind):
            return message
        attributes = messaging("send") | {"channels.message.type": kind}
        if "!" in destination:  # a channel of one connection
            attributes["messaging.destination.anonymous"] = True
        elif destination:
            attributes["messaging.destination.name"] = destination
        span = begin(
            self._tracer,
            f"send {kind}",
            context=_relayed(message),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
        )
        end(span)
        beside = headers_of(span)
        return CarriedMessage(message, beside) if beside and isinstance(message, dict) else message

    def wrap(self, consumer: Any, handle: Callable[[Message], Any]) -> Callable[[Message], Any]:
        """Return a way to handle messages with a span around each, but for the handshake, which has one.

        Args:
            consumer: whose messages they are.
            handle: what handles one.
        """
        opening = trace.get_current_span().get_span_context()
        name, links = f"process {type(consumer).__qualname__}", links_to(opening)
        tracer = self._tracer

        async def traced(message: Message) -> None:
            kind = _type_of(message)
            if kind == "websocket.connect":
                await handle(message)
                return
            span = _span_of(tracer, name, kind, links, message)
            token = context.attach(trace.set_span_in_context(span))
            try:
                await handle(message)
            except ConsumerSignal:
                raise
            except BaseException as error:
                fail(span, error)
                raise
            finally:
                end(span)
                context.detach(token)

        return traced


def _span_of(tracer: Tracer, name: str, kind: str, links: list[Link], message: Message) -> Span:
    """Return a span that begins: a trace of its own, as a connection may last for days, with links.

    A message whose sender's trace is not sampled is handled in that trace, so that the sampler knows.
    """
    sent = context_of(message.beside) if isinstance(message, CarriedMessage) else context.Context()
    origin = span_of(sent)
    return begin(
        tracer,
        name,
        context=context.Context() if origin.trace_flags.sampled else sent,
        kind=SpanKind.CONSUMER,
        links=[*links, *links_to(origin)],
        attributes=messaging("process") | {"channels.message.type": kind},
    )


def _relayed(message: Any) -> context.Context | None:
    """Return the context of who has written a message, if a relay sends it, which is in no span itself."""
    if not isinstance(message, CarriedMessage) or trace.get_current_span().get_span_context().is_valid:
        return None
    return context_of(message.beside)


def _type_of(message: Any) -> str:
    kind = message.get("type") if isinstance(message, dict) else None
    return str(kind) if kind else "message"
