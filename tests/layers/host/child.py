"""A process of a project: does what it is told on stdin, a JSON array a line, and answers on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

from channels.exceptions import ChannelsError
from channels.layers.host import HostChannelLayer


class Member:
    """An attached channel that writes down what it gets."""

    def __init__(self, layer: HostChannelLayer, name: str) -> None:
        self.name = name
        self.got: list[Any] = []
        self.source = layer.attach(name, reconnect_notice=True)
        self.source.set_wakeup(self.take)

    def take(self) -> None:
        while (message := self.source.receive_nowait()) is not None:
            self.got.append(message.get("n", message["type"]))


class Visitor:
    """An attached channel that joins groups and leaves them, each once, and keeps what it got by group."""

    def __init__(self, layer: HostChannelLayer, name: str) -> None:
        self.layer = layer
        self.name = name
        self.visits: dict[str, dict[str, Any]] = {}
        self.strays: list[Any] = []
        self.source = layer.attach(name)
        self.source.set_wakeup(self.take)

    def take(self) -> None:
        while (message := self.source.receive_nowait()) is not None:
            group, number = message["n"]
            visit = self.visits.get(group)
            (self.strays if visit is None else visit["got"]).append(number)

    async def move(self, group: str) -> None:
        visit = self.visits.get(group)
        if visit is None:
            visit = self.visits[group] = {"got": [], "left": False}
            await self.layer.group_add(group, self.name)
            visit["joined"] = time.monotonic()
        elif "joined" in visit and not visit["left"]:
            visit["left"] = True
            await self.layer.group_discard(group, self.name)


class Child:
    def __init__(self, config: dict[str, Any]) -> None:
        self.layer = HostChannelLayer(**config)
        self.members: dict[str, Member] = {}
        self.taken: list[Any] = []
        self.sending: list[asyncio.Task[Any]] = []

    async def members_of(self, groups: list[str], amount: int) -> list[str]:
        names = []
        for _ in range(amount):
            name = await self.layer.new_channel()
            self.members[name] = Member(self.layer, name)
            for group in groups:
                await self.layer.group_add(group, name)
            names.append(name)
        return names

    async def end(self, name: str) -> None:
        self.layer.detach(name)
        del self.members[name]

    async def got(self) -> dict[str, list[Any]]:
        return {name: member.got for name, member in self.members.items()}

    async def group_add(self, group: str, name: str) -> None:
        await self.layer.group_add(group, name)

    async def group_discard(self, group: str, name: str) -> None:
        await self.layer.group_discard(group, name)

    async def group_send(self, group: str, *numbers: Any) -> None:
        for n in numbers:
            await self.layer.group_send(group, {"type": "test.message", "n": n})

    async def publish(self, groups: list[str], sender: str, amount: int, pause: float) -> None:
        """Send ``[sender, 0]``, ``[sender, 1]`` ... to all groups; with a pause, in the background."""

        async def run() -> None:
            for n in range(amount):
                for group in groups:
                    await self.layer.group_send(group, {"type": "test.message", "n": [sender, n]})
                await asyncio.sleep(pause)

        self.sending.append(asyncio.ensure_future(run()))

    async def publish_timed(self, groups: list[str], amount: int) -> dict[str, list[float]]:
        """Send ``[group, 0]`` ... to each group; returns when each was sent."""
        times: dict[str, list[float]] = {group: [] for group in groups}
        for n in range(amount):
            for group in groups:
                times[group].append(time.monotonic())
                await self.layer.group_send(group, {"type": "test.message", "n": [group, n]})
            await asyncio.sleep(0.002)
        return times

    async def come_and_go(
        self, groups: list[str], visitors: int, moves: int, seed: int, pause: float
    ) -> None:
        """Let visitors join groups and leave them, in the background."""
        choose = random.Random(seed)
        self.visitors = [Visitor(self.layer, await self.layer.new_channel()) for _ in range(visitors)]

        async def run() -> None:
            for _ in range(moves):
                await choose.choice(self.visitors).move(choose.choice(groups))
                await asyncio.sleep(pause)

        self.sending.append(asyncio.ensure_future(run()))

    async def visits(self) -> list[Any]:
        return [[visitor.visits, visitor.strays] for visitor in self.visitors]

    async def sent(self) -> None:
        await asyncio.gather(*self.sending)

    async def sync_group_send(self, group: str, n: Any) -> None:
        self.layer.sync.group_send(group, {"type": "test.message", "n": n})

    async def send(self, channel: str, *numbers: Any) -> None:
        for n in numbers:
            await self.layer.send(channel, {"type": "test.message", "n": n})

    async def take(self, channel: str) -> Any:
        message, acknowledge = await self.layer.take(channel)
        self.taken.append(acknowledge)
        return message["n"]

    async def acknowledge(self) -> None:
        for acknowledge in self.taken:
            await acknowledge()

    async def receive(self, channel: str) -> Any:
        return (await self.layer.receive(channel))["n"]

    async def fork_and_send(self, group: str, n: Any) -> int:
        """Let a forked child, that ends without any ceremony, send."""
        pid = os.fork()
        if pid == 0:
            self.layer.sync.group_send(group, {"type": "test.message", "n": n})
            time.sleep(0.5)
            os._exit(0)
        return os.waitpid(pid, 0)[1]

    async def statistics(self) -> dict[str, Any]:
        return self.layer.statistics()

    async def aclose(self) -> None:
        await self.layer.aclose()


async def main() -> None:
    child = Child(json.loads(sys.argv[1]))
    lines = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command, *arguments = json.loads(line)
        try:
            answer = [await getattr(child, command)(*arguments), None]
        except (ChannelsError, ValueError) as error:
            answer = [None, f"{type(error).__name__}: {error}"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
