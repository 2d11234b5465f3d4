"""Every family of metrics, as one table: name, kind, labels, and what it counts.

Names are those of Prometheus: one prefix, base units, ``_total`` behind what only grows. A label has few
values, and none of a user: topics stand there by the pattern of their names, consumers by their classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: What comes before each name.
PREFIX: Final = "channels_"
#: Sets of labels that one family keeps; those that come later are counted together as :data:`OTHER`.
MOST_SETS: Final = 200
OTHER: Final = "other"
#: Upper bounds in seconds: from a message in the same process to a page of many queries.
FAST: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
#: Upper bounds in seconds: from a trivial task to one of an hour.
SLOW: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One family of metrics.

    Args:
        name: without the prefix.
        kind: a counter only grows; a gauge is as it is now; a histogram is a counter per bucket.
        labels: the names of its labels, in the order of their values.
        text: what it counts, one sentence.
        buckets: upper bounds, of a histogram.
        merge: how gauges of several processes become one: added, or the largest, where each says the same.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    text: str
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "max"] = "sum"

    @property
    def exposed(self) -> str:
        """The name that Prometheus sees, without what a histogram appends."""
        return PREFIX + self.name


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, "counter", labels, text)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", labels, text)


def _largest(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", labels, text, merge="max")


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = FAST) -> Family:
    return Family(name, "histogram", labels, text, buckets)


_ALL: Final = (
    _gauge("info", "1 for each process, with the release that it runs.", "version", "kind"),
    _counter("process_cpu_seconds_total", "Processor time of the processes.", "kind"),
    _gauge("process_resident_memory_bytes", "Memory of the processes.", "kind"),
    _counter(
        "events_total", "What was dropped, refused or cut short, by the names of the counters.", "event"
    ),
    # The server
    _gauge("connections", "Open connections and WebSockets, by what they speak.", "protocol"),
    _counter("connections_accepted_total", "Connections that were accepted."),
    _gauge("applications", "Requests and WebSockets whose application runs."),
    _histogram(
        "http_request_duration_seconds", "Requests, from their head to their last byte.", "method", "status"
    ),
    _counter("websocket_handshakes_total", "Requests for a WebSocket, by what became of them.", "result"),
    _counter("websocket_closes_total", "WebSockets that have ended, by their close code.", "code"),
    _counter("websocket_messages_received_total", "Messages that WebSockets have brought."),
    _counter("websocket_messages_sent_total", "Messages that were sent to WebSockets."),
    _counter("network_receive_bytes_total", "Bytes that connections have brought, after TLS."),
    _counter("network_transmit_bytes_total", "Bytes that were written to connections, before TLS."),
    _histogram(
        "websocket_message_wait_seconds", "How long messages wait for their consumer; 20 a second are timed."
    ),
    # Consumers, threads, the process
    _histogram(
        "consumer_handler_duration_seconds",
        "How long handlers of consumers take; 1 message in 8 of 1 connection in 64.",
        "consumer",
    ),
    _gauge("threads", "Threads for sync code, by what they do.", "state"),
    _gauge("threads_waiting", "Connections and requests that wait for a thread."),
    _histogram("event_loop_lag_seconds", "How late timers of event loops are."),
    _histogram("gc_pause_seconds", "How long garbage collection takes.", "generation"),
    # Channel layers
    _gauge("layer_channels", "Channels of this machine.", "layer"),
    _gauge("layer_groups", "Groups with members on this machine, once for each process.", "layer"),
    _gauge("layer_unread_messages", "Messages that wait in channels.", "layer"),
    _counter("layer_messages_delivered_total", "Messages that channels were given.", "layer"),
    _counter("layer_messages_dropped_total", "Messages that did not arrive.", "reason"),
    _histogram("layer_latency_seconds", "From one process to another, by a message now and then.", "layer"),
    # Topics
    _gauge("topics_clients", "Connected clients."),
    _gauge("topics_users", "Users with a connected client, once for each process."),
    _gauge("topics_subscriptions", "Subscriptions, by the pattern of the topic.", "pattern"),
    _gauge("topics_present", "Subscriptions to topics with presence.", "pattern"),
    _counter("topics_publications_total", "Publications that were handed to a store.", "pattern"),
    _counter("topics_recoveries_total", "Clients that came back, by whether nothing is missing.", "result"),
    # MQTT
    _counter("mqtt_handshakes_total", "Connections for MQTT, by what became of them.", "result"),
    _counter("mqtt_messages_received_total", "PUBLISH packets that clients have sent."),
    _counter("mqtt_messages_sent_total", "PUBLISH packets that were sent to clients."),
    _counter("mqtt_messages_dropped_total", "Messages that did not reach an MQTT client.", "reason"),
    # Tasks
    _largest("tasks_waiting", "Tasks in the store by state, 10,000 at most.", "state"),
    _largest("tasks_oldest_seconds", "How long the first of the ready tasks has waited."),
    _histogram("task_wait_seconds", "From when a task may run to when it does.", "queue", buckets=SLOW),
    _histogram("task_duration_seconds", "Attempts at tasks.", "path", "status", buckets=SLOW),
    _counter("task_attempts_total", "Attempts that have begun.", "path"),
)
#: The families by their names.
FAMILIES: Final = {family.name: family for family in _ALL}
