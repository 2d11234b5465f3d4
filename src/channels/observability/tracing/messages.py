"""Messages: a span for each one that is sent through a layer, and one for each that a consumer handles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from channels.exceptions import ConsumerSignal
from channels.layers.local.carried import CarriedMessage
from channels.observability.tracing.api import (
    Link,
    SpanContext,
    SpanKind,
    Tracer,
    context,
    fail,
    propagate,
    trace,
)
from channels.typing import Message

SYSTEM: Final = "channels"


class MessageTracing:
    """Opens the spans of messages.

    Args:
        tracer: makes them.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def carry(self, destination: str, message: Any) -> Any:
        """Return a message with its creation context beside it, after a span that says it is sent."""
        attributes: dict[str, Any] = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "channels.message.type": _type_of(message),
        }
        if "!" in destination:  # a channel of one connection
            attributes["messaging.destination.anonymous"] = True
        elif destination:
            attributes["messaging.destination.name"] = destination
        span = self._tracer.start_span(
            f"send {_type_of(message)}", kind=SpanKind.PRODUCER, attributes=attributes
        )
        span.end()
        beside: dict[str, str] = {}
        propagate.inject(beside, trace.set_span_in_context(span))
        return CarriedMessage(message, beside) if beside and isinstance(message, dict) else message

    def wrap(self, consumer: Any, handle: Callable[[Message], Any]) -> Callable[[Message], Any]:
        """Return a way to handle messages with a span around each, but for the handshake, which has one.

        Args:
            consumer: whose messages they are.
            handle: what handles one.
        """
        opening = trace.get_current_span().get_span_context()
        name, links = f"process {type(consumer).__qualname__}", _links(opening)
        tracer = self._tracer

        async def traced(message: Message) -> None:
            kind = _type_of(message)
            if kind == "websocket.connect":
                await handle(message)
                return
            more = _creation(message)
            with tracer.start_as_current_span(
                name,
                context=context.Context(),  # of its own: a connection may last for days
                kind=SpanKind.CONSUMER,
                links=[*links, *more],
                attributes={**_PROCESS, "channels.message.type": kind},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    await handle(message)
                except ConsumerSignal:
                    raise
                except BaseException as error:
                    fail(span, error)
                    raise

        return traced


_PROCESS: Final = {
    "messaging.system": SYSTEM,
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
}


def _type_of(message: Any) -> str:
    kind = message.get("type") if isinstance(message, dict) else None
    return str(kind) if kind else "message"


def _links(opening: SpanContext) -> list[Link]:
    return [Link(opening)] if opening.is_valid else []


def _creation(message: Message) -> list[Link]:
    """Return a link to where a message was sent, if it says so."""
    if not isinstance(message, CarriedMessage):
        return []
    found = trace.get_current_span(propagate.extract(message.beside, context.Context()))
    return _links(found.get_span_context())
