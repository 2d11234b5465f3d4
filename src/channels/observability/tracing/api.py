"""OpenTelemetry's API, which is all that this package needs; the SDK is the project's to choose."""

from __future__ import annotations

import logging
from typing import Any, Final

from channels import __version__, telemetry
from channels.exceptions import ChannelsError


class TracingUnavailable(ChannelsError):
    """There is no OpenTelemetry; the text says what to install."""


try:
    from opentelemetry import context, propagate, trace
    from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
except ImportError as error:
    raise TracingUnavailable(
        "Traces need the API of OpenTelemetry: python -m pip install 'django-fairway[tracing]'."
    ) from error

__all__ = [
    "Link",
    "Span",
    "SpanContext",
    "SpanKind",
    "Status",
    "StatusCode",
    "Tracer",
    "begin",
    "context",
    "end",
    "fail",
    "propagate",
    "trace",
    "tracer_of",
]

logger = logging.getLogger("channels.tracing")

#: The conventions that names and attributes follow.
SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
#: The classes of errors that the log has told of.
_told: Final[set[type]] = set()


def tracer_of(provider: trace.TracerProvider | None) -> Tracer:
    """Return our tracer of a provider; None for the one that is set for the process."""
    return trace.get_tracer("channels", __version__, provider, SCHEMA)


def begin(tracer: Tracer, name: str, **options: Any) -> Span:
    """Return a span that begins; one that is never recorded if the project's sampler or processor fails.

    Args:
        tracer: makes it.
        name: of the span.
        options: of ``Tracer.start_span()``.
    """
    try:
        return tracer.start_span(name, **options)
    except Exception as error:
        _failed(error)
        return trace.INVALID_SPAN


def end(span: Span) -> None:
    """End a span, unless it has ended; what its processors raise is nothing to who is traced."""
    try:
        if span.is_recording():
            span.end()
    except Exception as error:
        _failed(error)


def fail(span: Span, error: BaseException) -> None:
    """Say on a span that it has failed: its type, and no message, which may hold what is nobody's to see."""
    kind = type(error)
    span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
    span.set_status(Status(StatusCode.ERROR))


def _failed(error: Exception) -> None:
    telemetry.count("tracing.failed", error=type(error).__name__)
    if type(error) not in _told and len(_told) < 100:
        _told.add(type(error))
        logger.error("A sampler or a span processor has failed; its spans are lost.", exc_info=error)
