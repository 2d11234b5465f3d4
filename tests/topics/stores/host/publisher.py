"""Publishes numbers until it is killed, and says which were accepted: ``publisher.py PATH FIRST``."""

import asyncio
import sys

import msgspec

from channels.protocols.centrifuge.messages import Publication
from channels.topics.stores.base import Append, Retention
from channels.topics.stores.host import HostStore


async def publish(path: str, first: int) -> None:
    store = HostStore(path=path)
    for number in range(first, first + 100_000):
        payload = msgspec.Raw(msgspec.json.encode(number))
        append = Append("killed", Publication(data=payload), Retention(size=100_000, ttl=600))
        published = await store.publish(append)
        print(published.position.offset, flush=True)
        if number % 10 == 0:
            await asyncio.sleep(0.001)


asyncio.run(publish(sys.argv[1], int(sys.argv[2])))
