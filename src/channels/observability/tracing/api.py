"""OpenTelemetry's API, which is all that this package needs; the SDK is the project's to choose."""

from __future__ import annotations

from typing import Final

from channels import __version__
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
    "context",
    "fail",
    "propagate",
    "trace",
    "tracer_of",
]

#: The conventions that names and attributes follow.
SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"


def tracer_of(provider: trace.TracerProvider | None) -> Tracer:
    """Return our tracer of a provider; None for the one that is set for the process."""
    return trace.get_tracer("channels", __version__, provider, SCHEMA)


def fail(span: Span, error: BaseException) -> None:
    """Say on a span that it has failed: its type, and no message, which may hold what is nobody's to see."""
    kind = type(error)
    span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
    span.set_status(Status(StatusCode.ERROR))
