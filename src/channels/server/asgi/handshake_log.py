"""What log and counters say about a WebSocket that did not go well, and what to do about it."""

from __future__ import annotations

from channels import telemetry
from channels.protocols.http.upgrade import HandshakeRejected
from channels.server.asgi.stream import logger
from channels.server.asgi.websocket_states import VIOLATIONS
from channels.server.reports.targets import path_of


def handshake_rejected(target: bytes, error: HandshakeRejected) -> None:
    """Log and count an opening request for ``target`` that RFC 6455 section 4.2.1 does not allow."""
    logger.warning("WebSocket handshake refused: %s: %s", path_of(target), error.reason)
    telemetry.count("server.bad_handshake", status=error.status, reason=error.reason)


def handshake_refused(label: str, *, log: bool) -> None:
    """Count a handshake that the application closed instead of accepting it.

    Args:
        label: of the WebSocket.
        log: write a warning, too: the application has not logged the reason itself.
    """
    telemetry.count("server.handshake_refused", label=label)
    if not log:
        return
    logger.warning(
        "%s was refused with 403: the application closed it before it accepted it. Look at what "
        "connect() of the consumer, or a check of origin or login before it, says about this path.",
        label,
    )


def handshake_timed_out(label: str, limit: float | None) -> None:
    """Log and count a handshake that the application left unanswered for ``limit`` seconds."""
    telemetry.count("server.handshake_timeout", label=label)
    logger.warning(
        "%s was refused with 503: the application neither accepted nor closed it within %s s. "
        "Make connect() faster, or raise --websocket_connect_timeout.",
        label,
        limit,
    )


def is_violation(code: int, label: str) -> bool:
    """Return whether a WebSocket is over because its peer broke the rules or sent too much; counted."""
    if code not in VIOLATIONS:
        return False
    telemetry.count("server.bad_websocket", code=code, label=label)
    return True
