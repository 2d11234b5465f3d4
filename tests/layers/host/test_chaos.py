"""Whole machines of processes: every message arrives, in order, once, whoever is killed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from tests.layers.host.processes import Process, until
from tests.layers.size import FULL, report, size

GROUPS = [f"group-{n}" for n in range(10)]


def by_sender(got):
    """The numbers that one member got, by sender."""
    numbers = defaultdict(list)
    for item in got:
        if isinstance(item, list):
            numbers[item[0]].append(item[1])
    return numbers


async def carrier(processes: list[Process]) -> Process:
    """The process that carries the broker."""

    async def find():
        for process in processes:
            if (await process("statistics"))["broker"]:
                return process
        return None

    return await until(find)


async def test_every_member_gets_every_message_in_order_once(start):
    processes = await asyncio.gather(*(start(capacity=10_000) for _ in range(4)))
    for process in processes:
        for group in GROUPS:
            await process("members_of", [group], 5)
    amount = size(50, 500)
    for n, process in enumerate(processes):
        await process("publish", GROUPS, f"sender-{n}", amount, 0.001)

    async def complete():
        got = [member for process in processes for member in (await process("got")).values()]
        return got if sum(map(len, got)) >= 200 * 4 * amount else None

    for member in await until(complete):
        assert by_sender(member) == {f"sender-{n}": list(range(amount)) for n in range(4)}
    for process in processes:
        assert (await process("statistics"))["dropped"] == {}
    report(messages=40 * amount, members=200, deliveries=200 * 4 * amount, missed=0)


async def check_coming_and_going(start, visitors, moves, amount, pause):
    """Messages flow while members join and leave; returns how many were got."""
    processes = await asyncio.gather(*(start(capacity=100_000) for _ in range(4)))
    for seed, process in enumerate(processes):
        await process("come_and_go", GROUPS, visitors, moves, seed, pause)
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
    amount = size(100, 2000)
    pause = 0.002 if FULL else 0.0
    got = await check_coming_and_going(start, visitors=50, moves=size(500, 1500), amount=amount, pause=pause)
    assert got > 100 * amount
    report(messages=10 * amount, members=200, deliveries=got, missed=0)


async def test_killing_the_broker_again_and_again_loses_nothing_of_the_living(start):
    processes = list(await asyncio.gather(*(start(capacity=10_000) for _ in range(6))))
    for process in processes:
        await process("members_of", GROUPS[:3], 2)
    for n, process in enumerate(processes):
        await process("publish", GROUPS[:3], f"sender-{n}", 1500, 0.002)
    names = {process: f"sender-{n}" for n, process in enumerate(processes)}
    for _ in range(3):
        await asyncio.sleep(0.7)
        broker = await carrier(processes)
        processes.remove(broker)
        await broker.kill()
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


MEMBERS_OF_A_GROUP = size(1, 5)  # in each process


class Population:
    """Four processes with members and senders, of which one is killed every second and replaced."""

    def __init__(self, start, amount):
        self.start = start
        self.amount = amount
        self.started = 0
        self.living: dict[Process, str] = {}
        self.first: set[Process] = set()

    async def add(self):
        process = await self.start(capacity=100_000)
        sender = f"sender-{self.started}"
        self.started += 1
        for group in GROUPS:
            await process("members_of", [group], MEMBERS_OF_A_GROUP)
        self.living[process] = sender
        return process

    async def begin(self):
        self.first = set(await asyncio.gather(*(self.add() for _ in range(4))))
        for process in self.first:
            await self.send(process)

    async def send(self, process):
        await process("publish", GROUPS, self.living[process], self.amount, 0.02)

    async def replace(self, victim):
        del self.living[victim]
        self.first.discard(victim)
        await victim.kill()
        await self.send(await self.add())

    def age(self, process):
        """The higher, the longer it is there."""
        return -int(self.living[process].removeprefix("sender-"))

    def has_all(self, process, member):
        """Whether the last message of each living sender is there; who came late may have heard none."""
        numbers = by_sender(member)
        for other, sender in self.living.items():
            came_late = process not in self.first and self.age(process) <= self.age(other)
            if numbers[sender][-1:] != [self.amount - 1] and (numbers[sender] or not came_late):
                return False
        return True

    def check(self, process, member):
        """No gap, nothing twice; of the living all to the end, of the first ones from the beginning."""
        for sender, numbers in by_sender(member).items():
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), (sender, numbers)
            assert sender not in self.living.values() or numbers[-1] == self.amount - 1
            assert process not in self.first or numbers[0] == 0


async def test_one_process_is_killed_every_second(start):
    """Whoever lives gets all that the living send, and of a killed sender everything up to some message."""
    population = Population(start, amount=size(60, 500))
    await population.begin()
    for n in range(size(2, 10)):
        await asyncio.sleep(1 if FULL else 0.3)
        living = list(population.living)
        await population.replace(await carrier(living) if n % 2 == 0 else living[n % len(living)])
    for process in population.living:
        await process("sent")

    async def complete():
        got = {process: list((await process("got")).values()) for process in population.living}
        whole = all(population.has_all(process, member) for process, each in got.items() for member in each)
        return got if whole else None

    got = await until(complete)
    for process, members in got.items():
        assert len(members) == len(GROUPS) * MEMBERS_OF_A_GROUP
        for member in members:
            population.check(process, member)
    dropped = [(await process("statistics"))["dropped"] for process in population.living]
    assert dropped == [{}] * 4
    deliveries = sum(len(member) for members in got.values() for member in members)
    report(senders=population.started, deliveries_to_the_living=deliveries, counted_by_process=dropped)
