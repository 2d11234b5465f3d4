"""What server processes tell the worker that runs the matches."""

from typing import Any

from channels.layers import get_channel_layer


async def tell(kind: str, **message: Any) -> None:
    """Send a message to the worker, to its handler of this name."""
    await get_channel_layer().send("arena", {"type": kind, **message})
