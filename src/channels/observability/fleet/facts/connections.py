"""The connections of this process, as rows."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, NamedTuple

from channels.layers.engine import engine_of
from channels.observability.fleet.answers import ConnectionRow
from channels.observability.fleet.facts.applications import (
    Application,
    application_of,
    handler_of,
    user_of,
)
from channels.observability.fleet.facts.loops import SLICE, hubs_by_loop, servers
from channels.observability.fleet.questions import AskConnections
from channels.server.asgi.inspection import facts_of
from channels.server.asgi.websocket import WebSocketStream
from channels.topics.session.session import Session

#: Topics whose names begin so are those of inspectors: who only looks is not counted.
INSPECTORS: Final = "channels.inspector:"
#: Seconds in which a loop looks at its connections; what is left then is not looked at.
TIME: Final = 0.5
#: Characters of a text of a client's.
MOST_TEXT: Final = 300

_numbers: weakref.WeakKeyDictionary[WebSocketStream, int] = weakref.WeakKeyDictionary()
_counter = itertools.count(1)


class Seen(NamedTuple):
    """A connection, and what serves it.

    Attributes:
        stream: the WebSocket; None for what only topics know.
        application: what serves it.
        key: of the connection in this process: for WebSockets, in the order in which they were first seen.
    """

    stream: WebSocketStream | None
    application: Application
    key: str


def connections_in(loop: asyncio.AbstractEventLoop) -> Iterator[Seen]:
    """Return the connections of the running loop, without those of inspectors."""
    streams: list[Any] = [each for server in servers() if server.loop is loop for each in server.streams]
    known = set()
    for stream in streams:
        if isinstance(stream, WebSocketStream):
            application = application_of(stream.task)
            known.add(application.session)
            if not is_inspector(application.session):
                yield Seen(stream, application, _key(stream))
    hub = hubs_by_loop().get(loop)
    for client in list(hub.clients.values()) if hub is not None else ():
        if isinstance(client, Session) and client not in known and not is_inspector(client):
            yield Seen(None, Application(client.scope, None, client), client.id)


def is_inspector(session: Session | None) -> bool:
    """Whether a client of topics only looks at the others."""
    return session is not None and any(name.startswith(INSPECTORS) for name in session.subscriptions)


def only_looks(stream: WebSocketStream) -> bool:
    """Whether a WebSocket is that of an inspector."""
    return is_inspector(application_of(stream.task).session)


def _key(stream: WebSocketStream) -> str:
    number = _numbers.get(stream)
    if number is None:
        number = _numbers[stream] = next(_counter)
    return f"{number:010d}"


async def matching(ask: AskConnections, node: str) -> AsyncIterator[tuple[Seen, ConnectionRow]]:
    """Yield the connections of the running loop that fit a question; ends early when time is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + TIME
    for index, seen in enumerate(connections_in(loop)):
        if index % SLICE == SLICE - 1:
            await asyncio.sleep(0)
            if loop.time() > end:
                raise TimeoutError
        row = row_of(seen, node)
        if fits(ask, row, seen):
            yield seen, row


def id_of(seen: Seen, node: str) -> str:
    """Return the id of a connection among those of all processes."""
    return f"{node[:12]}.{seen.key}"


def row_of(seen: Seen, node: str) -> ConnectionRow:
    """Return a connection at a glance."""
    application, session = seen.application, seen.application.session
    user, user_id = user_of(application)
    groups = groups_of(application)
    row = ConnectionRow(
        id=id_of(seen, node),
        kind="websocket" if seen.stream is not None else _text(application.scope, "type"),
        path=_text(application.scope, "path"),
        address=address_of(application.scope.get("client") if hasattr(application.scope, "get") else None),
        user=user,
        user_id=user_id,
        handler=handler_of(application)[:MOST_TEXT],
        state="open",
        seconds=0.0,
        topics=0 if session is None else len(session.subscriptions),
        groups=len(groups),
        waiting=0,
        unsent=0 if session is None else session.outbox.waiting,
    )
    if seen.stream is not None:
        facts = facts_of(seen.stream)
        row.path, row.address = facts.path[:MOST_TEXT], address_of(facts.client)
        row.state, row.seconds, row.waiting = facts.state, round(facts.opened, 1), facts.waiting
        row.unsent += facts.unsent
    return row


def _text(scope: Any, key: str) -> str:
    value = scope.get(key, "") if hasattr(scope, "get") else ""
    return str(value)[:MOST_TEXT]


def address_of(client: Any) -> str:
    """Return a peer as text."""
    return "" if not client else f"{client[0]}:{client[1]}"[:MOST_TEXT]


def groups_of(application: Application) -> tuple[str, ...]:
    """Return the groups of a consumer's channel."""
    consumer = application.consumer
    channel = getattr(consumer, "channel_name", None)
    local = getattr(engine_of(getattr(consumer, "channel_layer", None)), "local", None)
    return () if local is None or channel is None else local.groups_of(channel)


def names_of(seen: Seen) -> list[str]:
    """Return the topics and groups of a connection."""
    session = seen.application.session
    topics = [] if session is None else list(session.subscriptions)
    return [*topics, *groups_of(seen.application)]


def fits(ask: AskConnections, row: ConnectionRow, seen: Seen) -> bool:
    """Whether a connection fits a question."""
    for name, text_of in _FIELDS.items():
        wanted = getattr(ask, name).casefold()
        if wanted and not any(wanted in text.casefold() for text in text_of(row, seen)):
            return False
    text = ask.text.casefold()
    return not text or any(
        text in each.casefold() for text_of in _FIELDS.values() for each in text_of(row, seen)
    )


_FIELDS: Final[dict[str, Callable[[ConnectionRow, Seen], list[str]]]] = {
    "user": lambda row, seen: [row.user, row.user_id],
    "path": lambda row, seen: [row.path],
    "address": lambda row, seen: [row.address],
    "topic": lambda row, seen: names_of(seen),
}
