"""The packets as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.properties import Properties

#: The protocol levels that are spoken: 3.1.1 and 5.0.
V311, V5 = 4, 5


@dataclass(slots=True)
class Will:
    """What is published when a client goes without a word (5.0 section 3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Connect:
    """CONNECT.

    Attributes:
        clean_start: of 3.1.1 the clean session flag, which also ends the session with the connection.
        keep_alive: seconds; 0 for none.
    """

    client_id: str
    version: int = V5
    clean_start: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class ConnAck:
    """CONNACK; of 3.1.1 ``reason`` becomes its return code."""

    reason: int = 0
    session_present: bool = False
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Publish:
    """PUBLISH.

    Attributes:
        packet_id: 1 to 65535; 0 with QoS 0, which has none.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=dict)

    @property
    def size(self) -> int:
        """About how many bytes it takes while it waits: topic, payload and properties."""
        size = len(self.topic) + len(self.payload)
        return size + len(repr(self.properties)) if self.properties else size


@dataclass(slots=True)
class Acknowledgement:
    """What answers a PUBLISH, or a part of the exchange of QoS 2."""

    packet_id: int
    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


class PubAck(Acknowledgement):
    """PUBACK: of QoS 1."""

    __slots__ = ()


class PubRec(Acknowledgement):
    """PUBREC: the first answer of QoS 2."""

    __slots__ = ()


class PubRel(Acknowledgement):
    """PUBREL: the second part of QoS 2."""

    __slots__ = ()


class PubComp(Acknowledgement):
    """PUBCOMP: the last part of QoS 2."""

    __slots__ = ()


@dataclass(slots=True)
class Subscription:
    """One topic filter of a SUBSCRIBE, and its options."""

    filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    """SUBSCRIBE."""

    packet_id: int
    subscriptions: list[Subscription]
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class SubAck:
    """SUBACK: a reason for each subscription."""

    packet_id: int
    reasons: list[int]
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Unsubscribe:
    """UNSUBSCRIBE."""

    packet_id: int
    filters: list[str]
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class UnsubAck:
    """UNSUBACK: a reason for each filter; 3.1.1 has none."""

    packet_id: int
    reasons: list[int] = field(default_factory=list)
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class PingReq:
    """PINGREQ."""


@dataclass(slots=True)
class PingResp:
    """PINGRESP."""


@dataclass(slots=True)
class Disconnect:
    """DISCONNECT; 3.1.1 has neither reason nor properties, and only clients send it."""

    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Auth:
    """AUTH, of 5.0."""

    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)
