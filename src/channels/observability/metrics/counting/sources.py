"""How this process is just now: what registered objects say of themselves, read now and then."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from channels import __version__, telemetry
from channels.observability.metrics.counting.patterns import pattern_of_topic
from channels.observability.metrics.samples import Samples

_STATM = Path("/proc/self/statm")


def look(samples: Samples, kind: str, before: Mapping[str, int]) -> None:
    """Add how this process is.

    Args:
        samples: what to add to.
        kind: what the process is for: ``"server"``, ``"tasks"``, ``"worker"``, ``"command"``.
        before: what had been counted when metrics began.
    """
    samples.set("info", 1, (__version__, kind))
    samples.count("process_cpu_seconds_total", (kind,), time.process_time())
    samples.set("process_resident_memory_bytes", _resident(), (kind,))
    for event, number in tuple(telemetry.counters.items()):
        samples.count("events_total", (event,), number - before.get(event, 0))
    for runtime in telemetry.registered("server"):
        _server(samples, runtime)
    for meter in telemetry.registered("mqtt"):
        _mqtt(samples, meter)
    if "channels.topics.delivery.hub" in sys.modules:
        _topics(samples)
    if "channels.sync.context" in sys.modules:
        _threads(samples)
    if "channels.layers.manager" in sys.modules:
        _layers(samples)


def _server(samples: Samples, runtime: Any) -> None:
    for protocol, number in _protocols(runtime).items():
        samples.set("connections", number, (protocol,))
    samples.set("applications", len(runtime.streams))
    samples.count("connections_accepted_total", (), runtime.accepted)
    if runtime.meter is not None:
        _meter(samples, runtime, runtime.meter)


def _protocols(runtime: Any) -> dict[str, int]:
    """Count connections by what they speak, and WebSockets, which over HTTP/2 share one with others."""
    from channels.server.asgi.metering.websocket import MeteredWebSocketStream
    from channels.server.asgi.tcp.stream import TCPStream
    from channels.server.asgi.websocket import WebSocketStream
    from channels.server.connection.http2 import HTTP2Handler

    handlers = Counter(type(getattr(each, "handler", None)) for each in tuple(runtime.connections))
    sockets = sum(isinstance(each, WebSocketStream) for each in tuple(runtime.streams))
    http2, tcp = handlers[HTTP2Handler], handlers[TCPStream]
    upgraded = handlers[WebSocketStream] + handlers[MeteredWebSocketStream]
    one = sum(handlers.values()) - http2 - tcp - upgraded
    return {"http/1.1": one, "http/2": http2, "websocket": sockets, "tcp": tcp}


def _meter(samples: Samples, runtime: Any, meter: Any) -> None:
    for family, (total, of_one) in _METERED.items():
        open_ones = (getattr(each, of_one, 0) for each in (*runtime.connections, *runtime.streams))
        samples.count(family, (), meter.total(total, open_ones))


def _mqtt(samples: Samples, meter: Any) -> None:
    """Count MQTT connections as such, whatever carries them, and no longer as that."""
    for transport, number in meter.by_transport().items():
        carried = samples.gauges.get("connections", {}).get((transport,), 0.0)
        samples.set("connections", -min(number, carried), (transport,))
    samples.set("connections", len(meter.connections), ("mqtt",))
    for family, (total, of_one) in _MQTT.items():
        open_ones = (getattr(each, of_one) for each in tuple(meter.connections))
        samples.count(family, (), meter.total(total, open_ones))


#: Families by the totals of a meter, and what each connection or stream that counts has of it.
_METERED: Final = {
    "websocket_messages_received_total": ("messages_received", "received"),
    "websocket_messages_sent_total": ("messages_sent", "sent"),
    "network_receive_bytes_total": ("bytes_received", "bytes_received"),
    "network_transmit_bytes_total": ("bytes_sent", "bytes_sent"),
}
#: Likewise, of MQTT connections.
_MQTT: Final = {
    "mqtt_messages_received_total": ("messages_received", "received"),
    "mqtt_messages_sent_total": ("messages_sent", "sent"),
}


def _threads(samples: Samples) -> None:
    from channels.sync.context import pool

    found = pool.statistics()
    samples.set("threads", found["idle"], ("idle",))
    samples.set("threads", found["threads"] - found["idle"], ("busy",))
    samples.set("threads_waiting", found["waiting"])


def _layers(samples: Samples) -> None:
    from channels.layers.manager import channel_layers

    for alias, layer in tuple(channel_layers.backends.items()):
        found = layer.statistics() if hasattr(layer, "statistics") else {}
        for name in ("channels", "groups"):
            samples.set(f"layer_{name}", found.get(name, 0), (alias,))
        samples.set("layer_unread_messages", found.get("unread", 0), (alias,))
        samples.count("layer_messages_delivered_total", (alias,), found.get("delivered", 0))


def _topics(samples: Samples) -> None:
    from channels.topics.delivery.hub import all_hubs

    for hub in all_hubs():
        samples.set("topics_clients", len(hub.clients))
        samples.set("topics_users", hub.clients.users)
        for pattern, number in _by_pattern(hub).items():
            samples.set("topics_subscriptions", number, (pattern,))
            if pattern in _with_presence():
                samples.set("topics_present", number, (pattern,))


def _by_pattern(hub: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, number in hub.topics().items():
        found[pattern_of_topic(name)] += number
    return found


def _with_presence() -> set[str]:
    from channels.topics.registry import topic_classes

    return {cls.pattern for cls in topic_classes() if cls.presence}


def _resident() -> int:
    """Return the memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
