"""One process of the chaos test: members that join and leave, and a sender. Talks JSON lines.

Every member keeps, for each of its stays in a group, what it got between having joined and
beginning to leave. The sender notes for each message when it began and ended to be sent, by a
clock all processes of a machine share, and whether it was told of a failure.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from channels.layers.redis.connect.errors import RedisUnavailable
from channels.layers.redis.engine import redis_engine
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer

LAYERS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}


class Member:
    """A consumer's channel that joins and leaves groups."""

    def __init__(self, layer, name):
        self.layer = layer
        self.name = name
        self.source = layer.attach(name)
        self.source.set_wakeup(self.read)
        self.got = []
        self.stays = []
        self.title = name

    def read(self):
        while (message := self.source.receive_nowait()) is not None:
            if message["type"] == "m":
                self.got.append((message["group"], message["sender"], message["n"]))

    async def stay(self, group, seconds):
        """Be a member for a while."""
        await self.layer.group_add(group, self.name)
        joined = time.monotonic()
        await asyncio.sleep(seconds)
        left = time.monotonic()
        await self.layer.group_discard(group, self.name)
        self.stays.append((group, joined, left))


async def wander(member, groups, until, chooser):
    while time.monotonic() < until:
        try:
            await member.stay(chooser.choice(groups), chooser.uniform(0.05, 0.6))
        except RedisUnavailable:
            await asyncio.sleep(0.05)


async def send(layer, sender, groups, amount, rest, chooser, sent):
    counts = dict.fromkeys(groups, 0)
    for _ in range(amount):
        group = chooser.choice(groups)
        counts[group] += 1
        began = time.monotonic()
        try:
            await layer.group_send(group, {"type": "m", "group": group, "sender": sender, "n": counts[group]})
            failed = False
        except RedisUnavailable:
            failed = True
            await asyncio.sleep(0.02)
        sent.append((group, counts[group], began, time.monotonic(), failed))
        await asyncio.sleep(rest)


async def whole(layer):
    """Return when everything that is wanted is subscribed."""
    node = redis_engine(layer).node
    while not all(node.connections.confirmed(topic) for topic in node.wanted_topics()):
        await asyncio.sleep(0.05)


async def complete(layer, members, accepted):
    """Return when each member has what was accepted for its groups, or what is missing never comes."""
    groups = redis_engine(layer).local.groups
    wanted = {member: set() for member in members}
    for member in members:
        for group in [group for group in accepted if member.name in groups.get(group, ())]:
            wanted[member].update((group, *each) for each in accepted[group])
    deadline = time.monotonic() + 40
    while any(wanted[member].difference(member.got) for member in members) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


async def main(hosts, sender, plan):
    patient = {"repair_timeout": 30, "repair_window": 60}  # a machine under load answers late
    layer = LAYERS[plan["layer"]](hosts=hosts, prefix="chaos", capacity=100_000, **patient)
    chooser = random.Random(sender)
    groups = [f"g{n}" for n in range(plan["groups"])]
    members = [Member(layer, await layer.new_channel()) for _ in range(plan["members"])]
    stay = plan["stay"]
    if stay:  # members that never leave
        for member in members:
            await layer.group_add(chooser.choice(groups), member.name)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    sent = []
    until = time.monotonic() + plan["seconds"]
    began = time.monotonic()
    tasks = [asyncio.create_task(send(layer, sender, groups, plan["messages"], plan["rest"], chooser, sent))]
    if not stay:
        tasks += [asyncio.create_task(wander(member, groups, until, chooser)) for member in members]
    await asyncio.gather(*tasks)
    print("sent", flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # all have sent
    await whole(layer)
    print(json.dumps(sent), flush=True)
    accepted = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await complete(layer, members, accepted)
    memberships = {group: list(redis_engine(layer).local.groups.get(group, ())) for group in groups}
    for number, member in enumerate(members):
        if stay:
            mine = [group for group, names in memberships.items() if member.name in names]
            member.stays = [(group, began, float("inf")) for group in mine]
        member.title = f"{sender}-{number}"
    report = {
        "members": {member.title: [member.got, member.stays] for member in members},
        "statistics": layer.statistics(),
    }
    print(json.dumps(report), flush=True)
    await layer.aclose()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
