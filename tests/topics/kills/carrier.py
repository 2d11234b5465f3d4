"""Carries the broker of the host store, as the first process of a machine does, and serves nobody."""

import asyncio

from channels.testing.store_contract.tools import Recorder
from channels.topics.stores.manager import get_store
from tests.topics.kills.application import application  # noqa: F401  # it sets Django up


async def carry() -> None:
    await get_store().subscribe("carried", Recorder())
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(carry())
