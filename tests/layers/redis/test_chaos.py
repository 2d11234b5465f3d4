"""Four processes that send to groups whose members come and go; and Redis that comes and goes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict

from tests.redis_servers import RedisServer, Sentinels

PROCESSES = 4
PATIENCE = 50.0


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
        await asyncio.sleep(0.5)
        self.tell()
        lines = [await asyncio.wait_for(process.stdout.readline(), PATIENCE) for process in self.processes]
        await asyncio.gather(*(process.wait() for process in self.processes))
        return [json.loads(line) for line in lines]


def messages_of(reports):
    """By group: sender, number, when sending began and ended, and whether it failed."""
    messages = defaultdict(list)
    for sender, report in enumerate(reports):
        for group, number, began, ended, failed in report["sent"]:
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


async def run(hosts, plan, disturb=None):
    processes = Processes(hosts, plan)
    await processes.start()
    if disturb is not None:
        await disturb()
    reports = await processes.reports()
    messages = messages_of(reports)
    assert sum(len(each) for each in messages.values()) == PROCESSES * plan["messages"]
    total = 0
    for report in reports:
        lost = 0
        for got, stays in report["members"].values():
            assert_in_order_and_once(got)
            lost += len(missed(got, stays, messages))
        counted = sum(report["statistics"]["dropped"].values())
        assert lost <= counted, (lost, report["statistics"])
        total += lost
    delivered = sum(report["statistics"]["delivered"] for report in reports)
    assert delivered > plan["messages"]
    return total, reports


async def test_every_member_gets_every_message_of_its_stay_in_order_and_once():
    plan = {"groups": 10, "members": 50, "messages": 1000, "rest": 0.001, "seconds": 3, "stay": False}
    with RedisServer() as server:
        lost, reports = await run([server.address], plan)
        assert lost == 0
        assert all(report["statistics"]["dropped"] == {} for report in reports)


async def test_with_redis_killed_and_restarted_every_loss_is_counted():
    plan = {"groups": 10, "members": 20, "messages": 700, "rest": 0.002, "seconds": 0, "stay": True}
    with RedisServer() as server:

        async def disturb():
            for _ in range(3):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)

        await run([server.address], plan, disturb)


async def test_with_connections_cut_every_loss_is_counted():
    plan = {"groups": 10, "members": 20, "messages": 700, "rest": 0.001, "seconds": 0, "stay": True}
    with RedisServer() as server:

        async def disturb():
            for _ in range(8):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.cut)

        await run([server.address], plan, disturb)


async def test_with_a_failover_every_loss_is_counted():
    plan = {"groups": 10, "members": 20, "messages": 700, "rest": 0.003, "seconds": 0, "stay": True}
    with Sentinels() as servers:

        async def disturb():
            await asyncio.sleep(0.5)
            await asyncio.to_thread(servers.fail_over)

        await run([servers.url], plan, disturb)
