"""What is done to connections and processes from outside: here, for those of this process."""

from __future__ import annotations

import asyncio
from typing import Any

from channels import telemetry
from channels.observability.fleet.answers import Done
from channels.observability.fleet.facts.applications import user_of
from channels.observability.fleet.facts.connections import Seen, connections_in, id_of
from channels.observability.fleet.facts.loops import (
    PATIENT_LOOP_LIMIT,
    LoopHeld,
    in_loop,
    loops,
    servers,
    workers,
)
from channels.observability.fleet.messages import NodeInfo
from channels.observability.fleet.questions import Close, DisconnectUser, DrainNode


async def close(node: NodeInfo, ask: Close) -> Done:
    """Close one connection, if it is of this process."""

    def is_meant(seen: Seen) -> bool:
        return id_of(seen, node.id) == ask.id

    if not ask.id.startswith(node.id[:12]):
        return Done()
    return await _in_all_loops(is_meant, ask.code, ask.reason)


async def disconnect(node: NodeInfo, ask: DisconnectUser) -> Done:
    """Close the connections of a user."""

    def is_meant(seen: Seen) -> bool:
        return bool(ask.user) and ask.user in user_of(seen.application)

    return await _in_all_loops(is_meant, ask.code, ask.reason)


async def drain(node: NodeInfo, ask: DrainNode) -> Done:
    """Drain this process, if it is meant."""
    if ask.node != node.id:
        return Done()
    for server in servers():
        if server.loop is not None:
            server.loop.call_soon_threadsafe(server.ask_to_drain)
    for worker in workers():
        worker.ask_to_drain()
    found = bool(servers() or workers())
    telemetry.count("fleet.drained", int(found))
    return Done(int(found))


async def _in_all_loops(is_meant: Any, code: int, reason: str) -> Done:
    done = Done()
    for loop in loops():
        try:
            done.amount += await in_loop(loop, _end_those, is_meant, code, reason, limit=PATIENT_LOOP_LIMIT)
        except LoopHeld:
            continue
    return done


async def _end_those(is_meant: Any, code: int, reason: str) -> int:
    loop = asyncio.get_running_loop()
    meant = [seen for seen in connections_in(loop) if is_meant(seen)]
    ended = sum(_end(seen, code, reason) for seen in meant)
    telemetry.count("fleet.disconnected", ended)
    return ended


def _end(seen: Seen, code: int, reason: str) -> bool:
    session = seen.application.session
    if session is not None:
        session.disconnect(code, reason)
        return True
    return seen.stream is not None and seen.stream.end(code, reason)
