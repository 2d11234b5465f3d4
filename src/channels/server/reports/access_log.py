"""The access log: Daphne's lines, the combined format of Apache and nginx, or JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any, TextIO

from channels.diagnostics.loggers import escaped

#: What happened to a WebSocket or a TCP connection, as its line calls it.
_VERBS = {
    ("websocket", "connecting"): "WSCONNECTING",
    ("websocket", "rejected"): "WSREJECT",
    ("websocket", "connected"): "WSCONNECT",
    ("websocket", "disconnected"): "WSDISCONNECT",
    ("tcp", "rejected"): "TCPREJECT",
    ("tcp", "connected"): "TCPCONNECT",
    ("tcp", "disconnected"): "TCPDISCONNECT",
}


class AccessLog:
    """Writes a line for each request and each change of a WebSocket or a TCP connection.

    Args:
        stream: where the lines go; it is flushed after each where it can be.
        format: one of :data:`FORMATS`.
    """

    def __init__(self, stream: TextIO, format: str = "daphne") -> None:
        self.stream = stream
        self._line = _LINES.get(format)

    def __call__(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write the line for one event.

        Args:
            protocol: "http", "websocket" or "tcp".
            action: "complete" for HTTP; else "connecting" (WebSockets only), "connected", "rejected" or
                "disconnected".
            details: ``client`` and ``path``; for HTTP also ``method``, ``status`` and ``size`` (bytes);
                for a handshake that was refused ``status``, if the peer was still there to get it.
                The other formats make use of ``http_version``, ``referer``, ``user_agent`` and
                ``time_taken`` (seconds) as well.
        """
        if self._line is not None:
            self.stream.write(self._line(protocol, action, details))
            self.stream.flush()
            return
        now = datetime.datetime.now()
        if protocol == "http" and action == "complete":
            request = f"{details['method']} {details['path']}"
            self.write_entry(details["client"], now, request, details["status"], details["size"])
        elif (verb := _VERBS.get((protocol, action))) is not None:
            request, size = f"{verb} {details['path']}", details.get("size")
            self.write_entry(details["client"], now, request, length=size)

    def write_entry(
        self,
        host: str | None,
        date: datetime.datetime,
        request: str,
        status: int | None = None,
        length: int | None = None,
        ident: str | None = None,
        user: str | None = None,
    ) -> None:
        """Write one line, escaped; what is None, and a length of 0 bytes, shows as a hyphen."""
        who = " ".join([escaped(name or "-") for name in (host, ident, user)])
        when = date.strftime("%d/%b/%Y:%H:%M:%S")
        self.stream.write(f'{who} [{when}] "{escaped(request)}" {status or "-"} {length or "-"}\n')
        self.stream.flush()


def _combined(protocol: str, action: str, details: dict[str, Any]) -> str:
    """The combined log format (httpd.apache.org, mod_log_config); a WebSocket's verb stands for a method."""
    now = datetime.datetime.now().astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
    verb = details.get("method") or _VERBS.get((protocol, action), action.upper())
    request = f"{verb} {details['path']} HTTP/{details.get('http_version') or '-'}"
    client = escaped((details["client"] or "").rpartition(":")[0] or "-")
    quoted = [escaped(details.get(name) or "-") for name in ("referer", "user_agent")]
    status, size = details.get("status") or "-", details.get("size") or "-"
    return f'{client} - - [{now}] "{escaped(request)}" {status} {size} "{quoted[0]}" "{quoted[1]}"\n'


def _json(protocol: str, action: str, details: dict[str, Any]) -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "protocol": protocol, "action": action, **details}) + "\n"


_LINES: dict[str, Callable[[str, str, dict[str, Any]], str]] = {"combined": _combined, "json": _json}
#: The formats there are.
FORMATS = ("daphne", *_LINES)
