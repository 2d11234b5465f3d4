"""The session of a client: its subscriptions, and its messages of QoS 1 and 2 (5.0 section 4.1 and 4.3).

It does no I/O: what is to be sent goes to its connection, while there is one.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from channels import telemetry
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
    """A message that waits for its turn; ``deadline`` in time.time(), 0 for none."""

    publish: Publish
    deadline: float = 0.0


@dataclass(slots=True, eq=False)
class Session:
    """One client's session.

    Attributes:
        key: the user's id and the client's.
        user: Django's, as of the last CONNECT.
        max_queued: messages that may wait.
        expiry: seconds that it outlives its connection.
        peer: its connection; None while it has none.
        subscriptions: by topic filter.
        attached: the topics that its filters bring, and by which subscriptions.
        received: packet identifiers of QoS 2 that the client has not released.
    """

    key: tuple[str, str]
    user: object
    max_queued: int
    expiry: float = 0.0
    peer: Peer | None = None
    subscriptions: dict[str, Subscribed] = field(default_factory=dict)
    attached: dict[str, list[Subscribed]] = field(default_factory=dict)
    received: set[int] = field(default_factory=set)
    _inflight: dict[int, Publish | None] = field(default_factory=dict)
    _queue: deque[_Waiting] = field(default_factory=deque)
    _last_id: int = 0

    @property
    def client_id(self) -> str:
        """The client's identifier."""
        return self.key[1]

    def deliver(self, publish: Publish) -> None:
        """Send a message to the client: at once, or in its turn, or when it is back."""
        if not publish.qos:
            self._deliver_at_once(publish)
            return
        if len(self._queue) >= self.max_queued:
            telemetry.count("mqtt.message_dropped", reason="queue", client=self.client_id)
            return
        interval = publish.properties.get("message_expiry_interval")
        self._queue.append(_Waiting(publish, 0.0 if interval is None else time.time() + interval))
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
            publish = self._unless_expired(waiting)
            if publish is None:
                telemetry.count("mqtt.message_dropped", reason="expired", client=self.client_id)
                continue
            numbered = dataclasses.replace(publish, packet_id=self._next_id())
            if self._send(numbered):
                self._inflight[numbered.packet_id] = numbered

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
            del self._inflight[packet.packet_id]
            self.advance()

    def _received(self, packet: PubRec, known: bool) -> None:
        if packet.reason >= Reason.UNSPECIFIED_ERROR:
            self._inflight.pop(packet.packet_id, None)
            self.advance()
            return
        if known:
            self._inflight[packet.packet_id] = None
        if self.peer is not None:
            reason = Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND
            self.peer.send(PubRel(packet.packet_id, reason))

    def release(self, packet: PubRel) -> PubComp:
        """Take PUBREL of the client: its packet identifier is free again; return the answer."""
        known = packet.packet_id in self.received
        self.received.discard(packet.packet_id)
        return PubComp(packet.packet_id, Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND)

    def resume(self, peer: Peer) -> None:
        """Go on over a new connection: what was not acknowledged is sent again, in its order."""
        self.peer = peer
        for packet_id, publish in list(self._inflight.items()):
            again = PubRel(packet_id) if publish is None else dataclasses.replace(publish, dup=True)
            peer.send(again)
        self.advance()

    def leave(self, peer: Peer) -> bool:
        """Note that a connection has ended; returns False if another one has its place already."""
        if self.peer is not peer:
            return False
        self.peer = None
        return True


def _ends(packet: Acknowledgement, state: Publish | None) -> bool:
    """Whether an acknowledgement is the last one of a message in this state (None: PUBREC has come)."""
    if isinstance(packet, PubAck):
        return state is not None and state.qos == 1
    return isinstance(packet, PubComp) and state is None
