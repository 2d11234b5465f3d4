"""The host layer for code without an event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from channels import telemetry
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.engine import HostEngine
from channels.layers.host.wire import frames as wire
from channels.layers.local.carried import on_wire
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.typing import Message


class HostSyncLayer:
    """``send``, ``group_send`` and who is in a group, from any thread, after a fork, in signal handlers.

    It shares the connection of the process, so that sync and async code keep one order. A signal handler may
    send to groups and to channels of processes. What waits for the broker's answer (named channels, who is
    in a group) may have interrupted the very thread that would read or write it: it fails after ``timeout``.

    Args:
        engine: what works for the layer.
    """

    def __init__(self, engine: HostEngine) -> None:
        self._engine = engine

    def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``; raises what the layer's ``send`` raises."""
        engine = self._engine
        engine.layer.require_valid_channel_name(channel)
        if telemetry.carry is not None:
            message = telemetry.carry(channel, message)
        payload = engine.serializer.as_bytes(message if telemetry.carry is None else on_wire(message))
        client = engine.client
        if client is None or not client.connected:
            client = self._connected_client()
        waits_for = engine.send(client, channel, message, payload)
        if waits_for is not None:
            engine.require_room(channel, client.wait_for(waits_for))

    def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel; raises what ``group_send`` raises."""
        engine = self._engine
        engine.layer.require_valid_group_name(group)
        if telemetry.carry is not None:
            message = telemetry.carry(group, message)
        payload = engine.serializer.as_bytes(message if telemetry.carry is None else on_wire(message))
        client = engine.client
        if client is None or not client.connected:
            client = self._connected_client()
        waits_for = engine.group_send(client, group, message, payload)
        if waits_for is not None:
            client.wait_for(waits_for)

    def group_send_many(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Do :meth:`group_send` with each (group, message), in one write of the socket."""
        several = len(messages) > 1  # else there is nothing to collect, and for none no broker is needed
        with self._engine.started_client().collecting() if several else contextlib.nullcontext():
            for group, message in messages:
                self.group_send(group, message)

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """Return the channels of ``group``; see the layer's ``group_channels``."""
        engine = self._engine
        engine.layer.require_valid_group_name(group)
        client = self._connected_client()
        request = engine.ask_members(client, group, timeout)
        if request is None:
            return engine.members(group, None)
        return engine.members(group, client.wait_for(request.future, timeout))

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """Return how many channels ``group`` has; see the layer's ``group_channels``."""
        return self.group_channels(group, timeout).count

    def _connected_client(self) -> BrokerClient:
        client = self._engine.started_client()
        if not client.known:
            client.wait_for(client.ask(wire.Ping(wire.UNSENT)).future)
        return client
