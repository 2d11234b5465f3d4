"""What is to be seen of WebSockets from outside: how one is, and how the last ones have ended.

An open WebSocket notes nothing for this. Endings are kept only where somebody asked for it.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, NamedTuple


class WebSocketFacts(NamedTuple):
    """How a WebSocket is now.

    Attributes:
        path: of its request, without the query.
        client: the peer as [host, port], or None.
        state: "connecting", "denying", "open", "closing" or "over".
        opened: seconds since its request came.
        silent: seconds since the peer has said anything; 0 before it is open.
        waiting: messages that its application has not taken.
        unsent: bytes that the peer has not read.
        held: it is not read, because its application is behind.
        http_version: that of the connection, "1.1" or "2".
        compressed: whether messages are.
    """

    path: str
    client: list[Any] | None
    state: str
    opened: float
    silent: float
    waiting: int
    unsent: int
    held: bool
    http_version: str
    compressed: bool


class Ending(NamedTuple):
    """The end of a WebSocket.

    Attributes:
        at: when, seconds since 1970.
        path: of its request, without the query.
        client: the peer as [host, port], or None.
        code: of the close; 1006 where there was none.
        reason: as it was said.
        lasted: seconds from the request to the end.
    """

    at: float
    path: str
    client: list[Any] | None
    code: int
    reason: str
    lasted: float


#: The last ends, the oldest first; None where nobody wants to know.
endings: deque[Ending] | None = None


def keep_endings(most: int) -> None:
    """Keep the last ``most`` endings of this process from now on; 0: none."""
    global endings
    endings = deque(endings or (), maxlen=most) if most else None


def note_ending(stream: Any, code: int, reason: str) -> None:
    """Keep the end of a WebSocket."""
    if endings is not None:
        lasted = stream.runtime.timers.now - stream.opened_at
        endings.append(Ending(time.time(), path_of(stream), stream._client, code, reason, lasted))


def path_of(stream: Any) -> str:
    """Return the path of a WebSocket's request, without the query."""
    return str(stream.label).removeprefix("WebSocket ")


def facts_of(stream: Any) -> WebSocketFacts:
    """Return how a WebSocket is; called in the thread of its loop."""
    now = stream.runtime.timers.now
    was_open = hasattr(stream, "_keepalive")
    return WebSocketFacts(
        path=path_of(stream),
        client=stream._client,
        state=stream._state.name.lower(),
        opened=now - stream.opened_at,
        silent=now - stream._keepalive.alive_at if was_open else 0.0,
        waiting=len(stream._inbox),
        unsent=stream._link.unsent,
        held=stream.held,
        http_version="1.1" if hasattr(stream._link, "handler") else "2",
        compressed=was_open and stream._protocol.compression is not None,
    )
