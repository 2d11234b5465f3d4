"""One client's subscription to one topic, and what the delivery needs to know of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.control import RefreshClients, SubscribeClients
from channels.topics.delivery.conflation import Conflation
from channels.topics.delivery.deltas import Delta
from channels.topics.delivery.frames import Frame
from channels.topics.delivery.outbox import Outbox
from channels.topics.delivery.snapshots import View
from channels.topics.stores.base import Append

#: What becomes of publications for a client that does not read: its connection ends, the newest takes the
#: place of the one that waits, or the oldest is left out.
Slow: TypeAlias = Literal["disconnect", "latest", "oldest"]


class Client(Protocol):
    """A connected client, as the delivery sees it.

    Attributes:
        id: unique among all processes.
        user_id: "" for an anonymous user.
        secret: of its session, by which others may name it; "" if it has none.
    """

    id: str
    user_id: str
    secret: str

    def disconnect(self, code: int, reason: str) -> None:
        """End the connection."""

    def unsubscribe(self, topic: str, code: int, reason: str) -> None:
        """End a subscription, if there is one, and tell the client."""

    def subscribe_by_server(self, control: SubscribeClients) -> None:
        """Subscribe the client, if it has not subscribed already, and tell it."""

    def refresh_by_server(self, control: RefreshClients) -> None:
        """Have the connection last until another time, and tell the client."""

    def position_lost(self, subscription: Subscription) -> None:
        """Tell the client that publications were lost: it subscribes again, or comes back."""

    def recheck(self, topic: str) -> None:
        """Ask again whether the client may have a topic; "" for all that it has, and its connection."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One client's subscription to one topic.

    Attributes:
        client: whose it is.
        outbox: of the client; one that is closed, once the subscription has ended.
        topic: the topic's name.
        info: how others see the client.
        numbered: pushes carry the topic's number instead of its name.
        positioned: the client counts on each publication, and is told when one was lost.
        join_leave: the client wants to hear who comes and goes.
        delta: how publications are sent: as they are, or as differences.
        server_side: the server subscribed it.
        present: it is noted in the topic's presence.
        announced: others are told that the client comes and goes.
        conflation: of what the client publishes for nobody to keep; made when it first does.
        slow: what becomes of publications that the client does not read.
        passes: whether a publication with these tags is wanted; None: all are.
        view: what the client gets of a publication; None: all of it.
    """

    client: Client
    outbox: Outbox
    topic: str
    info: ClientInfo
    numbered: bool = False
    positioned: bool = False
    join_leave: bool = False
    delta: Delta = Delta.NONE
    server_side: bool = False
    present: bool = False
    announced: bool = False
    conflation: Conflation[Append] | None = None
    slow: Slow = "disconnect"
    passes: Callable[[Mapping[str, str]], bool] | None = None
    view: View | None = None

    def put(self, frame: Frame) -> None:
        """Have what was published leave when the client reads, as the topic says."""
        if self.slow == "disconnect":
            self.outbox.put(frame.data)
        elif self.slow == "latest":
            self.outbox.put(frame.messages[-1], slot=self.topic)
        else:
            for message in frame.messages:
                self.outbox.put(message, droppable=True)
