"""What works for a host layer: its client of the broker, its channels and groups, its messages."""

from __future__ import annotations

import asyncio
import functools
import itertools
import re
import secrets
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from channels.diagnostics import delivery_log
from channels.exceptions import ChannelFull
from channels.layers.base import BaseChannelLayer
from channels.layers.engine import engine_reader
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.client.frame_handler import DeliveryHandler
from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.client.unacked import Request
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.runtime_dir import find_runtime_dir
from channels.layers.local.delivery import LocalDelivery
from channels.layers.members import GroupChannels
from channels.layers.serializers import LimitedSerializer
from channels.process.platforms import after_fork_in_child
from channels.typing import EventSource, Message

#: The part of a channel's name that says which process it belongs to.
OWNER: Final = re.compile(r"\.host-([0-9a-f]{16})!")

Acknowledge: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Settings, as :class:`~channels.layers.host.layer.HostChannelLayer` describes them."""

    expiry: float
    group_expiry: float
    path: Any
    project: str | None
    max_message_size: int
    max_backlog: int
    timeout: float


class HostEngine:
    """See the text of the module.

    Args:
        layer: whose capacities and checks of names apply.
        receive_function: the ``receive`` of the layer's class.
        settings: what was configured.

    Attributes:
        process: identifies this process to the broker and in the names of its channels.
        local: the channels and groups of this process.
        client: the connection to the broker, once it was needed.
        delivery_queue: what has arrived and is not delivered yet.
    """

    def __init__(
        self, layer: BaseChannelLayer, receive_function: Callable[..., Any], settings: HostSettings
    ) -> None:
        self.receive_function = receive_function
        self.layer = layer
        self.settings = settings
        self.serializer = LimitedSerializer(settings.max_message_size, "the host layer")
        self.begin()
        _engines.add(self)

    def begin(self) -> None:
        """Start with nothing, in a new process or a forked one."""
        self.process = secrets.token_hex(8)
        capacity = functools.partial(_capacity_of, weakref.ref(self.layer))  # the client must not hold it
        self.local = LocalDelivery(
            capacity,
            self.settings.expiry,
            self.settings.group_expiry,
            self.label,
            expiry_ends_memberships=False,
        )
        self.subscriptions = LocalSubscriptions(self.local)
        self._handler = DeliveryHandler(self.local, self.subscriptions, self.serializer)
        self.delivery_queue = self._handler.queue
        self.client: BrokerClient | None = None
        self._numbers = itertools.count(1)
        self._starting = threading.Lock()
        self._finalizer: weakref.finalize[..., Any] | None = None

    def after_fork_in_child(self) -> None:
        """Leave what was inherited to the parent."""
        if self._finalizer is not None:
            self._finalizer.detach()
        if self.client is not None:
            self.client.abandon()
        self.begin()

    @property
    def label(self) -> str:
        """What it is and where its processes meet, for the log."""
        where = self.settings.path or self.settings.project or "default"
        name, capacity = type(self.layer).__name__, self.layer.capacity
        return f"{name} at {str(where)!r} capacity={capacity} expiry={self.settings.expiry:g}s"

    @property
    def description(self) -> str:
        """The label, and whether this process is connected."""
        connected = self.client is not None and self.client.connected
        return f"<{self.label}, {'connected' if connected else 'not connected'}>"

    # The connection to the broker

    def started_client(self) -> BrokerClient:
        """Return the client, started if need be.

        Raises:
            ChannelLayerUnavailable: there was no broker for longer than ``timeout``.
            InvalidChannelLayerError: the processes cannot meet at ``path``.
        """
        client = self.client or self._start()
        client.require_available()
        return client

    def _start(self) -> BrokerClient:
        with self._starting:
            if self.client is None:
                runtime_dir = find_runtime_dir(self.settings.path, self.settings.project)
                runtime_dir.prepare()
                client = self._handler.client = BrokerClient(
                    runtime_dir,
                    self.process,
                    self._handler,
                    self.settings.timeout,
                    self.settings.max_backlog,
                    self._numbers,
                )
                client.start()
                self._finalizer = weakref.finalize(self, client.close)
                self.client = client
            return self.client

    async def connected_client(self) -> BrokerClient:
        """Return the client; at the first use, wait until there is a broker that it can talk to."""
        client = self.started_client()
        if not client.known:
            await self.answer(client, client.ask(wire.Ping(wire.UNSENT)).future)
        return client

    async def answer(self, client: BrokerClient, future: Future[Any]) -> Any:
        """Return what the broker answers; raises ChannelLayerUnavailable after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(self.settings.timeout):
                return await asyncio.shield(asyncio.wrap_future(future))  # others may wait for it too
        except TimeoutError:
            raise client.silence() from None

    # Messages

    def send(
        self, client: BrokerClient, channel: str, message: Message, payload: bytes
    ) -> Future[Any] | None:
        """Put ``message`` on its way to ``channel``; returns what to wait for, if anything."""
        owner = OWNER.search(channel)
        if owner is None:
            capacity = self.layer.get_capacity(channel)
            expires = time.time() + self.settings.expiry
            return client.ask(wire.Enqueue(wire.UNSENT, channel, capacity, expires, payload)).future
        process = owner[1]
        if process == self.process:
            self.local.send(channel, message)
            return None
        return client.tell(wire.Direct(wire.UNSENT, process, channel, payload), is_message=True)

    def require_room(self, channel: str, problem: str | None) -> None:
        """Raise ChannelFull, and count it, if the broker has a ``problem`` with a message for ``channel``."""
        if problem:
            self.local.drops.add("capacity")
            raise ChannelFull(
                f"Channel {channel!r} holds its capacity of {self.layer.get_capacity(channel)} unread "
                "messages, or all named channels together hold too many bytes."
            )

    def group_send(
        self, client: BrokerClient, group: str, message: Message, payload: bytes
    ) -> Future[None] | None:
        """Put ``message`` on its way to ``group``; returns what to wait for before sending more."""
        if delivery_log.note is not None:
            delivery_log.note("group", group, "published", message=message)
        waits_for = client.tell(wire.Publish(wire.UNSENT, group, payload), is_message=True)
        self.local.group_send(group, message)
        return waits_for

    async def receive(self, channel: str) -> Message:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.receive`."""
        if self.is_own(channel):
            return await self.local.receive(channel)
        message, acknowledge = await self.take(channel)
        await acknowledge()
        return message

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.take`."""
        if self.is_own(channel):
            return await self.local.receive(channel), _nothing
        client = await self.connected_client()
        request = client.ask(wire.Dequeue(wire.UNSENT, channel), asyncio.get_running_loop())
        try:
            key, payload = await asyncio.wrap_future(request.future)
        except asyncio.CancelledError:
            client.give_up(request)
            raise
        return self.serializer.from_bytes(payload), functools.partial(_acknowledge, client, key)

    def is_own(self, channel: str) -> bool:
        """Whether ``channel`` is one of this process, not a named one.

        Raises:
            TypeError: the name is invalid.
            ValueError: it belongs to another process.
        """
        self.layer.require_valid_channel_name(channel)
        owner = OWNER.search(channel)
        if owner is not None and owner[1] != self.process:
            raise ValueError(
                f"Channel {channel!r} belongs to another process (this one is host-{self.process}); "
                "only the process that called new_channel() can receive on it."
            )
        return owner is not None

    # Groups

    async def change_membership(self, group: str, channel: str, joins: bool) -> None:
        """Make ``channel`` a member of ``group``, or end its membership; returns when it has taken effect."""
        client = await self.connected_client()
        client.catch_up()  # what is here already was sent before
        owner = OWNER.search(channel)
        process = owner[1] if owner else ""
        waits_for: Future[Any] | None = None
        if process != self.process:
            waits_for = self._change_elsewhere(client, group, channel, process, joins)
        elif joins:
            waits_for = self.subscriptions.join(client, group, channel)
        else:
            self.subscriptions.leave(client, group, channel)
        if waits_for is not None:
            await self.answer(client, waits_for)

    def _change_elsewhere(
        self, client: BrokerClient, group: str, channel: str, process: str, joins: bool
    ) -> Future[Any]:
        """Tell the process that owns ``channel``; a named one is looked after by the broker."""
        capacity, expiry = self.layer.get_capacity(channel), self.settings.expiry
        if not process and joins:
            self.subscriptions.add_named((group, channel, capacity, expiry))
        elif not process:
            self.subscriptions.drop_named(group, channel)
        return client.ask(
            wire.GroupChange(wire.UNSENT, group, channel, process, joins, capacity, expiry)
        ).future

    def ask_members(self, client: BrokerClient, group: str, seconds: float) -> Request | None:
        """Ask the other processes who is in ``group``; None if the broker is of a release that cannot."""
        if wire.GROUP_MEMBERS not in client.features:
            return None
        return client.ask(wire.GroupQuery(wire.UNSENT, group, seconds))

    def members(self, group: str, others: wire.GroupQueryResult | None) -> GroupChannels:
        """Return the channels of ``group``: those here, and those that ``others`` have named."""
        own = tuple(self.local.groups.get(group, ()))
        return (
            GroupChannels(own, 1)
            if others is None
            else GroupChannels([*own, *others.channels], others.unanswered)
        )

    async def flush(self) -> None:
        """Forget every message and membership, in all processes."""
        client = await self.connected_client()
        self.subscriptions.flush()
        await self.answer(client, client.ask(wire.Flush(wire.UNSENT)).future)

    # Consumers, and the end

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.attach`."""
        if not self.is_own(channel):
            raise ValueError(f"Named channel {channel!r} cannot be attached; use receive() or take().")
        loop = asyncio.get_running_loop()
        if self.delivery_queue.deliver_in(loop) and self.client is not None:
            self.client.read_in(loop)
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.detach`."""
        self.subscriptions.detach(self.client, channel)

    def statistics(self) -> dict[str, Any]:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.statistics`."""
        client = self.client
        broker = client.broker.statistics() if client is not None and client.broker is not None else None
        connected = client is not None and client.connected
        return {**self.local.statistics(), "connected": connected, "broker": broker}

    async def aclose(self) -> None:
        """See :meth:`~channels.layers.host.layer.HostChannelLayer.aclose`."""
        client = self.client
        if client is None or self.local.serves_others(asyncio.get_running_loop()):
            return
        self.client = None
        if self._finalizer is not None:
            self._finalizer.detach()
        await asyncio.to_thread(client.close)


def _capacity_of(layer: weakref.ref[BaseChannelLayer], channel: str) -> int:
    found = layer()
    return found.get_capacity(channel) if found is not None else 0


async def _nothing() -> None:
    """Acknowledge a message that was in this process already."""


async def _acknowledge(client: BrokerClient, key: str) -> None:
    client.settle(key, done=True)


#: Returns what works for a host layer.
host_engine: Callable[[BaseChannelLayer], HostEngine] = engine_reader(BaseChannelLayer)

_engines: weakref.WeakSet[HostEngine] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.after_fork_in_child()


after_fork_in_child(_after_fork_in_child)
