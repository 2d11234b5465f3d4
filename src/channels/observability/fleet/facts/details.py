"""All of one connection, and of those that have ended."""

from __future__ import annotations

from typing import Any, Final

from channels.diagnostics.recording import Frame, Recording
from channels.observability.fleet.answers import (
    ConnectionDetails,
    ConnectionRow,
    EndedRow,
    RecordingText,
    SeenMessage,
)
from channels.observability.fleet.facts.connections import MOST_TEXT, Seen, address_of, names_of
from channels.observability.fleet.questions import MOST_ROWS
from channels.server.asgi import inspection

#: Headers that are shown; none that lets somebody in.
_HEADERS = {b"user-agent": "User-Agent", b"origin": "Origin"}


def details_of(seen: Seen, row: ConnectionRow, watch: float) -> ConnectionDetails:
    """Return all of one connection; called in the thread of its loop.

    Args:
        seen: the connection.
        row: the same at a glance.
        watch: seconds for which its messages are noted from now on.
    """
    messages = []
    if seen.stream is not None and watch:
        messages = [SeenMessage(*each) for each in inspection.watch(seen.stream, watch)]
    return ConnectionDetails(row, names_of(seen)[:MOST_ROWS], _facts(seen), messages[::-1])


#: Seconds for which a connection is recorded at most.
MOST_SECONDS: Final = 600.0


def recording_of(seen: Seen, row: ConnectionRow, seconds: float) -> RecordingText | None:
    """Begin to record a connection, or return what was recorded, masked; called in the thread of its loop.

    Args:
        seen: the connection.
        row: the same at a glance.
        seconds: for which it is recorded from now on; 0: return what there is.

    Returns:
        None if it is not recorded.
    """
    if seconds:
        inspection.record(seen.stream, seconds)
        return RecordingText()
    recorded = inspection.recorded(seen.stream)
    if recorded is None:
        return None
    frames = [Frame(*each) for each in recorded.frames]
    offered = seen.application.scope.get("subprotocols", ()) if hasattr(seen.application.scope, "get") else ()
    recording = Recording("connection", row.path, list(offered), frames, recorded.complete)
    return RecordingText(recording.masked().dumps())


def _facts(seen: Seen) -> dict[str, str]:
    facts: dict[str, Any] = {}
    scope, session = seen.application.scope, seen.application.session
    if seen.stream is not None:
        of_stream = inspection.facts_of(seen.stream)
        facts["HTTP"] = of_stream.http_version
        facts["permessage-deflate"] = "on" if of_stream.compressed else "off"
        facts["silent"] = f"{of_stream.silent:.0f} s"
        facts["read"] = "held: the application is behind" if of_stream.held else "on"
    if session is not None:
        facts["client"] = session.id
    channel = getattr(seen.application.consumer, "channel_name", None)
    if channel is not None:
        facts["channel"] = channel
    if hasattr(scope, "get"):
        facts["subprotocols"] = ", ".join(scope.get("subprotocols", ()))
        for name, value in scope.get("headers", ()):
            if name in _HEADERS:
                facts[_HEADERS[name]] = value.decode("latin-1")
    return {name: str(value)[:MOST_TEXT] for name, value in facts.items() if value}


def endings_here(text: str) -> list[EndedRow]:
    """Return the last WebSockets of this process that have ended, the newest first."""
    wanted = text.casefold()
    rows = [
        EndedRow(each.at, each.path[:MOST_TEXT], address_of(each.client), each.code, each.reason, each.lasted)
        for each in tuple(inspection.endings or ())
    ]
    found = [row for row in rows if wanted in f"{row.path} {row.address}".casefold()]
    return found[::-1][:MOST_ROWS]
