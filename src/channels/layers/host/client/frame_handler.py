"""What arrives from other processes, handed to the delivery of this one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

from channels.exceptions import ChannelFull
from channels.layers.host.client.client import BrokerClient
from channels.layers.host.client.delivery_queue import DeliveryQueue
from channels.layers.host.client.subscriptions import LocalSubscriptions
from channels.layers.host.wire import frames as wire
from channels.layers.host.wire.payload import Payloads
from channels.layers.local.delivery import LocalDelivery
from channels.typing import Message


class DeliveryHandler:
    """See :class:`~channels.layers.host.client.client.FrameHandler`; called in the client's thread.

    Whatever order matters for goes through ``delivery_queue``.

    Args:
        local: the channels and groups of this process.
        subscriptions: what other processes may change.
        payloads: decodes messages, once for all members.
        delivery_queue: delivers in the consumers' loop.

    Attributes:
        client: the client it serves, set before that starts.
    """

    client: BrokerClient

    def __init__(
        self,
        local: LocalDelivery,
        subscriptions: LocalSubscriptions,
        payloads: Payloads,
        delivery_queue: DeliveryQueue,
    ) -> None:
        self._local = local
        self._subscriptions = subscriptions
        self._payloads = payloads
        self._delivery_queue = delivery_queue
        self.turn_ended = delivery_queue.hand_over

    def published(self, group: str, payload: bytes) -> None:
        """Deliver to the members here; a group that has none is unsubscribed."""
        self._delivery_queue.add(functools.partial(self._deliver_to_group, group, payload), len(payload))

    def _deliver_to_group(self, group: str, payload: bytes) -> None:
        if group not in self._local.groups:
            self._subscriptions.unsubscribe_if_empty(self.client, group)
            return
        message = self._decode(payload)
        if message is not None:
            self._local.group_send(group, message)

    def directed(self, channel: str, payload: bytes) -> None:
        """Deliver to a channel of this process; over capacity it is counted."""
        self._delivery_queue.add(functools.partial(self._deliver_to_channel, channel, payload), len(payload))

    def _deliver_to_channel(self, channel: str, payload: bytes) -> None:
        message = self._decode(payload)
        if message is not None:
            with contextlib.suppress(ChannelFull):
                self._local.send(channel, message)

    def _decode(self, payload: bytes) -> Message | None:
        try:
            return self._payloads.decode(payload)
        except Exception:  # whatever another release has sent: it must not end the thread
            self.dropped("undecodable", 1)
            return None

    def group_change(self, frame: wire.GroupChangeRequest, done: Callable[[], object]) -> None:
        """Do what another process asks for one of our channels, or for a named one."""
        self._delivery_queue.add(functools.partial(self._change_membership, frame, done))

    def _change_membership(self, frame: wire.GroupChangeRequest, done: Callable[[], object]) -> None:
        if "!" not in frame.channel:
            self._subscriptions.drop_named(frame.group, frame.channel)
        elif not frame.joins:
            self._subscriptions.leave(self.client, frame.group, frame.channel)
            done()
        else:
            asked = self._subscriptions.join(self.client, frame.group, frame.channel)
            if asked is None:
                done()
            else:
                asked.add_done_callback(lambda answer: done())

    def group_query(self, group: str, answer: Callable[[list[str]], None]) -> None:
        """Answer when all that came before has taken effect."""
        self._delivery_queue.add(lambda: answer(list(self._local.groups.get(group, ()))))

    def flushed(self) -> None:
        """Forget everything."""
        self._delivery_queue.add(self._subscriptions.flush)

    def dropped(self, reason: str, amount: int) -> None:
        """Count lost messages."""
        self._local.drops.add(reason, amount)

    def reconnected(self, away: float, lost: int) -> None:
        """Tell the consumers that want to know."""
        facts = {"away": away, "lost": lost}
        self._delivery_queue.add(functools.partial(self._local.notify_reconnected, facts))

    def announcement(self) -> tuple[list[str], list[wire.NamedSubscription]]:
        """Return what the broker has to know of this process."""
        return self._subscriptions.announcement()
