"""Nodes, the broker and Redis are killed, and nodes restarted, in the middle of clients and publications.

Each client ends with the complete sequence, or was told at that place that it is not recoverable. The nodes
accept from one socket, as behind a balancer; the publisher is a process of its own. ``make chaos`` runs this
with 200 clients and 20,000 publications for each kind of trouble, ``make test`` with fewer for all together.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias

import pytest

from tests.layers.size import FULL, report, size
from tests.support.redis_servers import RedisServer
from tests.topics.kills.follower import PATIENCE, SDK, Account, Follower
from tests.topics.kills.processes import Machine, Process, machine

# Each wait in here has an end of its own; processes start while others use the processors.
pytestmark = pytest.mark.timeout(900 if FULL else 120)

CLIENTS, SDKS = size(16, 190), size(4, 10)
PUBLICATIONS, BURST, PAUSE = size(500, 20_000), size(10, 20), 0.04
AHEAD = 4_000  # 5,000 can be recovered
Act: TypeAlias = Callable[["Stage"], Awaitable[None]]


class Stage:
    """Who is there while something happens.

    Attributes:
        machine: starts processes.
        nodes: that serve.
        carrier: of the broker; None without one.
        redis: the server; None without one.
    """

    def __init__(self, machine: Machine, redis: RedisServer | None) -> None:
        self.machine, self.redis = machine, redis
        self.nodes: list[Process] = []
        self.carrier: Process | None = None


async def kill_node(stage: Stage) -> None:
    await stage.nodes.pop(0).kill()
    stage.nodes.append(await stage.machine.node())


async def kill_carrier(stage: Stage) -> None:
    assert stage.carrier is not None
    await stage.carrier.kill()


async def kill_redis(stage: Stage) -> None:
    assert stage.redis is not None
    stage.redis.ask("SAVE")
    stage.redis.kill()
    await asyncio.to_thread(stage.redis.start)


async def restart_one_by_one(stage: Stage) -> None:
    for _ in range(len(stage.nodes)):
        await stage.nodes.pop(0).terminate()
        stage.nodes.append(await stage.machine.node())


async def restart_workers(stage: Stage) -> None:
    """Have a supervisor replace its workers; returns when the old ones are gone."""
    supervisor = stage.nodes[0]
    old = [int(match[1]) for match in await supervisor.says(WORKER, 2)]
    os.kill(supervisor.pid, signal.SIGHUP)
    await supervisor.says(WORKER, 4)
    async with asyncio.timeout(PATIENCE):
        while any(map(_lives, old)):
            await asyncio.sleep(0.05)


WORKER = re.compile(r"Worker \d+ \(pid (\d+)\) serves")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def together(*acts: Act) -> list[list[Act]]:
    """Each by itself where there is time, else one after the other."""
    return [[act] for act in acts] if FULL else [list(acts)]


def named(acts: list[Act]) -> str:
    return ", ".join(act.__name__.replace("_", " ") for act in acts)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.mark.parametrize("acts", together(kill_node, kill_carrier, restart_one_by_one), ids=named)
async def test_topics_on_one_machine(acts: list[Act]) -> None:
    async with machine() as found:
        stage = Stage(found, None)
        stage.carrier = await found.carrier()  # the first process of a machine carries the broker
        accounts = await run(stage, acts, nodes=2)
    assert not unrecovered(accounts)


@pytest.mark.parametrize("acts", together(kill_node, restart_one_by_one), ids=named)
async def test_topics_in_redis(acts: list[Act], redis: RedisServer) -> None:
    async with machine(redis.url) as found:
        accounts = await run(Stage(found, redis), acts, nodes=2)
    assert not unrecovered(accounts)


async def test_redis_is_killed(redis: RedisServer) -> None:
    """It begins new epochs: it may have lost something. Who was there is told so, once."""
    async with machine(redis.url) as found:
        accounts = await run(Stage(found, redis), [kill_redis], nodes=1)
    assert unrecovered(accounts) == len(accounts)


async def test_workers_are_replaced() -> None:
    async with machine() as found:
        accounts = await run(Stage(found, None), [restart_workers], options=["--workers", "2"])
    assert not unrecovered(accounts)


def unrecovered(accounts: list[Account]) -> int:
    return sum(each.unrecovered for each in accounts)


async def run(stage: Stage, acts: list[Act], nodes: int = 1, options: Sequence[str] = ()) -> list[Account]:
    """Have clients follow a publisher while ``acts`` happen; returns what they got, which is in order.

    The first node gets half of the clients before there is a second one.
    """
    publisher = await stage.machine.publisher(PUBLICATIONS, BURST)
    stage.nodes.append(await stage.machine.node(*options))
    lights, sdks = [Follower() for _ in range(CLIENTS)], [SDK() for _ in range(SDKS)]
    accounts: list[Account] = [*sdks, *lights]
    tasks = [asyncio.create_task(each.follow(stage.machine.port, bool(n % 2))) for n, each in enumerate(sdks)]
    for half in (lights[: CLIENTS // 2], lights[CLIENTS // 2 :]):
        tasks += [asyncio.create_task(each.follow(stage.machine.port)) for each in half]
        await all_of([each.subscribed for each in half])
        if len(stage.nodes) < nodes:
            stage.nodes.append(await stage.machine.node(*options))
    began, acted = time.monotonic(), asyncio.Event()
    pacing = asyncio.create_task(pace(publisher, accounts, acted))
    for number, act in enumerate(acts, 1):
        await publisher.reaches(PUBLICATIONS * number // (len(acts) + 1))
        await act(stage)
    acted.set()
    await pacing
    await all_of([each.ended for each in accounts])
    seconds = time.monotonic() - began
    await asyncio.gather(*tasks)
    for account in accounts:
        account.check(PUBLICATIONS)
    told(acts, accounts, seconds)
    return accounts


async def pace(publisher: Process, accounts: list[Account], acted: asyncio.Event) -> None:
    """Have it publish, so slowly that everybody can be had back however loaded the machine is.

    The last quarter waits for what is to happen before.
    """
    for first in range(0, PUBLICATIONS, BURST):
        if first >= PUBLICATIONS * 3 // 4:
            await acted.wait()
        await publisher.goes_on()
        await publisher.reaches(first + BURST)
        await asyncio.sleep(PAUSE)
        while first - min((each.next for each in accounts if each.next is not None), default=first) > AHEAD:
            await asyncio.sleep(PAUSE)


async def all_of(events: list[asyncio.Event]) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(event.wait() for event in events))


def told(acts: list[Act], accounts: list[Account], seconds: float) -> None:
    numbers = [sum(number is not None for number in each.got) for each in accounts]
    report(
        what=named(acts),
        clients=len(accounts),
        publications=PUBLICATIONS,
        deliveries=sum(numbers),
        subscribed_again=sum(each.connects - 1 for each in accounts),
        complete=sum(number == PUBLICATIONS for number in numbers),
        told_that_it_is_lost=sum(each.unrecovered > 0 for each in accounts),
        missing=sum(PUBLICATIONS - number for number in numbers),
        seconds=round(seconds, 1),
    )
