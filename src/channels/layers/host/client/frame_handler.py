"""What arrives from other processes, handed to the delivery of this one."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from channels.exceptions import ChannelFull
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.wire import frames as wire
from channels.layers.local.delivery import LocalDelivery
from channels.layers.serializers import MsgPackSerializer
from channels.typing import Message


class _Reconnected(NamedTuple):
    """There is a broker again: delivered in order with what has arrived before and arrives after."""

    away: float
    lost: int


class DeliveryHandler:
    """See :class:`~channels.layers.host.client.client.FrameHandler`.

    Whatever order matters for goes through ``queue``.

    Args:
        local: the channels and groups of this process.
        subscriptions: what other processes may change.
        serializer: decodes messages, once for all members.

    Attributes:
        client: the client it serves, set before that starts.
        queue: what has arrived and is not delivered yet.
    """

    client: BrokerClient

    def __init__(
        self, local: LocalDelivery, subscriptions: LocalSubscriptions, serializer: MsgPackSerializer
    ) -> None:
        self._local = local
        self._subscriptions = subscriptions
        self._serializer = serializer
        self.queue = DeliveryQueue(
            {
                wire.Published: self._deliver_to_group,
                wire.Directed: self._deliver_to_channel,
                wire.GroupChangeRequest: self._change_membership,
                wire.GroupQueryRequest: self._tell_members,
                wire.Flushed: lambda frame: subscriptions.flush(),
                _Reconnected: self._notify_reconnected,
            }
        )

    def _deliver_to_group(self, frame: wire.Published) -> None:
        """Deliver to the members here; a group that has none is unsubscribed."""
        if frame.group not in self._local.groups:
            self._subscriptions.unsubscribe_if_empty(self.client, frame.group)
            return
        try:
            message = self._serializer.from_bytes(frame.payload)
        except Exception:
            self.dropped("undecodable", 1)
        else:
            self._local.group_send(frame.group, message)

    def _deliver_to_channel(self, frame: wire.Directed) -> None:
        """Deliver to a channel of this process; over capacity it is counted."""
        try:
            message: Message = self._serializer.from_bytes(frame.payload)
        except Exception:  # whatever another release has sent: it must not end the thread
            self.dropped("undecodable", 1)
        else:
            with contextlib.suppress(ChannelFull):
                self._local.send(frame.channel, message)

    def _change_membership(self, frame: wire.GroupChangeRequest) -> None:
        """Do what another process asks for one of our channels, or for a named one."""
        if "!" not in frame.channel:
            self._subscriptions.drop_named(frame.group, frame.channel)
            return
        asked = None
        if frame.joins:
            asked = self._subscriptions.join(self.client, frame.group, frame.channel)
        else:
            self._subscriptions.leave(self.client, frame.group, frame.channel)
        done = wire.GroupChangeDone(frame.token)
        if asked is None:
            self.client.tell(done)
        else:
            asked.add_done_callback(lambda answer: self.client.tell(done))

    def _tell_members(self, frame: wire.GroupQueryRequest) -> None:
        """Answer when all that came before has taken effect."""
        channels = list(self._local.groups.get(frame.group, ()))
        self.client.tell(wire.GroupQueryReply(frame.token, channels))

    def _notify_reconnected(self, facts: _Reconnected) -> None:
        self._local.notify_reconnected(facts._asdict())

    def dropped(self, reason: str, amount: int) -> None:
        """Count lost messages."""
        self._local.drops.add(reason, amount)

    def reconnected(self, away: float, lost: int) -> None:
        """Tell the consumers that want to know."""
        self.queue.add([_Reconnected(away, lost)])

    def announcement(self) -> tuple[list[str], list[wire.NamedSubscription]]:
        """Return what the broker has to know of this process."""
        return self._subscriptions.announcement()
