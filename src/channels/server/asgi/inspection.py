"""What is to be seen of WebSockets from outside: how one is, its last messages, how the last ones have ended.

An open WebSocket notes nothing for this, unless somebody watches that one. Endings are kept only where
somebody asked for it.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from channels.server.asgi.event_queue import EventQueue


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
_unless: Callable[[Any], bool] | None = None


def keep_endings(most: int, unless: Callable[[Any], bool] | None = None) -> None:
    """Keep the last endings of this process from now on.

    Args:
        most: how many; 0: none.
        unless: tells of a WebSocket that it only looks at the others, so that its end is not kept.
    """
    global endings, _unless
    _unless = unless
    endings = deque(endings or (), maxlen=most) if most else None


def note_ending(stream: Any, code: int, reason: str) -> None:
    """Keep the end of a WebSocket."""
    if endings is not None and not (_unless is not None and _unless(stream)):
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


class Noted(NamedTuple):
    """A message or a control frame of a WebSocket that is watched, without what is in it.

    Attributes:
        at: seconds since 1970.
        direction: "in" or "out".
        kind: "text", "binary", "ping" ...
        size: of what came, characters or bytes; of what left, bytes on the wire.
    """

    at: float
    direction: str
    kind: str
    size: int


class Watch:
    """The last messages of one WebSocket, noted for as long as somebody looks. Others pay nothing for it.

    Args:
        stream: the WebSocket.
    """

    def __init__(self, stream: Any) -> None:
        self.noted: deque[Noted] = deque(maxlen=MOST_NOTED)
        self.recorded: Recorded | None = None
        self._stream = weakref.ref(stream)
        self._until = 0.0
        stream._inbox = _copy(stream._inbox, _WatchedQueue)
        stream._inbox.watch = self
        stream._link = _WatchedLink(stream._link, self)

    def prolong(self, seconds: float) -> None:
        """Go on for so many seconds from now on."""
        stream = self._stream()
        if stream is not None:
            begins = not self._until
            self._until = stream.runtime.loop.time() + seconds
            if begins:
                stream.runtime.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        stream = self._stream()
        if stream is None:
            return
        left = self._until - stream.runtime.loop.time()
        if left > 0:
            stream.runtime.loop.call_later(left, self._look)
            return
        stream._inbox = _copy(stream._inbox, EventQueue)
        stream._link = stream._link.link
        del _watches[stream]

    def note(self, direction: str, kind: str, size: int, data: str | bytes) -> None:
        """Note a message; ``data`` is what came, or what is written to the wire."""
        self.noted.append(Noted(time.time(), direction, kind, size))
        if self.recorded is not None:
            self.recorded.add(direction, data)


class Recorded:
    """The messages of a WebSocket that is recorded, with what is in them; bounded in number and size."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, str, str | bytes]] = []
        self.complete = True
        self._began = time.monotonic()
        self._room = MOST_RECORDED_BYTES

    def add(self, direction: str, data: str | bytes) -> None:
        """Add what has come, or what of the wire are whole messages that are not compressed."""
        found = [data] if direction == "in" else list(self._messages(bytes(data)))  # type: ignore[arg-type]
        for each in found:
            self._room -= len(each)
            if self._room < 0 or len(self.frames) >= MOST_RECORDED:
                self.complete = False
                return
            self.frames.append((round(time.monotonic() - self._began, 3), direction, each))

    def _messages(self, data: bytes) -> Iterator[str | bytes]:
        """Return the messages in what a server writes: frames without masks, one behind the other."""
        at = 0
        while at + 2 <= len(data):
            first, size, at = data[at], data[at + 1] & 127, at + 2
            if size >= _LENGTH_16:
                more = 2 if size == _LENGTH_16 else 8
                size, at = int.from_bytes(data[at : at + more]), at + more
            payload, at = data[at : at + size], at + size
            if first in (_WHOLE_TEXT, _WHOLE_BINARY):
                yield payload.decode() if first == _WHOLE_TEXT else payload
            elif first & 15 in (0, 1, 2):
                self.complete = False  # compressed, or a part of a message


#: Messages, and bytes of them, that are recorded.
MOST_RECORDED: Final = 1_000
MOST_RECORDED_BYTES: Final = 256 * 1024
#: First bytes of frames that are whole messages (RFC 6455 5.2), and a length that stands in the next two.
_WHOLE_TEXT, _WHOLE_BINARY, _LENGTH_16 = 0x81, 0x82, 126
#: Messages of a watched WebSocket that are remembered.
MOST_NOTED: Final = 100
_watches: Final[weakref.WeakKeyDictionary[Any, Watch]] = weakref.WeakKeyDictionary()
_KINDS: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def watch(stream: Any, seconds: float) -> list[Noted]:
    """Note the messages of a WebSocket for some seconds from now on; called in the thread of its loop.

    Returns:
        What was noted since somebody has begun to watch, the oldest first.
    """
    found = _watches.get(stream)
    if found is None:
        found = _watches[stream] = Watch(stream)
    found.prolong(seconds)
    return list(found.noted)


def record(stream: Any, seconds: float) -> None:
    """Record the messages of a WebSocket for some seconds from now on; called in the thread of its loop."""
    watch(stream, seconds)
    _watches[stream].recorded = Recorded()


def recorded(stream: Any) -> Recorded | None:
    """Return what was recorded, as long as somebody watches; None for nothing."""
    found = _watches.get(stream)
    return None if found is None else found.recorded


class _WatchedQueue(EventQueue):
    """Notes what comes in."""

    __slots__ = ("watch",)
    watch: Watch

    def put(self, data: str | bytes) -> bool:
        """See :class:`EventQueue`."""
        self.watch.note("in", "text" if isinstance(data, str) else "binary", len(data), data)
        return super().put(data)


def _copy(queue: EventQueue, kind: type[EventQueue]) -> Any:
    """Return a queue with the same contents."""
    copy = kind.__new__(kind)
    for name in EventQueue.__slots__:
        setattr(copy, name, getattr(queue, name))
    return copy


class _WatchedLink:
    """Notes what goes out, and passes it on."""

    def __init__(self, link: Any, watch: Watch) -> None:
        self.link, self._watch = link, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)

    def write(self, data: bytes) -> None:
        """See :class:`~channels.server.interfaces.Link`."""
        self._watch.note("out", _KINDS.get(data[0] & 15, "other"), len(data), data)
        self.link.write(data)

    def write_now(self, data: bytes) -> None:
        """See :class:`~channels.server.interfaces.Link`."""
        self._watch.note("out", _KINDS.get(data[0] & 15, "other"), len(data), data)
        self.link.write_now(data)
