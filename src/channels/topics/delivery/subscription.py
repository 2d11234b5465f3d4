"""One client's subscription to one topic, and what the delivery needs to know of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from channels.core.broadcast import Broadcast, FastlaneWrite
from channels.protocols.centrifuge.messages import ClientInfo
from channels.topics.delivery.frames import Frame, Framing


class Client(Protocol):
    """A connected client, as the delivery sees it.

    Attributes:
        id: unique among all processes.
        user_id: "" for an anonymous user.
        framing: how its transport writes.
        direct: writes a broadcast to its socket and returns True, or returns False: then use ``enqueue``.
    """

    id: str
    user_id: str
    framing: Framing
    direct: FastlaneWrite

    def enqueue(self, frame: Frame) -> None:
        """Have a frame written behind what waits already; too much of it ends the connection."""

    def disconnect(self, code: int, reason: str) -> None:
        """End the connection."""

    def unsubscribe(self, topic: str, code: int, reason: str) -> None:
        """End a subscription, and tell the client."""

    def position_lost(self, subscription: Subscription) -> None:
        """Tell the client that publications were lost: it subscribes again, or comes back."""

    def recheck(self, topic: str) -> None:
        """Ask again whether the client may have a topic; "" for all that it has, and its connection."""


class Gone:
    """In the place of a client whose subscription has ended: it takes everything, and does nothing."""

    @staticmethod
    def direct(broadcast: Broadcast) -> bool:
        """Take it."""
        return True

    @staticmethod
    def enqueue(frame: Frame) -> None:
        """Drop it: what is on its way is not for somebody who has left."""

    @staticmethod
    def position_lost(subscription: Subscription) -> None:
        """Do nothing."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One client's subscription to one topic.

    Attributes:
        client: the client; a :class:`Gone` once the subscription has ended.
        topic: the topic's name.
        info: how others see the client.
        numbered: pushes carry the topic's number instead of its name.
        positioned: the client counts on each publication, and is told when one was lost.
        join_leave: the client wants to hear who comes and goes.
        delta: publications are sent as differences.
        server_side: the server subscribed it.
        present: it is noted in the topic's presence.
        passes: whether a publication with these tags is wanted; None: all are.
    """

    client: Client | Gone
    topic: str
    info: ClientInfo
    numbered: bool = False
    positioned: bool = False
    join_leave: bool = False
    delta: bool = False
    server_side: bool = False
    present: bool = False
    passes: Callable[[Mapping[str, str]], bool] | None = None
