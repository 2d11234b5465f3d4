"""What this process answers to each question."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from typing import Any, Final

from channels.diagnostics import delivery_log
from channels.observability.fleet import acting
from channels.observability.fleet.answers import (
    ConnectionDetails,
    ConnectionRow,
    Connections,
    Endings,
    Log,
    LogEntry,
    LogNames,
    NodeStatus,
    RecordingText,
    Topics,
)
from channels.observability.fleet.facts import status, topics
from channels.observability.fleet.facts.connections import matching
from channels.observability.fleet.facts.details import MOST_SECONDS, details_of, endings_here, recording_of
from channels.observability.fleet.facts.loops import PATIENT_LOOP_LIMIT, LoopHeld, in_loop, loops
from channels.observability.fleet.messages import NodeInfo
from channels.observability.fleet.questions import (
    MOST_ROWS,
    Ask,
    AskConnection,
    AskConnections,
    AskEndings,
    AskLog,
    AskLogNames,
    AskRecording,
    AskStatus,
    AskTopics,
    Close,
    DisconnectUser,
    DrainNode,
)


async def answer(node: NodeInfo, ask: Ask) -> Any:
    """Return the answer to a question; None for nothing."""
    return await _BY_QUESTION[type(ask)](node, ask)


async def _status(node: NodeInfo, ask: AskStatus) -> NodeStatus:
    return await status.status()


async def _connections(node: NodeInfo, ask: AskConnections) -> Connections:
    found = Connections()
    for loop in loops():
        try:
            part = await in_loop(loop, _connections_here, node.id, ask)
        except LoopHeld:
            found.complete = False
            continue
        found.total += part.total
        found.rows += part.rows
        found.complete = found.complete and part.complete
    found.rows = page_of(found.rows, ask)
    return found


async def _connections_here(node: str, ask: AskConnections) -> Connections:
    rows: list[ConnectionRow] = []
    found = Connections()
    try:
        async for _, row in matching(ask, node):
            found.total += 1
            if row.id > ask.after and not ask.counts_only:
                rows.append(row)
    except TimeoutError:
        found.complete = False
    found.rows = page_of(rows, ask)
    return found


def page_of(rows: list[ConnectionRow], ask: AskConnections) -> list[ConnectionRow]:
    """Return the first of the rows, as many as were asked for and no more than a page has."""
    limit = 0 if ask.counts_only else min(ask.limit, MOST_ROWS)
    return heapq.nsmallest(limit, rows, key=lambda row: row.id)


async def _connection(node: NodeInfo, ask: AskConnection) -> ConnectionDetails | None:
    if not ask.id.startswith(node.id[:12]):
        return None
    for loop in loops():
        try:
            found = await in_loop(loop, _connection_here, node.id, ask, limit=PATIENT_LOOP_LIMIT)
        except LoopHeld:
            continue
        if found is not None:
            return found
    return None


async def _connection_here(node: str, ask: AskConnection) -> ConnectionDetails | None:
    async for seen, row in matching(AskConnections(), node):
        if row.id == ask.id:
            return details_of(seen, row, ask.watch)
    return None


async def _recording(node: NodeInfo, ask: AskRecording) -> RecordingText | None:
    if not ask.id.startswith(node.id[:12]) or not delivery_log.with_contents():
        return None
    for loop in loops():
        found = await in_loop(loop, _recording_here, node.id, ask, limit=PATIENT_LOOP_LIMIT)
        if found is not None:
            return found
    return None


async def _recording_here(node: str, ask: AskRecording) -> RecordingText | None:
    async for seen, row in matching(AskConnections(), node):
        if row.id == ask.id and seen.stream is not None:
            return recording_of(seen, row, min(ask.seconds, MOST_SECONDS))
    return None


async def _endings(node: NodeInfo, ask: AskEndings) -> Endings:
    return Endings(endings_here(ask.text))


async def _log(node: NodeInfo, ask: AskLog) -> Log:
    entries = delivery_log.entries(ask.name, min(ask.limit, MOST_ROWS), ask.trace)
    found = [LogEntry(*each) for each in entries]
    for entry in found:
        entry.content = entry.content if ask.contents else ""
    return Log(found)


async def _log_names(node: NodeInfo, ask: AskLogNames) -> LogNames:
    return LogNames(delivery_log.names(ask.text, min(ask.limit, MOST_ROWS)))


async def _topics(node: NodeInfo, ask: AskTopics) -> Topics:
    if ask.kind == "group":
        return topics.page(topics.groups(), ask)
    found: dict[str, int] = {}
    for loop in loops():
        try:
            for name, size in (await in_loop(loop, topics.topics_here)).items():
                found[name] = found.get(name, 0) + size
        except LoopHeld:
            continue
    return topics.page(found, ask)


_BY_QUESTION: Final[dict[type[Ask], Callable[[NodeInfo, Any], Awaitable[Any]]]] = {
    AskStatus: _status,
    AskConnections: _connections,
    AskConnection: _connection,
    AskEndings: _endings,
    AskLog: _log,
    AskLogNames: _log_names,
    AskRecording: _recording,
    AskTopics: _topics,
    Close: acting.close,
    DisconnectUser: acting.disconnect,
    DrainNode: acting.drain,
}
