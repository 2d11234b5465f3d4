"""Whole machines of processes: every message arrives, in order, once, whoever is killed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from tests.layers.host.processes import Process, until

GROUPS = [f"group-{n}" for n in range(10)]


def by_sender(got):
    """The numbers that one member got, by sender."""
    numbers = defaultdict(list)
    for item in got:
        if isinstance(item, list):
            numbers[item[0]].append(item[1])
    return numbers


async def carrier(processes: list[Process]) -> Process:
    """The process that carries the hub."""

    async def find():
        for process in processes:
            if (await process("statistics"))["hub"]:
                return process
        return None

    return await until(find)


async def test_every_member_gets_every_message_in_order_once(start):
    processes = await asyncio.gather(*(start(capacity=10_000) for _ in range(4)))
    for process in processes:
        for group in GROUPS:
            await process("members_of", [group], 5)
    for n, process in enumerate(processes):
        await process("publish", GROUPS, f"sender-{n}", 50, 0)

    async def complete():
        got = [member for process in processes for member in (await process("got")).values()]
        return got if sum(map(len, got)) >= 200 * 4 * 50 else None

    for member in await until(complete):
        assert by_sender(member) == {f"sender-{n}": list(range(50)) for n in range(4)}
    for process in processes:
        assert (await process("statistics"))["dropped"] == {}


async def check_coming_and_going(start, visitors, moves, amount):
    """Messages flow while members join and leave; returns how many were got."""
    processes = await asyncio.gather(*(start(capacity=100_000) for _ in range(4)))
    for seed, process in enumerate(processes):
        await process("come_and_go", GROUPS, visitors, moves, seed)
    sent = {}
    shares = [GROUPS[n::4] for n in range(4)]
    publishing = [
        process("publish_timed", share, amount) for process, share in zip(processes, shares, strict=True)
    ]
    for times in await asyncio.gather(*publishing):
        sent |= times
    for process in processes:
        await process("sent")

    def whole(group, visit):
        """Every message from the join to the leave, in order, once."""
        numbers = visit["got"]
        first = next((n for n, at in enumerate(sent[group]) if at > visit["joined"]), amount)
        begins = not numbers or numbers[0] <= first
        ends = visit["left"] or (numbers[-1:] or [first - 1]) == [amount - 1]
        return begins and ends and numbers == list(range(numbers[0], numbers[-1] + 1) if numbers else [])

    async def visits():
        found = [visitor for process in processes for visitor in await process("visits")]
        strays = [stray for _, strays in found for stray in strays]
        assert strays == []
        broken = [(g, v) for groups, _ in found for g, v in groups.items() if not whole(g, v)]
        return None if broken else [visit for groups, _ in found for visit in groups.values()]

    visited = await until(visits)
    assert any(visit["left"] for visit in visited)
    for process in processes:
        assert (await process("statistics"))["dropped"] == {}
    return sum(len(visit["got"]) for visit in visited)


async def test_members_get_all_that_is_sent_while_they_are_in_the_group(start):
    assert await check_coming_and_going(start, visitors=50, moves=500, amount=100) > 10_000


async def test_killing_the_hub_again_and_again_loses_nothing_of_the_living(start):
    processes = list(await asyncio.gather(*(start(capacity=10_000) for _ in range(6))))
    for process in processes:
        await process("members_of", GROUPS[:3], 2)
    for n, process in enumerate(processes):
        await process("publish", GROUPS[:3], f"sender-{n}", 1500, 0.002)
    names = {process: f"sender-{n}" for n, process in enumerate(processes)}
    for _ in range(3):
        await asyncio.sleep(0.7)
        hub = await carrier(processes)
        processes.remove(hub)
        await hub.kill()
        killed = time.monotonic()
        await carrier(processes)
        assert time.monotonic() - killed < 5  # a tenth of a second unless the machine is busy

    async def complete():
        members = [member for process in processes for member in (await process("got")).values()]
        last = [by_sender(member) for member in members]
        living = {names[process] for process in processes}
        return members if all(numbers[name][-1:] == [1499] for numbers in last for name in living) else None

    for process in processes:
        await process("sent")
    living = {names[process] for process in processes}
    for member in await until(complete):
        assert member.count("channel_layer.reconnected") == 3
        for sender, numbers in by_sender(member).items():
            thrice = [n for n in range(1500) for _ in range(3)]  # a member of three groups
            assert numbers == (thrice if sender in living else thrice[: len(numbers)])
    for process in processes:
        assert (await process("statistics"))["dropped"] == {}
