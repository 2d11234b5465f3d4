"""What the log says about a WebSocket that did not open, and what to do about it."""

from __future__ import annotations

from channels import telemetry
from channels.server.streams.base import logger


def handshake_refused(label: str) -> None:
    """The application closed it instead of accepting it."""
    telemetry.count("server.handshake_refused", label=label)
    logger.warning(
        "%s was refused with 403: the application closed it before it accepted it. Look at what "
        "connect() of the consumer, or a check of origin or login before it, says about this path.",
        label,
    )


def handshake_timed_out(label: str, limit: float | None) -> None:
    """The application said neither yes nor no within ``limit`` seconds."""
    telemetry.count("server.handshake_timeout", label=label)
    logger.warning(
        "%s was refused with 503: the application neither accepted nor closed it within %s s. "
        "Make connect() faster, or raise --websocket_connect_timeout.",
        label,
        limit,
    )
