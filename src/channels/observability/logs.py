"""Log records that say whose they are: connection, consumer or topic, user, task, worker and trace.

::

    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"connection": {"()": "channels.observability.logs.ConnectionFilter"}},
        "formatters": {"json": {"()": "channels.observability.logs.JSONFormatter"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "filters": ["connection"], "formatter": "json"},
        },
        "root": {"handlers": ["console"], "level": "INFO"},
    }

The filter belongs to handlers: then it sees the records of all loggers. It adds ids, and no names, addresses,
headers or contents.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from channels import telemetry
from channels.core.lazy import get_if_loaded

#: What the filter adds to a record; "-" where it is not known.
FIELDS: Final = ("connection", "consumer", "topic", "user", "task", "worker", "trace_id", "span_id")
_UNKNOWN: Final = "-"
_HOST: Final = socket.gethostname()


@dataclass(frozen=True, slots=True)
class _Origin:
    """Whose code runs: the parts that are known.

    Attributes:
        connection: a random id, the same for all records of a connection; of topics, the client's.
        consumer: the class.
        scope: of a consumer: its user may be looked up later.
        topic: the name.
        user: the id.
        task: the id.
    """

    connection: str = _UNKNOWN
    consumer: str = _UNKNOWN
    scope: Any = None
    topic: str = _UNKNOWN
    user: str = _UNKNOWN
    task: str = _UNKNOWN


_NOBODY: Final = _Origin()
_origin: Final[ContextVar[_Origin]] = ContextVar("channels origin of records", default=_NOBODY)
_listening = False


class ConnectionFilter(logging.Filter):
    """Adds to each record whose it is; it lets all of them pass.

    Args:
        name: see :class:`logging.Filter`.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        _listen()

    def filter(self, record: logging.LogRecord) -> bool:
        """Add :data:`FIELDS` to ``record``."""
        origin = _origin.get()
        record.connection, record.consumer = origin.connection, origin.consumer
        record.topic, record.task = origin.topic, origin.task
        record.user = origin.user if origin.scope is None else _user_of(origin.scope)
        record.worker = f"{_HOST}:{os.getpid()}"
        record.trace_id, record.span_id = _trace()
        return super().filter(record)


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, logger, message, error, and known :data:`FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = ((name, getattr(record, name, _UNKNOWN)) for name in FIELDS)
        found |= {name: str(value) for name, value in known if value != _UNKNOWN}
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = self.formatStack(record.stack_info)
        return json.dumps(found, ensure_ascii=False)


def _listen() -> None:
    """Hear whose code runs, from now on; once for all filters."""
    global _listening
    if not _listening:
        _listening = True
        telemetry.wrap_handlers(_remember)
        telemetry.attach(_hear)


def _remember(consumer: Any, handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Note that this task is a consumer's; called once for each connection, in its context."""
    scope = getattr(consumer, "scope", None)
    name = type(consumer).__qualname__
    _origin.set(_Origin(connection=secrets.token_hex(8), consumer=name, scope=scope))
    return handle


def _hear(event: str, facts: dict[str, Any]) -> None:
    if event == "topics.subscribed":
        _origin.set(_Origin(connection=facts["client"], topic=facts["topic"], user=facts["user"] or _UNKNOWN))
    elif event == "tasks.attempt_started":
        _origin.set(_Origin(task=facts["id"]))


def _user_of(scope: Any) -> str:
    """Return the id of a scope's user without looking anybody up."""
    user = get_if_loaded(scope.get("user")) if hasattr(scope, "get") else None
    found = getattr(user, "pk", None)
    return _UNKNOWN if found is None else str(found)


def _trace() -> tuple[str, str]:
    """Return the ids of the trace and the span that are under way, if OpenTelemetry is in use."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return _UNKNOWN, _UNKNOWN
    found = trace.get_current_span().get_span_context()
    return (f"{found.trace_id:032x}", f"{found.span_id:016x}") if found.is_valid else (_UNKNOWN, _UNKNOWN)
