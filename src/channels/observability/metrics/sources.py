"""How this process is just now: what registered objects say of themselves, read now and then."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from channels import __version__, telemetry
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


def _server(samples: Samples, runtime: Any) -> None:
    for protocol, number in _protocols(runtime).items():
        samples.set("connections", number, (protocol,))
    samples.set("applications", len(runtime.streams))
    samples.count("connections_accepted_total", (), runtime.accepted)


def _protocols(runtime: Any) -> dict[str, int]:
    """Count connections by what they speak, and WebSockets, which over HTTP/2 share one with others."""
    from channels.server.asgi.websocket import WebSocketStream
    from channels.server.connection.http2 import HTTP2Handler

    handlers = Counter(type(getattr(each, "handler", None)) for each in tuple(runtime.connections))
    sockets = sum(isinstance(each, WebSocketStream) for each in tuple(runtime.streams))
    http2 = handlers[HTTP2Handler]
    one = sum(handlers.values()) - http2 - handlers[WebSocketStream]
    return {"http/1.1": one, "http/2": http2, "websocket": sockets}


def _resident() -> int:
    """Return the memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
