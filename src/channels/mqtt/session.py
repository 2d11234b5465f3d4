"""The session of a client: its subscriptions, and its messages of QoS 1 and 2 (5.0 section 4.1 and 4.3).

It does no I/O: what is to be sent goes to its connection, while there is one.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from channels import telemetry
from channels.mqtt.limits import QUEUED_BYTES
from channels.mqtt.stored.durable import Durable
from channels.mqtt.stored.record import Mark, Sent
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import (
    Acknowledgement,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscription,
)


class Peer(Protocol):
    """The connection of a session.

    Attributes:
        window: how many messages of QoS 1 and 2 the client takes before it acknowledges one.
        congested: the client does not read.
    """

    window: int

    @property
    def congested(self) -> bool:
        """See above."""
        ...

    @property
    def version(self) -> int:
        """Of the protocol."""
        ...

    def send(self, packet: Packet) -> bool:
        """Send a packet; returns False for one that is larger than the client takes."""
        ...

    def write(self, data: bytes) -> bool:
        """Send a packet that was encoded already; likewise."""
        ...

    def end(self, reason: Reason) -> None:
        """Say why, where the version has words for it, and close."""


#: Takes back a message of a shared subscription that its client did not get, and its place in its topic.
GiveBack: TypeAlias = Callable[[Publish, Mark | None], None]


class Plain(Protocol):
    """A message that is the same for many clients."""

    def encoded(self, version: int) -> bytes:
        """Return the packet, which is made once for each version."""
        ...


@dataclass(slots=True)
class Subscribed:
    """One subscription of a session.

    Attributes:
        options: as the client asked for, with the QoS that was granted.
        identifier: of the subscription; 0 for none.
    """

    options: Subscription
    identifier: int = 0


@dataclass(slots=True)
class _Waiting:
    """A message that waits for its turn.

    Attributes:
        publish: the message.
        deadline: in time.time(); 0 for none.
        mark: its place in its topic.
        back: takes it back, if it is of a shared subscription.
        size: of the message, in bytes.
    """

    publish: Publish
    deadline: float = 0.0
    mark: Mark | None = None
    back: GiveBack | None = None
    size: int = 0


@dataclass(slots=True, eq=False)
class Session:
    """One client's session.

    Attributes:
        key: the user's id and the client's.
        user: Django's, as of the last CONNECT.
        max_queued: messages that may wait.
        max_queued_bytes: bytes of them.
        expiry: seconds that it outlives its connection.
        peer: its connection; None while it has none.
        subscriptions: by topic filter.
        attached: the topics that its filters bring, and by which subscriptions.
        received: packet identifiers of QoS 2 that the client has not released; the idempotency key of one
            that may not be published yet.
        durable: what is stored of it; None if it ends with its connection.
        opened: when its last connection began, in seconds since 1970.
        moved: the client is connected to another process.
    """

    key: tuple[str, str]
    user: object
    max_queued: int
    expiry: float = 0.0
    peer: Peer | None = None
    subscriptions: dict[str, Subscribed] = field(default_factory=dict)
    attached: dict[str, list[Subscribed]] = field(default_factory=dict)
    received: dict[int, str] = field(default_factory=dict)
    durable: Durable | None = None
    opened: float = 0.0
    moved: bool = False
    max_queued_bytes: int = QUEUED_BYTES
    _inflight: dict[int, Publish | None] = field(default_factory=dict)
    #: Without a deque while nothing waits: most devices are idle.
    _queue: deque[_Waiting] | tuple[()] = ()
    _queued_bytes: int = 0
    _shared: dict[int, _Waiting] | None = None
    _last_id: int = 0

    @property
    def client_id(self) -> str:
        """The client's identifier."""
        return self.key[1]

    def deliver(self, publish: Publish, mark: Mark | None = None, back: GiveBack | None = None) -> None:
        """Send a message to the client: at once, or in its turn, or when it is back.

        Args:
            publish: the message.
            mark: where its topic has it; None if it has no history.
            back: takes it back, if it is of a shared subscription.
        """
        if not publish.qos:
            self._deliver_at_once(publish)
            return
        size = publish.size
        if len(self._queue) >= self.max_queued:
            telemetry.count("mqtt.message_dropped", reason="queue", client=self.client_id)
            return
        if self._queue and self._queued_bytes + size > self.max_queued_bytes:
            telemetry.count("mqtt.message_dropped", reason="bytes", client=self.client_id)
            return
        interval = publish.properties.get("message_expiry_interval")
        if not self._queue:
            self._queue = deque()
        deadline = 0.0 if interval is None else time.time() + interval
        self._queue.append(_Waiting(publish, deadline, mark, back, size))
        self._queued_bytes += size
        self.advance()

    def deliver_plain(self, outgoing: Plain) -> None:
        """Send a message of QoS 0 that is the same for many clients."""
        peer = self.peer
        if peer is None:
            return
        if peer.congested:
            telemetry.count("mqtt.message_dropped", reason="slow", client=self.client_id)
        elif not peer.write(outgoing.encoded(peer.version)):
            telemetry.count("mqtt.message_dropped", reason="too_large", client=self.client_id)

    def _deliver_at_once(self, publish: Publish) -> None:
        if self.peer is None:
            return  # QoS 0 is for who is there
        if self.peer.congested:
            telemetry.count("mqtt.message_dropped", reason="slow", client=self.client_id)
        else:
            self._send(publish)

    def _send(self, publish: Publish) -> bool:
        assert self.peer is not None  # whoever calls has looked
        if self.peer.send(publish):
            return True
        telemetry.count("mqtt.message_dropped", reason="too_large", client=self.client_id)
        return False

    def advance(self) -> None:
        """Send what waits, as much as the client takes."""
        peer = self.peer
        while peer is not None and self._queue and len(self._inflight) < peer.window and not peer.congested:
            waiting = self._queue.popleft()
            self._queued_bytes -= waiting.size
            publish = self._unless_expired(waiting)
            if publish is None:
                telemetry.count("mqtt.message_dropped", reason="expired", client=self.client_id)
                continue
            numbered = dataclasses.replace(publish, packet_id=self._next_id())
            if waiting.back is not None:
                self._shared = {**(self._shared or {}), numbered.packet_id: waiting}
            self._send_numbered(numbered, waiting.mark)
        if not self._queue:
            self._queue = ()

    def _send_numbered(self, publish: Publish, mark: Mark | None) -> None:
        durable = self.durable
        if durable is not None and mark is not None:
            durable.places[publish.packet_id] = mark
        if durable is not None and publish.qos == 2:
            self._inflight[publish.packet_id] = publish
            durable.hold(publish)
        elif self._send(publish):
            self._inflight[publish.packet_id] = publish
        elif durable is not None:
            durable.places.pop(publish.packet_id, None)

    @staticmethod
    def _unless_expired(waiting: _Waiting) -> Publish | None:
        """Return the message with the rest of its time; None if that is over."""
        if not waiting.deadline:
            return waiting.publish
        left = waiting.deadline - time.time()
        if left <= 0:
            return None
        properties = {**waiting.publish.properties, "message_expiry_interval": max(1, round(left))}
        return dataclasses.replace(waiting.publish, properties=properties)

    def _next_id(self) -> int:
        number = self._last_id
        while True:
            number = number % 65535 + 1
            if number not in self._inflight:
                self._last_id = number
                return number

    def acknowledge(self, packet: Acknowledgement) -> None:
        """Take PUBACK, PUBREC or PUBCOMP of the client, and answer it."""
        known, state = packet.packet_id in self._inflight, self._inflight.get(packet.packet_id)
        if isinstance(packet, PubRec):
            self._received(packet, known)
        elif known and _ends(packet, state):
            self._done(packet.packet_id)

    def _done(self, packet_id: int) -> None:
        """Give the place of a message to the next one."""
        self._inflight.pop(packet_id, None)
        if self._shared:
            self._shared.pop(packet_id, None)
        if self.durable is not None:
            self.durable.places.pop(packet_id, None)
            self.durable.soon()
        self.advance()

    def _received(self, packet: PubRec, known: bool) -> None:
        if packet.reason >= Reason.UNSPECIFIED_ERROR:
            self._done(packet.packet_id)
            return
        if known:
            self._inflight[packet.packet_id] = None
        reason = Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND
        if self.durable is not None and known:
            self.durable.hold(PubRel(packet.packet_id))
        elif self.peer is not None:
            self.peer.send(PubRel(packet.packet_id, reason))

    def send_stored(self, packet: Publish | PubRel) -> None:
        """Send what was stored: a message of QoS 2, or its release."""
        if self.peer is None:
            return  # it is sent when the client is back
        if isinstance(packet, PubRel):
            self.peer.send(packet)
        elif not self._send(packet):
            self._done(packet.packet_id)

    def release(self, packet: PubRel) -> PubComp:
        """Take PUBREL of the client: its packet identifier is free again; return the answer."""
        known = self.received.pop(packet.packet_id, None) is not None
        return PubComp(packet.packet_id, Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND)

    def resume(self, peer: Peer) -> None:
        """Go on over a new connection: what was not acknowledged is sent again, in its order."""
        self.peer = peer
        if self.durable is not None:
            self.durable.forget_held()
            self.durable.soon()
        for packet_id, publish in list(self._inflight.items()):
            again = PubRel(packet_id) if publish is None else dataclasses.replace(publish, dup=True)
            peer.send(again)
        self.advance()

    def leave(self, peer: Peer) -> bool:
        """Note that a connection has ended; returns False if another one has its place already."""
        if self.peer is not peer:
            return False
        self.peer = None
        if self.durable is not None:
            self.durable.forget_held()
        return True

    # Shared subscriptions

    @property
    def load(self) -> int:
        """How many messages of QoS 1 and 2 it has not acknowledged, or wait for it."""
        return len(self._inflight) + len(self._queue)

    def give_back(self, *, sent: bool) -> None:
        """Give messages of shared subscriptions back: those that wait.

        Args:
            sent: those of QoS 1 that were sent and not acknowledged as well: the session ends.
        """
        found = [each for each in self._queue if each.back is not None]
        if found:
            self._queue = deque(each for each in self._queue if each.back is None)
            self._queued_bytes = sum(each.size for each in self._queue)
        if sent and self._shared:
            found = [each for each in self._shared.values() if each.publish.qos == 1] + found
            self._shared = None
        for each in found:
            assert each.back is not None  # those without were left out
            each.back(each.publish, each.mark)

    # What is stored

    def sent(self) -> list[Sent]:
        """Return what was sent and is not acknowledged, as far as its place is known."""
        assert self.durable is not None
        places, found = self.durable.places, []
        for packet_id, publish in self._inflight.items():
            if publish is None:
                found.append(Sent(packet_id))
            elif (mark := places.get(packet_id)) is not None:
                found.append(Sent(packet_id, publish.topic, mark, publish.qos))
        return found

    def waiting(self) -> dict[str, Mark]:
        """Return by topic the place of the first message that waits."""
        found: dict[str, Mark] = {}
        for each in self._queue:
            if each.mark is not None:
                found.setdefault(each.publish.topic, each.mark)
        return found

    def restore(self, last_id: int, sent: dict[int, Publish | None], received: dict[int, str]) -> None:
        """Take over what another process has sent and received.

        Args:
            last_id: the last packet identifier of a message.
            sent: what was sent and not acknowledged, in its order; None if it was received.
            received: see the attributes.
        """
        self._last_id, self.received = last_id, received
        self._inflight.update(sent)

    @property
    def last_id(self) -> int:
        """The last packet identifier that was given to a message."""
        return self._last_id


def _ends(packet: Acknowledgement, state: Publish | None) -> bool:
    """Whether an acknowledgement is the last one of a message in this state (None: PUBREC has come)."""
    if isinstance(packet, PubAck):
        return state is not None and state.qos == 1
    return isinstance(packet, PubComp) and state is None
