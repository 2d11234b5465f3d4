"""What travels between processes: W3C's Trace Context, whatever else a project propagates to others.

Baggage stays behind: it may be of any size, and of whoever has sent the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from channels.observability.tracing.api import Link, Span, SpanContext, context, trace

#: Characters of ``tracestate`` that travel: a longer one is left out as a whole, as W3C allows.
LONGEST_STATE: Final = 512
_STATE: Final = "tracestate"
_format: Final = TraceContextTextMapPropagator()


def headers_of(span: Span) -> dict[str, str]:
    """Return what travels beside a message that a span has sent; nothing if there is no tracing SDK."""
    headers: dict[str, str] = {}
    _format.inject(headers, trace.set_span_in_context(span))
    if len(headers.get(_STATE, "")) > LONGEST_STATE:
        del headers[_STATE]
    return headers


def context_of(headers: Mapping[str, Any] | None) -> context.Context:
    """Return the context that travelled beside a message; an empty one for none, or for what is not valid."""
    texts = {name: value for name, value in (headers or {}).items() if isinstance(value, str)}
    if len(texts.get(_STATE, "")) > LONGEST_STATE:
        del texts[_STATE]
    return _format.extract(texts, context.Context())


def span_of(found: context.Context) -> SpanContext:
    """Return the span that a context is in; an invalid one if in none."""
    return trace.get_current_span(found).get_span_context()


def links_to(*spans: SpanContext) -> list[Link]:
    """Return links to those that are valid."""
    return [Link(each) for each in spans if each.is_valid]
