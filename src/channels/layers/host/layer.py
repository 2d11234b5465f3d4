"""The layer for many processes on one machine, with nothing to install."""

from __future__ import annotations

import asyncio
import functools
import os
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from channels import telemetry
from channels.exceptions import InvalidChannelLayerError
from channels.layers.base import BaseChannelLayer
from channels.layers.durable import DurableLayer, durable_layer
from channels.layers.engine import computed, set_engine
from channels.layers.host.engine import Acknowledge, HostEngine, HostSettings, host_engine
from channels.layers.host.sync import HostSyncLayer
from channels.layers.host.wire import frames as wire
from channels.layers.local.carried import on_wire
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels
from channels.layers.settings import require_limits, require_numbers
from channels.typing import EventSource, Message


class HostChannelLayer(BaseChannelLayer):
    """Carries messages between all processes of one project on one machine.

    The processes meet in a private directory; the first carries a broker in a thread, and when it
    ends another takes over. Nothing has to be installed or started.

    What is promised when the process that carries the broker is killed: what other processes have
    sent arrives, once, at all members that are back within a second; named messages that wait
    are kept in a file. What the killed process itself had not handed over goes with it.

    A ``!``-channel belongs to the process that made it and is full only there: ``send`` to
    another process' channel does not raise ChannelFull, the receiver counts the drop.
    Messages to named channels (without ``!``) wait in the broker for whoever takes them; such a
    channel stays in a group for as long as the process that added it lives.

    Args:
        expiry: seconds an unread message is kept.
        group_expiry: seconds a membership is kept of a channel without a consumer.
        capacity: unread messages a channel holds before it is full.
        channel_capacity: other capacities, by glob or compiled pattern.
        path: the directory where the processes meet; default one in the temporary directory.
        project: text that the processes have in common and no others; default ``BASE_DIR``.
        max_message_size: bytes a message may have, at most 32 MiB.
        max_backlog: bytes a process may leave unread before the broker cuts it off.
        timeout: seconds to wait for the broker before ChannelLayerUnavailable is raised.
    """

    extensions: ClassVar[list[str]] = ["groups", "flush"]

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        path: str | os.PathLike[str] | None = None,
        project: str | None = None,
        max_message_size: int = 1024 * 1024,
        max_backlog: int = 16 * 1024 * 1024,
        timeout: float = 5.0,
    ) -> None:
        require_limits(expiry, group_expiry, capacity, channel_capacity)
        require_numbers(0.001, timeout=timeout)
        require_numbers(1, max_backlog=max_backlog)
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        if not 0 < max_message_size <= wire.MAX_FRAME // 2:
            raise InvalidChannelLayerError(
                "`max_message_size` (CHANNEL_LAYERS, CONFIG) must be a number of bytes from 1 to "
                f"{wire.MAX_FRAME // 2}, got {max_message_size!r}."
            )
        self.group_expiry = group_expiry
        self.path = path
        self.project = project
        self.max_backlog = max_backlog
        self.timeout = timeout
        settings = HostSettings(expiry, group_expiry, path, project, max_message_size, max_backlog, timeout)
        set_engine(self, HostEngine(self, HostChannelLayer.receive, settings))

    def __repr__(self) -> str:
        """Say what it is, where its processes meet, and whether this one is connected."""
        return host_engine(self).description

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has; every process can send to it from now on."""
        engine = host_engine(self)
        await engine.connected_client()
        return f"{prefix}.host-{engine.process}!{uuid.uuid4().hex}"

    # Messages

    async def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``.

        Raises:
            ChannelFull: a named channel, or one of this process, is over capacity.
            ChannelLayerUnavailable: there is no broker.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        self.require_valid_channel_name(channel)
        engine = host_engine(self)
        if telemetry.carry is not None:
            message = telemetry.carry(channel, message)
        payload = engine.serializer.as_bytes(message if telemetry.carry is None else on_wire(message))
        client = engine.client
        if client is None or not client.connected:
            client = await engine.connected_client()
        waits_for = engine.send(client, channel, message, payload)
        if waits_for is not None:
            engine.require_room(channel, await engine.answer(client, waits_for))

    async def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel, in all processes.

        Full members miss it and are counted. Returns when the message is on its way; while
        more waits for the broker than fits, it waits too.

        Raises:
            ChannelLayerUnavailable: there is no broker.
            MessageTooLarge: the message is over ``max_message_size``.
            TypeError: the name is invalid, or a value cannot travel.
        """
        self.require_valid_group_name(group)
        engine = host_engine(self)
        if telemetry.carry is not None:
            message = telemetry.carry(group, message)
        payload = engine.serializer.as_bytes(message if telemetry.carry is None else on_wire(message))
        client = engine.client
        if client is None or not client.connected:
            client = await engine.connected_client()
        waits_for = engine.group_send(client, group, message, payload)
        if waits_for is not None:
            await engine.answer(client, waits_for)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none.

        Raises:
            ValueError: the channel belongs to another process.
        """
        return await host_engine(self).receive(channel)

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """Wait for the oldest message of a named channel, and keep it from others.

        Await the second result when the message is done with; if this process ends before, another
        gets the message. Cancelling loses none.
        """
        return await host_engine(self).take(channel)

    # Groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``; returns when every later message will reach it."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await host_engine(self).change_membership(group, channel, joins=True)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await host_engine(self).change_membership(group, channel, joins=False)

    async def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:  # noqa: ASYNC109
        """Return the channels of ``group``, in all processes.

        Args:
            group: its name.
            timeout: seconds that other processes have to answer.

        Returns:
            A sorted list; its ``unanswered`` is how many processes did not answer in time (a broker of an
            earlier release counts as one): their channels are missing. Those of this process are exact.

        Raises:
            ChannelLayerUnavailable: there is no broker.
        """
        self.require_valid_group_name(group)
        engine = host_engine(self)
        client = await engine.connected_client()
        request = engine.ask_members(client, group, timeout)
        if request is None:
            return engine.members(group, None)
        try:
            async with asyncio.timeout(timeout + engine.settings.timeout):
                return engine.members(group, await asyncio.wrap_future(request.future))
        except TimeoutError:
            raise client.silence() from None

    async def flush(self) -> None:
        """Forget every message and membership, in all processes."""
        await host_engine(self).flush()

    # What our layers add

    @functools.cached_property
    def sync(self) -> HostSyncLayer:
        """The layer for sync code: threads, Celery tasks, management commands, signal handlers."""
        return HostSyncLayer(host_engine(self))

    @computed
    def durable(self) -> DurableLayer:
        """The layer for messages that are sent after a transaction, by the app ``channels.outbox``."""
        return durable_layer(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages.

        Raises:
            ValueError: the channel is not one of this process.
        """
        return host_engine(self).attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        host_engine(self).detach(channel)

    def statistics(self) -> dict[str, Any]:
        """Return counts as the in-memory layer does, and those of the broker if this process carries it."""
        return host_engine(self).statistics()

    async def aclose(self) -> None:
        """Hand over what was sent and leave; another process takes over the broker.

        Consumers of other running loops keep the connection open. The layer may be used again.
        """
        await host_engine(self).aclose()
