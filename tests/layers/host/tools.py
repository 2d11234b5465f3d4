"""What the tests of the layer itself share."""

from __future__ import annotations

import asyncio

PATIENCE = 20


async def receive(layer, channel):
    return (await asyncio.wait_for(layer.receive(channel), PATIENCE))["n"]


def message(n):
    return {"type": "test.message", "n": n}
