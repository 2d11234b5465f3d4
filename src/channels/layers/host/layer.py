"""The layer for many processes on one machine, with nothing to install."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import secrets
import threading
import time
import uuid
import weakref
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar, Final, TypeAlias

from channels.exceptions import ChannelFull, InvalidChannelLayerError
from channels.layers.base import BaseChannelLayer
from channels.layers.host.broker.questions import FEATURE
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.client.frame_handler import DeliveryHandler
from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.client.unacked import Request
from channels.layers.host.sync import HostSyncFace
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.payload import Payloads
from channels.layers.host.wire.runtime_dir import find_place
from channels.layers.local.delivery import LocalDelivery
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels
from channels.layers.settings import require_limits, require_numbers
from channels.process.platforms import after_fork_in_child
from channels.typing import EventSource, Message

#: The part of a channel's name that says which process it belongs to.
OWNER: Final = re.compile(r"\.host-([0-9a-f]{16})!")

Acknowledge: TypeAlias = Callable[[], Awaitable[None]]


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
        self._payloads = Payloads(max_message_size)
        self._begin()
        _layers.add(self)

    def _begin(self) -> None:
        """Start with nothing, in a new process or a forked one."""
        self.process = secrets.token_hex(8)
        capacity = functools.partial(_capacity_of, weakref.ref(self))  # the link must not keep us alive
        self.local = LocalDelivery(
            capacity, self.expiry, self.group_expiry, self.label, expiry_ends_memberships=False
        )
        self._memberships = LocalSubscriptions(self.local)
        self._arrivals = DeliveryQueue()
        self._starting = threading.Lock()
        self._link: BrokerClient | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None

    def _after_fork_in_child(self) -> None:
        """Leave what was inherited to the parent."""
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._link is not None:
            self._link.abandon()
        self._begin()

    @property
    def label(self) -> str:
        """What it is and where its processes meet, for the log."""
        where = self.path or self.project or "default"
        return f"{type(self).__name__} at {str(where)!r} capacity={self.capacity} expiry={self.expiry:g}s"

    def __repr__(self) -> str:
        """Say what it is, where its processes meet, and whether this one is connected."""
        connected = self._link is not None and self._link.connected
        return f"<{self.label}, {'connected' if connected else 'not connected'}>"

    def _linked(self) -> BrokerClient:
        """Return the link; raises ChannelLayerUnavailable or InvalidChannelLayerError."""
        link = self._link or self._start()
        link.require_available()
        return link

    def _start(self) -> BrokerClient:
        with self._starting:
            if self._link is None:
                place = find_place(self.path, self.project)
                place.prepare()
                inbox = DeliveryHandler(self.local, self._memberships, self._payloads, self._arrivals)
                link = inbox.link = BrokerClient(place, self.process, inbox, self.timeout, self.max_backlog)
                link.start()
                self._finalizer = weakref.finalize(self, link.close)
                self._link = link
            return self._link

    async def _connected(self) -> BrokerClient:
        """Return the link; at the first use, wait until there is a broker that we can talk to."""
        link = self._linked()
        if not link.known:
            await self._answer(link, link.ask(wire.Ping).future)
        return link

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a name that nobody else has; every process can send to it from now on."""
        await self._connected()
        return f"{prefix}.host-{self.process}!{uuid.uuid4().hex}"

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
        payload = self._payloads.encode(message)
        link = await self._connected()
        waits_for = self._tell_send(link, channel, message, payload)
        if waits_for is not None:
            self._require_room(channel, await self._answer(link, waits_for))

    def _tell_send(
        self, link: BrokerClient, channel: str, message: Message, payload: bytes
    ) -> Future[Any] | None:
        owner = OWNER.search(channel)
        if owner is None:
            capacity, expires = self.get_capacity(channel), time.time() + self.expiry
            return link.ask(lambda number: wire.Enqueue(number, channel, capacity, expires, payload)).future
        process = owner[1]
        if process == self.process:
            self.local.send(channel, message)
            return None
        return link.tell(lambda number: wire.Direct(number, process, channel, payload), is_message=True)

    def _require_room(self, channel: str, problem: str | None) -> None:
        if problem:
            self.local.drops.add("capacity")
            raise ChannelFull(
                f"Channel {channel!r} holds its capacity of {self.get_capacity(channel)} unread messages, "
                "or all named channels together hold too many bytes."
            )

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
        payload = self._payloads.encode(message)
        link = await self._connected()
        waits_for = self._tell_group_send(link, group, message, payload)
        if waits_for is not None:
            await self._answer(link, waits_for)

    def _tell_group_send(
        self, link: BrokerClient, group: str, message: Message, payload: bytes
    ) -> Future[None] | None:
        waits_for = link.tell(lambda number: wire.Publish(number, group, payload), is_message=True)
        self.local.group_send(group, message)
        return waits_for

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of ``channel``; cancelling loses none.

        Raises:
            ValueError: the channel belongs to another process.
        """
        if self._is_own(channel):
            return await self.local.receive(channel)
        message, acknowledge = await self.take(channel)
        await acknowledge()
        return message

    async def take(self, channel: str) -> tuple[Message, Acknowledge]:
        """Wait for the oldest message of a named channel, and keep it from others.

        Await the second result when the message is done with; if this process ends before, another
        gets the message. Cancelling loses none.
        """
        if self._is_own(channel):
            return await self.local.receive(channel), _nothing
        link = await self._connected()
        request = link.ask(lambda number: wire.Dequeue(number, channel))
        request.loop = asyncio.get_running_loop()
        try:
            key, payload = await asyncio.wrap_future(request.future)
        except asyncio.CancelledError:
            link.give_up(request)
            raise
        return self._payloads.decode(payload), functools.partial(_settle, link, key)

    def _is_own(self, channel: str) -> bool:
        self.require_valid_channel_name(channel)
        owner = OWNER.search(channel)
        if owner is not None and owner[1] != self.process:
            raise ValueError(
                f"Channel {channel!r} belongs to another process (this one is host-{self.process}); "
                "only the process that called new_channel() can receive on it."
            )
        return owner is not None

    # Groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``; returns when every later message will reach it."""
        await self._change(group, channel, joins=True)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take ``channel`` out of ``group``; harmless if it is no member."""
        await self._change(group, channel, joins=False)

    async def _change(self, group: str, channel: str, joins: bool) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        link = await self._connected()
        self._arrivals.deliver()  # what is here already was sent before
        owner = OWNER.search(channel)
        process = owner[1] if owner else ""
        waits_for: Future[Any] | None = None
        if process != self.process:
            waits_for = self._change_elsewhere(link, group, channel, process, joins)
        elif joins:
            waits_for = self._memberships.join(link, group, channel)
        else:
            self._memberships.leave(link, group, channel)
        if waits_for is not None:
            await self._answer(link, waits_for)

    def _change_elsewhere(
        self, link: BrokerClient, group: str, channel: str, process: str, joins: bool
    ) -> Future[Any]:
        """Tell the process that owns ``channel``; a named one is looked after by the broker."""
        capacity, expiry = self.get_capacity(channel), self.expiry
        if not process and joins:
            self._memberships.add_named((group, channel, capacity, expiry))
        elif not process:
            self._memberships.drop_named(group, channel)
        return link.ask(
            lambda number: wire.GroupChange(number, group, channel, process, joins, capacity, expiry)
        ).future

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
        link = await self._connected()
        request = self._ask_members(link, group, timeout)
        if request is None:
            return self._members(group, None)
        try:
            async with asyncio.timeout(timeout + self.timeout):
                return self._members(group, await asyncio.wrap_future(request.future))
        except TimeoutError:
            raise link.silence() from None

    def _ask_members(self, link: BrokerClient, group: str, seconds: float) -> Request | None:
        if FEATURE not in link.features:
            return None
        return link.ask(lambda number: wire.AskMembers(number, group, seconds))

    def _members(self, group: str, others: wire.Members | None) -> GroupChannels:
        own = tuple(self.local.groups.get(group, ()))
        return (
            GroupChannels(own, 1)
            if others is None
            else GroupChannels([*own, *others.channels], others.unanswered)
        )

    async def flush(self) -> None:
        """Forget every message and membership, in all processes."""
        link = await self._connected()
        self._memberships.flush()
        await self._answer(link, link.ask(wire.Flush).future)

    async def _answer(self, link: BrokerClient, future: Future[Any]) -> Any:
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.shield(asyncio.wrap_future(future))  # others may wait for it too
        except TimeoutError:
            raise link.silence() from None

    # What our layers add

    @functools.cached_property
    def sync(self) -> HostSyncFace:
        """The layer for sync code: threads, Celery tasks, management commands, signal handlers."""
        return HostSyncFace(self)

    def attach(self, channel: str, reconnect_notice: bool = False) -> EventSource:
        """Return the source from which a consumer of the running loop takes its messages.

        Raises:
            ValueError: the channel is not one of this process.
        """
        if not self._is_own(channel):
            raise ValueError(f"Named channel {channel!r} cannot be attached; use receive() or take().")
        self._arrivals.deliver_in(asyncio.get_running_loop())
        return self.local.attach(channel, reconnect_notice)

    def detach(self, channel: str) -> None:
        """End ``channel``: its messages and memberships are gone, the messages counted as "closed"."""
        self._memberships.detach(self._link, channel)

    def statistics(self) -> dict[str, Any]:
        """Return counts as the in-memory layer does, and those of the broker if this process carries it."""
        link = self._link
        broker = link.broker.statistics() if link is not None and link.broker is not None else None
        connected = link is not None and link.connected
        return {**self.local.statistics(), "connected": connected, "broker": broker}

    async def aclose(self) -> None:
        """Hand over what was sent and leave; another process takes over the broker.

        Consumers of other running loops keep the connection open. The layer may be used again.
        """
        link = self._link
        if link is None or self.local.serves_others(asyncio.get_running_loop()):
            return
        self._link = None
        if self._finalizer is not None:
            self._finalizer.detach()
        await asyncio.to_thread(link.close)

    pushing_receive = receive


def _capacity_of(layer: weakref.ref[HostChannelLayer], channel: str) -> int:
    found = layer()
    return found.get_capacity(channel) if found is not None else 0


async def _nothing() -> None:
    """Acknowledge a message that was in this process already."""


async def _settle(link: BrokerClient, key: str) -> None:
    link.settle(key, done=True)


_layers: weakref.WeakSet[HostChannelLayer] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for layer in _layers:
        layer._after_fork_in_child()


after_fork_in_child(_after_fork_in_child)
