"""What is told by :mod:`channels.telemetry`, and what each of it adds to which family; as one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from channels.observability.metrics.counting.patterns import pattern_of_topic
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


def _message(samples: Samples, facts: dict[str, Any]) -> None:
    samples.observe("websocket_message_wait_seconds", facts["seconds"])


def _dropped(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("layer_messages_dropped_total", (facts["reason"],), facts["amount"])


def _published(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("topics_publications_total", (pattern_of_topic(facts["topic"]),))


def _recovered(samples: Samples, facts: dict[str, Any]) -> None:
    result = "recovered" if facts["recovered"] else "not recovered"
    samples.count("topics_recoveries_total", (result,))


def _mqtt_handshake(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("mqtt_handshakes_total", (facts["result"],))


def _mqtt_dropped(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("mqtt_messages_dropped_total", (facts["reason"],), facts["amount"])


def _task_begun(samples: Samples, facts: dict[str, Any]) -> None:
    samples.count("task_attempts_total", (facts["path"],))
    samples.observe("task_wait_seconds", max(0.0, facts["waited"]), (facts["queue"],))


def _task_ended(samples: Samples, facts: dict[str, Any]) -> None:
    samples.observe("task_duration_seconds", facts["seconds"], (facts["path"], facts["status"]))


#: By the names of events. What is only counted needs no line here: ``events_total`` has all of it.
FACTS: Final[dict[str, Fact]] = {
    "server.request_finished": _request,
    "server.handshake_finished": _handshake,
    "server.websocket_finished": _close,
    "server.message_taken": _message,
    "layer.message_dropped": _dropped,
    "topics.published": _published,
    "topics.recovered": _recovered,
    "mqtt.handshake_finished": _mqtt_handshake,
    "mqtt.message_dropped": _mqtt_dropped,
    "tasks.attempt_started": _task_begun,
    "tasks.attempt_ended": _task_ended,
}
