"""The access log, in the format of NCSA's common log with WebSocket lines beside it."""

from __future__ import annotations

import datetime
from typing import Any, TextIO

#: What happened to a WebSocket, as its line calls it.
_WEBSOCKET_VERBS = {
    "connecting": "WSCONNECTING",
    "rejected": "WSREJECT",
    "connected": "WSCONNECT",
    "disconnected": "WSDISCONNECT",
}


class AccessLog:
    """Writes a line for each request and each change of a WebSocket.

    Args:
        stream: where the lines go; it is flushed after each where it can be.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write the line for one event.

        Args:
            protocol: "http" or "websocket".
            action: "complete" for HTTP; "connecting", "connected", "rejected" or "disconnected".
            details: ``client`` and ``path``; for HTTP also ``method``, ``status`` and ``size`` (bytes).
        """
        now = datetime.datetime.now()
        if protocol == "http" and action == "complete":
            request = f"{details['method']} {details['path']}"
            self.write_entry(details["client"], now, request, details["status"], details["size"])
        elif protocol == "websocket" and action in _WEBSOCKET_VERBS:
            self.write_entry(details["client"], now, f"{_WEBSOCKET_VERBS[action]} {details['path']}")

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
        """Write one line; what is None, and a length of 0 bytes, shows as a hyphen."""
        who = f"{host or '-'} {ident or '-'} {user or '-'}"
        when = date.strftime("%d/%b/%Y:%H:%M:%S")
        self.stream.write(f'{who} [{when}] "{request}" {status or "-"} {length or "-"}\n')
        self.stream.flush()
