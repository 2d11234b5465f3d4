"""Four processes that send to groups whose members come and go; and Redis that comes and goes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict

import pytest

from tests.layers.size import report, size
from tests.support.redis_servers import RedisServer, Sentinels

# Each wait in here has an end of its own; together they may take longer than others on a loaded machine.
pytestmark = pytest.mark.timeout(300)

PROCESSES = 4
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
        for process in self.processes:
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            assert line.decode().strip() == word, line

    def tell(self):
        for process in self.processes:
            process.stdin.write(b"\n")

    async def reports(self):
        await self.hear("sent")
        self.tell()
        await self.hear("whole")  # all are connected again, and ask each other what they have missed
        await asyncio.sleep(1)
        self.tell()
        lines = [await asyncio.wait_for(process.stdout.readline(), PATIENCE) for process in self.processes]
        await asyncio.gather(*(process.wait() for process in self.processes))
        return [json.loads(line) for line in lines]


def messages_of(reports):
    """By group: sender, number, when sending began and ended, and whether it failed."""
    messages = defaultdict(list)
    for sender, each in enumerate(reports):
        for group, number, began, ended, failed in each["sent"]:
            messages[group].append((sender, number, began, ended, failed))
    return messages


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


def plan_of(messages, *, rest, members=MEMBERS, seconds=0, stay=True):
    """What each process does: its messages and members, seconds between messages and of wandering."""
    return {
        **{"groups": 10, "members": members, "messages": messages},
        **{"rest": rest, "seconds": seconds, "stay": stay},
    }


async def run(hosts, plan, disturb=None):
    processes = Processes(hosts, plan)
    await processes.start()
    if disturb is not None:
        await disturb()
    reports = await processes.reports()
    messages = messages_of(reports)
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
    report(messages=sent, members=members, deliveries=delivered, missed=total, counted_by_process=counted)
    return total, reports


async def test_every_member_gets_every_message_of_its_stay_in_order_and_once():
    seconds = size(3, 15)
    plan = plan_of(size(1000, 5000), members=50, rest=0.001, seconds=seconds, stay=False)
    with RedisServer() as server:
        lost, reports = await run([server.address], plan)
        assert lost == 0
        assert all(each["statistics"]["dropped"] == {} for each in reports)


async def test_with_redis_killed_and_restarted_every_loss_is_counted():
    plan = plan_of(size(700, 5000), rest=0.002)
    with RedisServer() as server:

        async def disturb():
            for _ in range(size(3, 10)):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)

        await run([server.address], plan, disturb)


async def test_with_connections_cut_every_loss_is_counted():
    plan = plan_of(size(700, 5000), rest=0.001)
    with RedisServer() as server:

        async def disturb():
            for _ in range(size(8, 40)):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.cut)

        await run([server.address], plan, disturb)


async def test_with_a_failover_every_loss_is_counted():
    plan = plan_of(size(700, 5000), rest=0.003)
    with Sentinels() as servers:

        async def disturb():
            await asyncio.sleep(0.5)
            await asyncio.to_thread(servers.fail_over)

        await run([servers.url], plan, disturb)
