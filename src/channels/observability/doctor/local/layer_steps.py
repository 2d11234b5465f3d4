"""Channel layers: a message to another process and back, expiry, and the Redis below."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from asgiref.sync import async_to_sync

from channels.layers.manager import channel_layers
from channels.layers.memory import InMemoryChannelLayer
from channels.observability.doctor.local.redis_steps import redis_steps
from channels.observability.doctor.steps import Status, Step, wrong
from channels.observability.problems import LEAST_EXPIRY, MOST_LATENCY, Problem, said

#: Seconds in which the other process has to start and to answer.
_PATIENCE: Final = 20.0


def layer_steps() -> Iterator[Step]:
    """Look at each channel layer."""
    if not channel_layers.configs:
        yield Step("layer", "looked at CHANNEL_LAYERS", "there is none", Status.SKIPPED)
    for alias in channel_layers.configs:
        yield from _layer(alias)


def _layer(alias: str) -> Iterator[Step]:
    name, did = f"layer {alias}", "sent a message to another process, and had it answered"
    try:
        layer = channel_layers[alias]
    except Exception as error:
        yield Step(name, "made it by its settings", str(error), Status.ERROR, "Mend CHANNEL_LAYERS.")
        return
    if isinstance(layer, InMemoryChannelLayer):
        remedy = "Where there are several processes, use HostChannelLayer or Redis."
        yield Step(name, did, "it is in memory, and ends with this process", Status.WARNING, remedy)
        return
    yield _round_trip(name, did, alias, layer)
    yield _expiry(name, layer)
    if hasattr(layer, "hosts") or "redis" in type(layer).__module__:
        yield from redis_steps(name, channel_layers.configs[alias].get("CONFIG", {}))


def _round_trip(name: str, did: str, alias: str, layer: Any) -> Step:
    try:
        seconds = async_to_sync(_ask_other)(alias, layer)
    except Exception as error:
        return wrong(name, did, Problem("layer_away", {"name": alias, "error": said(error)}))
    if seconds > MOST_LATENCY:
        return wrong(name, did, Problem("layer_slow", {"name": alias, "seconds": seconds}), Status.WARNING)
    return Step(name, did, f"answered after {seconds * 1000:.1f} ms")


async def _ask_other(alias: str, layer: Any) -> float:
    """Return how long a message to another process and its answer take, without the start of that process."""
    channel = await layer.new_channel("doctor")
    command = [sys.executable, "-m", "channels.observability.doctor.local.echo", alias, channel]
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=nothing, stderr=nothing)
    try:
        async with asyncio.timeout(_PATIENCE):
            ready = await layer.receive(channel)
            begun = time.perf_counter()
            await layer.send(ready["reply"], {"type": "doctor.ask"})
            await layer.receive(channel)
            return time.perf_counter() - begun
    except TimeoutError:
        raise TimeoutError(f"no answer in {_PATIENCE:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _expiry(name: str, layer: Any) -> Step:
    did, expiry = "looked at how long messages are kept", getattr(layer, "expiry", None)
    if expiry is not None and expiry < LEAST_EXPIRY:
        problem = Problem("expiry_short", {"name": name, "expiry": expiry})
        return wrong(f"{name} expiry", did, problem, Status.WARNING)
    return Step(f"{name} expiry", did, f"{expiry} s, {getattr(layer, 'capacity', '?')} messages a channel")
