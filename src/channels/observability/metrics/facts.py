"""What is told by :mod:`channels.telemetry`, and what each of it adds to which family; as one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from channels.observability.metrics.samples import Samples

Fact: TypeAlias = Callable[[Samples, dict[str, Any]], None]

#: Methods that have a label of their own; a client may send any word.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _request(samples: Samples, facts: dict[str, Any]) -> None:
    method = facts["method"] if facts["method"] in _METHODS else "other"
    samples.observe("http_request_duration_seconds", facts["seconds"], (method, str(facts["status"])))


def _handshake(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("websocket_handshakes_total", (facts["result"],))


def _close(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("websocket_closes_total", (str(facts["code"]),))


#: By the names of events. What is only counted needs no line here: ``events_total`` has all of it.
FACTS: Final[dict[str, Fact]] = {
    "server.request_finished": _request,
    "server.handshake_finished": _handshake,
    "server.websocket_finished": _close,
}
