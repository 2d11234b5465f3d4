"""How many users are carried: more and more of them, until what they see comes too late."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.examples.users import Measured, Site, Users

#: Users that connect at the same time.
AT_ONCE = 20
#: Seconds for what connecting has caused to be over.
SETTLE = 1.0


@dataclass(frozen=True)
class Step:
    """What was seen with so many users.

    Attributes:
        users: how many.
        p50: milliseconds; half of the deliveries took no longer.
        p99: likewise of 99 in a hundred.
        deliveries: per second.
        lost: connections that ended, and commands that were refused.
        server: the share of its core that the server, and what runs beside it, took; 1 is all of it.
        load: likewise of the clients: near 1 they are what is slow.
    """

    users: int
    p50: float
    p99: float
    deliveries: float
    lost: int
    server: float
    load: float

    @property
    def by_processor(self) -> int:
        """How many users would take seven tenths of the core, if each takes what one of these takes."""
        return round(self.users * 0.7 / self.server) if self.server else 0

    def is_carried(self, bound: float) -> bool:
        """Whether everybody was served, and in time: ``bound`` milliseconds."""
        return not self.lost and self.deliveries > 0 and self.p99 <= bound


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of all does not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def run_step(
    kind: type[Users], site: Site, number: int, seconds: float, server_time: Callable[[], float]
) -> Step:
    """Let so many users do what they do, for some seconds; a failed connection counts as lost."""
    measured = Measured()
    users = kind(site, measured)
    try:
        for first in range(0, number, AT_ONCE):
            adding = (users.add(each) for each in range(first, min(first + AT_ONCE, number)))
            failed = [error for error in await asyncio.gather(*adding, return_exceptions=True) if error]
            if failed:
                print(f"A user could not connect: {failed[0]!r}", file=sys.stderr)
                return Step(number, 0.0, 0.0, 0.0, len(failed), 0.0, 0.0)
        await asyncio.sleep(SETTLE)
        measured.latencies.clear()
        began, of_server, of_load = time.monotonic(), server_time(), time.process_time()
        acting = [asyncio.create_task(_act(users, each)) for each in range(number)] if kind.interval else []
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        for task in acting:
            task.cancel()
        seen = [latency * 1000 for latency in measured.latencies]
        return Step(
            users=number,
            p50=percentile(seen, 0.5),
            p99=percentile(seen, 0.99),
            deliveries=len(seen) / took,
            lost=users.lost() + measured.failed,
            server=(server_time() - of_server) / took,
            load=(time.process_time() - of_load) / took,
        )
    finally:
        users.close()


async def _act(users: Users, number: int) -> None:
    """Act in turns, at a moment of one's own."""
    await asyncio.sleep(random.random() * users.interval)
    while True:
        await users.act(number)
        await asyncio.sleep(users.interval)


async def search(
    step: Callable[[int], asyncio.Future[Step] | object],
    first: int,
    most: int,
    bound: float,
    told: Callable[[Step], None],
) -> Step | None:
    """Return the step with the most users that are carried; None if not even the first ones are.

    The number is doubled until it is too large, and then halved in between, twice.

    Args:
        step: runs one with a number of users.
        first: the smallest number.
        most: the largest.
        bound: milliseconds that 99 of a hundred deliveries may take.
        told: gets each step.
    """
    run = partial(_run, step, told)
    best, number = None, first
    while number <= most and (found := await run(number)).is_carried(bound):
        best, number = found, number * 2
    if best is None or number > most:
        return best
    low, high = best.users, number
    for _ in range(2):
        middle = (low + high) // 2
        found = await run(middle)
        if found.is_carried(bound):
            best, low = found, middle
        else:
            high = middle
    return best


async def _run(step: Callable[[int], object], told: Callable[[Step], None], number: int) -> Step:
    found: Step = await step(number)  # type: ignore[misc]  # an awaitable
    told(found)
    return found
