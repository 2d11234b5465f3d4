"""What is endured: each scenario returns the rows of its table."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import frames
from .clients import Requests, masked, open_sockets
from .server import Subject, running

Rows = dict[str, Any]


async def idle(seconds: int, sockets: int = 10_000, rate: int = 2000) -> Rows:
    """Idle WebSockets beside requests: nothing is lost, memory does not grow."""
    async with running() as server:
        waiting = await open_sockets(server.port, sockets)
        load, begin = Requests(server.port, rate), len(server.memory)
        await load.run(seconds)
        early, late = server.memory[begin : begin + 10], server.memory[begin + 10 :]
        await Requests(server.port, 1, b"GET /say HTTP/1.1\r\nHost: test\r\n\r\n").run(1)
        await asyncio.sleep(5)
        got = Counter(socket.messages for socket in waiting)
        rows = {
            "idle WebSockets": f"{sockets:,}, closed meanwhile: {sum(s.gone.done() for s in waiting)}",
            **load.summary(),
            "messages that each socket got of one to everybody": _spread(got),
            "memory, first ten seconds": _range(early),
            "memory, after them": _range(late or early),
            "counters": _interesting(await server.counters()),
        }
        for socket in waiting:
            socket.transport.abort()
        return rows


async def roll(seconds: int, sockets: int = 1000, rate: int = 500) -> Rows:
    """SIGHUP with two workers: no request fails, each socket gets 1012 and its consumer the disconnect."""
    async with running("--workers", "2") as server:
        waiting = await open_sockets(server.port, sockets)
        load = Requests(server.port, rate)
        asking = asyncio.ensure_future(load.run(seconds))
        await asyncio.sleep(2)
        server.signal(signal.SIGHUP)
        async with asyncio.timeout(120):
            await asyncio.gather(*(socket.gone for socket in waiting))
            await asking
            await until(lambda: len(server.notes()) >= sockets)
        return {
            **load.summary(),
            "close codes of the WebSockets": _spread(Counter(socket.code for socket in waiting)),
            "codes that consumers were told": _spread(Counter(server.notes())),
            "memory": _range(server.memory),
            "log": server.log() or "nothing",
        }


async def hostile(seconds: int) -> Rows:
    """Hostile clients of each kind: memory is bounded, and others are served meanwhile."""
    options = ("--websocket-deflate", "--head-timeout", "5", "--body-timeout", "5", "--write-timeout", "5")
    rows: Rows = {}
    for name in ("slow readers", "slow senders", "header drip", "zip bomb", "flood of small messages"):
        async with running(*options) as server:
            rows[name] = await _attacked(server, name, seconds)
    return rows


async def messageless(seconds: int) -> Rows:
    """Four peers at a time that send frames without a message: others are served, and do not wait long."""
    rows: Rows = {}
    for engines in (("uvloop", "zttp", "native"), ("asyncio", "h11", "h2")):
        options = [
            part
            for pair in zip(("--loop", "--http1-engine", "--http2-engine"), engines, strict=True)
            for part in pair
        ]
        for name in ("nobody", *frames.KINDS):
            async with running(*options) as server:
                rows[f"{name} ({', '.join(engines)})"] = await _flooded(server, name, seconds)
    return rows


async def _flooded(server: Subject, name: str, seconds: int) -> str:
    """Others are a hundred requests a second."""
    load = Requests(server.port, 100)
    command = (sys.executable, "-m", "benchmarks.endurance.attacks", name, str(server.port))
    attack = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await load.run(seconds)
    if attack.returncode is None:
        attack.terminate()
    said, _ = await attack.communicate()
    held = await server.held()
    return "; ".join(
        [
            f"others: {len(load.latencies)} of {load.sent} requests ({load.percentiles()})",
            f"the server worked at a time p99 {1e3 * held[len(held) * 99 // 100]:.1f}, at most "
            f"{1e3 * held[-1]:.1f} ms",
            f"memory at most {max(server.memory):.0f} MiB",
            f"the attack: {said.decode().strip()}",
            f"counted: {_interesting(await server.counters())}",
        ]
    )


async def halfopen(seconds: int) -> Rows:
    """20,000 connections that never say anything, over two workers."""
    name = "half-open connections"
    async with running("--workers", "2") as server:
        return {name: await _attacked(server, name, seconds)}


async def _attacked(server: Subject, name: str, seconds: int) -> str:
    """Others are a hundred requests a second and twenty WebSockets that want their echo."""
    others = await open_sockets(server.port, 20)
    before, load = server.memory[-1], Requests(server.port, 100)
    command = (sys.executable, "-m", "benchmarks.endurance.attacks", name, str(server.port))
    attack = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    asking = asyncio.ensure_future(load.run(seconds))
    rounds = 0
    while not asking.done():
        for socket in others:
            socket.transport.write(masked(1, b"still there?"))
        rounds += 1
        await asyncio.sleep(1)
    most = max(server.memory)
    if attack.returncode is None:
        attack.terminate()
    said, _ = await attack.communicate()
    async with asyncio.timeout(60):
        await until(lambda: any(s.gone.done() for s in others) or all(s.messages >= rounds for s in others))
    lost = sum(rounds - socket.messages for socket in others)
    for socket in others:
        socket.transport.abort()
    return "; ".join(
        [
            f"memory {before:.0f} to at most {most:.0f} MiB",
            f"others: {len(load.latencies)} of {load.sent} requests ({load.percentiles()})",
            f"failed: {dict(load.failures) or 'none'}",
            f"echoes lost: {lost} of {20 * rounds}",
            f"the attack: {said.decode().strip()}",
            f"counted: {_interesting(await server.counters())}",
        ]
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    while not condition():  # noqa: ASYNC110  # it is another process's doing
        await asyncio.sleep(0.05)


def _spread(found: Counter[Any]) -> str:
    return ", ".join(f"{number:,} times {value}" for value, number in sorted(found.items()))


def _range(memory: list[float]) -> str:
    return f"{min(memory):.0f} to {max(memory):.0f} MiB" if memory else "not looked at"


def _interesting(counters: dict[str, int]) -> str:
    told = {name: value for name, value in sorted(counters.items()) if not name.startswith("consumer.")}
    return ", ".join(f"{name} {value:,}" for name, value in told.items()) or "nothing"


SCENARIOS = {
    "idle": (idle, 60),
    "roll": (roll, 20),
    "hostile": (hostile, 12),
    "frames": (messageless, 5),
    "halfopen": (halfopen, 15),
}
