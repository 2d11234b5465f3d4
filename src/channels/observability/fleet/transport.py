"""How processes reach each other: a group of the channel layer, and a channel for each.

It is a layer of its own, made as the project's default one is: with the project's, what arrives for consumers
might be read in this event loop instead of theirs, and this traffic would count as theirs.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from channels import DEFAULT_CHANNEL_LAYER, telemetry
from channels.layers.engine import pushing_engine
from channels.layers.manager import channel_layers
from channels.mailbox import Mailbox, ReceiveTask
from channels.observability.fleet.messages import Envelope, decode, encode

#: The group of all processes, the beginning of their channels' names, and the type of their messages.
OWN: Final = "channels.fleet"


class Transport:
    """The way of one event loop to all processes.

    Args:
        layer: the channel layer.
        channel: on which this loop hears.

    Attributes:
        layer, channel: see above.
    """

    def __init__(self, layer: Any, channel: str) -> None:
        self.layer, self.channel = layer, channel

    async def tell_all(self, envelope: Envelope) -> None:
        """Send to each process that has joined, this one included."""
        await self.layer.group_send(OWN, {"type": OWN, "data": encode(envelope)})

    async def tell(self, channel: str, envelope: Envelope) -> None:
        """Send to one."""
        await self.layer.send(channel, {"type": OWN, "data": encode(envelope)})

    async def join(self) -> None:
        """Hear what is told to all."""
        await self.layer.group_add(OWN, self.channel)

    async def leave(self) -> None:
        """Hear it no more."""
        await self.layer.group_discard(OWN, self.channel)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[tuple[Transport, Mailbox]]:
    """Yield a transport, and the mailbox that :func:`listen` reads.

    Raises:
        KeyError: the project has no default channel layer.
        InvalidChannelLayerError: it cannot be made.
    """
    layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
    transport = Transport(layer, await layer.new_channel(OWN))
    mailbox, engine = Mailbox(), pushing_engine(layer)
    if engine is not None:
        mailbox.add(engine.attach(transport.channel))
    else:
        mailbox.add(ReceiveTask(lambda: layer.receive(transport.channel)))
    try:
        yield transport, mailbox
    finally:
        for task in mailbox.close():
            await task.aclose()
        if engine is not None:
            engine.detach(transport.channel)
        if hasattr(layer, "aclose"):
            await layer.aclose()


async def listen(transport: Transport, mailbox: Mailbox, hear: Callable[[Envelope], None]) -> None:
    """Call ``hear`` with each envelope that comes, until the layer fails."""

    async def handle(message: Any) -> None:
        try:
            envelope = decode(message["data"])
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            telemetry.count("fleet.unknown_message", error=type(error).__name__)
            return
        hear(envelope)

    await mailbox.deliver(handle)
