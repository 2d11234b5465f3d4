"""The host layer for code without an event loop."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from channels.layers.host.client.client import BrokerClient
from channels.layers.host.wire import frames as wire
from channels.layers.members import ANSWER_TIMEOUT, GroupChannels, GroupCount
from channels.typing import Message

if TYPE_CHECKING:
    from channels.layers.host.layer import HostChannelLayer


class HostSyncFace:
    """``send``, ``group_send`` and who is in a group, from any thread, after a fork, in signal handlers.

    It shares the connection of the process, so that sync and async code keep one order.

    Args:
        layer: whose face it is.
    """

    def __init__(self, layer: HostChannelLayer) -> None:
        self._layer = layer

    def send(self, channel: str, message: Message) -> None:
        """Put a copy of ``message`` on ``channel``; raises what the layer's ``send`` raises."""
        layer = self._layer
        layer.require_valid_channel_name(channel)
        payload = layer._payloads.encode(message)
        link = self._connected()
        waits_for = layer._tell_send(link, channel, message, payload)
        if waits_for is not None:
            layer._require_room(channel, self._answer(link, waits_for))

    def group_send(self, group: str, message: Message) -> None:
        """Put a copy of ``message`` on each member's channel; raises what ``group_send`` raises."""
        layer = self._layer
        layer.require_valid_group_name(group)
        payload = layer._payloads.encode(message)
        link = self._connected()
        waits_for = layer._tell_group_send(link, group, message, payload)
        if waits_for is not None:
            self._answer(link, waits_for)

    def group_channels(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupChannels:
        """Return the channels of ``group``; see the layer's ``group_channels``."""
        layer = self._layer
        layer.require_valid_group_name(group)
        link = self._connected()
        request = layer._ask_members(link, group, timeout)
        if request is None:
            return layer._members(group, None)
        try:
            return layer._members(group, request.future.result(timeout + layer.timeout))
        except TimeoutError:
            raise link.silence() from None

    def group_count(self, group: str, timeout: float = ANSWER_TIMEOUT) -> GroupCount:
        """Return how many channels ``group`` has; see the layer's ``group_channels``."""
        return self.group_channels(group, timeout).count

    def _connected(self) -> BrokerClient:
        link = self._layer._linked()
        if not link.known:
            self._answer(link, link.ask(wire.Ping).future)
        return link

    def _answer(self, link: BrokerClient, future: Future[Any]) -> Any:
        try:
            return future.result(self._layer.timeout)
        except TimeoutError:
            raise link.silence() from None
