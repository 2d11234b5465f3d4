"""Four processes that send to groups whose members come and go; and Redis that comes and goes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict

import pytest
from redis.crc import key_slot

from tests.layers.size import FULL, report, size
from tests.support.redis_servers import Cluster, RedisServer, Sentinels

# Each wait in here has an end of its own; together they may take longer than others on a loaded machine.
pytestmark = pytest.mark.timeout(300)

PROCESSES = size(3, 4)
MEMBERS = size(20, 50)  # of each process
PATIENCE = float(size(50, 300))


class Processes:
    """The processes, and what they report."""

    def __init__(self, hosts, plan):
        self.hosts = hosts
        self.plan = plan

    async def start(self):
        self.processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.layers.redis.chaos_worker"),
                *(json.dumps(self.hosts), str(number), json.dumps(self.plan)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**26,
            )
            for number in range(PROCESSES)
        ]
        await self.hear("ready")
        self.tell()

    async def hear(self, word):
        assert await self.lines() == [word.encode() + b"\n"] * PROCESSES

    async def lines(self):
        reading = (process.stdout.readline() for process in self.processes)
        return await asyncio.wait_for(asyncio.gather(*reading), PATIENCE)

    def tell(self, content=""):
        for process in self.processes:
            process.stdin.write(json.dumps(content).encode() + b"\n")

    async def reports(self):
        """What was sent, and the report of each process when it has all of it, or never gets the rest."""
        await self.hear("sent")
        self.tell()
        messages = messages_of([json.loads(line) for line in await self.lines()])
        self.tell(accepted_of(messages) if self.plan["stay"] else {})
        lines = await self.lines()
        await asyncio.gather(*(process.wait() for process in self.processes))
        return messages, [json.loads(line) for line in lines]


def messages_of(sent):
    """By group: sender, number, when sending began and ended, and whether it failed."""
    messages = defaultdict(list)
    for sender, each in enumerate(sent):
        for group, number, began, ended, failed in each:
            messages[group].append((sender, number, began, ended, failed))
    return messages


def accepted_of(messages):
    """By group: sender and number of the messages whose sending was no error."""
    return {group: [each[:2] for each in its if not each[4]] for group, its in messages.items()}


def assert_in_order_and_once(got):
    latest = {}
    for group, sender, number in got:
        assert number > latest.get((group, sender), 0), (group, sender, number)
        latest[group, sender] = number


def missed(got, stays, messages):
    """Messages sent wholly within a stay that the member did not get; failed ones may have failed."""
    got = {tuple(message) for message in got}
    return [
        (group, sender, number)
        for group, joined, left in stays
        for sender, number, began, ended, failed in messages[group]
        if not failed and began > joined and ended < left and (group, sender, number) not in got
    ]


def plan_of(messages, *, rest, members=MEMBERS, seconds=0, stay=True, layer="core"):
    """What each process does: its messages and members, seconds between messages and of wandering."""
    return {
        **{"groups": 10, "members": members, "messages": messages},
        **{"rest": rest, "seconds": seconds, "stay": stay, "layer": layer},
    }


async def run(hosts, plan, disturb=None):
    processes = Processes(hosts, plan)
    await processes.start()
    if disturb is not None:
        await disturb()
    messages, reports = await processes.reports()
    assert sum(len(each) for each in messages.values()) == PROCESSES * plan["messages"]
    total = 0
    for each in reports:
        lost = 0
        for got, stays in each["members"].values():
            assert_in_order_and_once(got)
            lost += len(missed(got, stays, messages))
        counted = sum(each["statistics"]["dropped"].values())
        assert lost <= counted, (lost, each["statistics"])
        total += lost
    delivered = sum(each["statistics"]["delivered"] for each in reports)
    assert delivered > plan["messages"]
    counted = [each["statistics"]["dropped"] for each in reports]
    sent = PROCESSES * plan["messages"]
    members = PROCESSES * plan["members"]
    accepted = sum(map(len, accepted_of(messages).values()))
    repaired = sum(each["statistics"]["redis"]["repaired"] for each in reports)
    report(messages=sent, accepted=accepted, members=members, deliveries=delivered, missed=total)
    unrepaired = [each["statistics"]["redis"]["unrepaired"] for each in reports]
    report(repaired_in_processes=repaired, unrepaired=unrepaired, counted_by_process=counted)
    return total, reports


async def test_every_member_gets_every_message_of_its_stay_in_order_and_once():
    seconds = size(3, 15)
    plan = plan_of(size(1000, 5000), members=50, rest=0.001, seconds=seconds, stay=False)
    with RedisServer() as server:
        lost, reports = await run([server.address], plan)
        assert lost == 0
        assert all(each["statistics"]["dropped"] == {} for each in reports)


LAYERS = pytest.mark.parametrize("layer", ["core", "pubsub"])
#: Both carry groups in the same way: at full size both are tried.
ONE_OR_BOTH = pytest.mark.parametrize("layer", ["core", *["pubsub"] * FULL])


def bounce(server, times, away=0.0, pause=0.5):
    """Return what kills a server and starts it again, empty, some times."""

    async def disturb():
        for _ in range(times):
            await asyncio.sleep(pause)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(away)
            await asyncio.to_thread(server.start)

    return disturb


@LAYERS
async def test_redis_is_killed_and_back_and_nothing_that_was_accepted_is_lost(layer):
    plan = plan_of(size(400, 5000), rest=0.002, layer=layer)
    with RedisServer() as server:
        lost, reports = await run([server.address], plan, bounce(server, size(2, 20)))
    assert lost == 0
    assert all(each["statistics"]["dropped"] == {} for each in reports)


@ONE_OR_BOTH
async def test_connections_are_cut_and_nothing_that_was_accepted_is_lost(layer):
    plan = plan_of(size(300, 5000), rest=0.001, layer=layer)
    with RedisServer() as server:

        async def disturb():
            for _ in range(size(4, 40)):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.cut)

        lost, _ = await run([server.address], plan, disturb)
    assert lost == 0


@ONE_OR_BOTH
async def test_subscriptions_are_cut_and_nothing_that_was_accepted_is_lost(layer):
    plan = plan_of(size(300, 5000), rest=0.001, layer=layer)
    with RedisServer() as server:

        async def disturb():
            for _ in range(size(4, 40)):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "pubsub")

        lost, _ = await run([server.address], plan, disturb)
    assert lost == 0


@ONE_OR_BOTH
async def test_a_primary_is_killed_and_a_failover_and_nothing_that_was_accepted_is_lost(layer):
    plan = plan_of(size(300, 5000), rest=0.003, layer=layer)
    with Sentinels() as servers:

        async def disturb():
            await bounce(servers.primary, size(1, 20))()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(servers.fail_over)

        lost, _ = await run([servers.url], plan, disturb)
    assert lost == 0


async def test_shards_are_killed_in_turn_and_nothing_that_was_accepted_is_lost():
    plan = plan_of(size(300, 5000), rest=0.003)
    with RedisServer() as first, RedisServer() as second:

        async def disturb():
            for _ in range(size(1, 10)):
                await bounce(first, 1, away=0.2)()
                await bounce(second, 1, away=0.2)()

        lost, _ = await run([first.address, second.address], plan, disturb)
    assert lost == 0


@ONE_OR_BOTH
async def test_slots_move_and_nodes_are_killed_and_nothing_that_was_accepted_is_lost(layer):
    plan = plan_of(size(300, 5000), rest=0.003, layer=layer)
    family = "" if layer == "core" else "pubsub-"
    with Cluster() as cluster:

        async def disturb():
            for turn in range(size(1, 5)):
                for number in range(5):
                    slot = key_slot(f"chaos:{family}group:g{number}".encode())
                    start = (slot // 5462 + turn) % 3
                    await asyncio.sleep(0.1)
                    await asyncio.to_thread(cluster.move_slot, slot, start, (start + 1) % 3)
            for turn in range(size(1, 20)):
                await bounce(cluster.servers[(1 + turn) % 3], 1, away=0.2)()

        lost, _ = await run([cluster.url], plan, disturb)
    assert lost == 0
