"""The other process of a round trip: ``python -m channels.observability.doctor.local.echo ALIAS CHANNEL``."""

from __future__ import annotations

import asyncio
import sys


async def _answer(alias: str, channel: str) -> None:
    from channels.layers.manager import channel_layers

    layer = channel_layers[alias]
    mine = await layer.new_channel("doctor")
    await layer.send(channel, {"type": "doctor.ready", "reply": mine})
    await layer.receive(mine)
    await layer.send(channel, {"type": "doctor.answer"})
    await asyncio.sleep(1.0)  # a layer may still hand it on; the doctor ends this process


def main() -> None:
    """Say where this process listens, and answer one message."""
    import django

    django.setup()
    asyncio.run(_answer(*sys.argv[1:3]))


if __name__ == "__main__":
    main()
